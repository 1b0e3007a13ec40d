"""Real data that is there without a download: scikit-learn's, and a sample of Fashion-MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kexp.data.files import read_npz
from kexp.data.spec import Column, Source, column_name

SAMPLES = Path(__file__).parent / "samples"

EMBEDDED = {
    "breast_cancer": "table: 569 tumours, 30 measurements, 2 classes (scikit-learn)",
    "diabetes": "table: 442 patients, 10 measurements, regression (scikit-learn)",
    "digits": "images: 1,797 handwritten digits, 8x8x1, 10 classes (scikit-learn)",
    "fashion_mnist_small": "images: 5,000 of Fashion-MNIST, 28x28x1, 10 classes (Zalando, MIT)",
    "iris": "table: 150 flowers, 4 measurements, 3 classes (scikit-learn)",
    "wine": "table: 178 wines, 13 measurements, 3 classes (scikit-learn)",
}


def read_embedded(name: str) -> Source:
    """Read one of the data sets in `EMBEDDED`.

    Example:
        >>> read_embedded("iris").class_names
        ('setosa', 'versicolor', 'virginica')
    """
    if name == "fashion_mnist_small":
        return read_npz(SAMPLES / "fashion_mnist_small.npz", name)
    return _digits() if name == "digits" else _table(name)


def _digits() -> Source:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Sixteen grey levels brought to the range of every other image.
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    return Source("digits", {"train": (images, digits.target)})


def _table(name: str) -> Source:
    from sklearn import datasets

    if name == "diabetes":  # in the units of the clinic, as a user of the trained model has them
        table = datasets.load_diabetes(scaled=False)
    else:
        table = getattr(datasets, f"load_{name}")()
    names = [column_name(column) for column in table.feature_names]
    inputs = {column: table.data[:, index].astype(np.float32) for index, column in enumerate(names)}
    return Source(
        name,
        {"train": (inputs, table.target)},
        class_names=tuple(str(label) for label in table.get("target_names", ())),
        columns=tuple(Column(column, "number") for column in names),
    )
