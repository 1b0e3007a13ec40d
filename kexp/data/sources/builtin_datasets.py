"""Real data that is there without a download: scikit-learn's, and what lies in the folder samples."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Source
from kexp.data.sample_files import sample_path
from kexp.data.sources.array_files import read_npz_file
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.sources.text_file import one_long_text
from kexp.data.table_columns import Column, column_name

BUILTIN_DATASETS = {
    "addition": "text to text: 50,000 sums of numbers of up to three digits (generated)",
    "breast_cancer": "table: 569 tumours, 30 measurements, 2 classes (scikit-learn)",
    "diabetes": "table: 442 patients, 10 measurements, regression (scikit-learn)",
    "dialled_numbers": "sounds to text: 1,500 numbers of 3 to 6 digits, in telephone tones (generated)",
    "digits": "images: 1,797 handwritten digits, 8x8x1, 10 classes (scikit-learn)",
    "emoji": "images to text: 558 drawings of 186 animals and foods, 32x32x3 (Apache-2.0, CC BY 4.0)",
    "fashion_mnist_small": "images: 5,000 of Fashion-MNIST, 28x28x1, 10 classes (Zalando, MIT)",
    "first_names": "text: 8,003 English first names, 2 classes (PDDL)",
    "iris": "table: 150 flowers, 4 measurements, 3 classes (scikit-learn)",
    "japanese_vowels": "series: 640 spoken vowels of 7 to 29 steps, 9 speakers (Kudo et al., CC BY 4.0)",
    "moby_dick": "text: a book of 1.2 million characters, for kexp.data.passages (public domain)",
    "pronunciations": "text to text: 20,000 English words, their 39 phonemes (CMUdict, BSD)",
    "sunspots": "series: 309 years of sunspot numbers, for kexp.data.windows (SIDC)",
    "telephone_keys": "sounds: 1,500 tones of telephone keys in noise, 8 kHz, 10 classes (generated)",
    "wine": "table: 178 wines, 13 measurements, 3 classes (scikit-learn)",
}


class BuiltIn(DataSource):
    """A name that is always known."""

    name: ClassVar[str] = "embedded"

    def names(self) -> dict[str, str]:
        return dict(BUILTIN_DATASETS)

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_embedded(place.name)


def read_embedded(name: str) -> Source:
    """Read one of the data sets in `BUILTIN_DATASETS`.

    Raises:
        InputError: For a series or a book, which have no samples before they are cut.

    Example:
        >>> read_embedded("iris").class_names
        ('setosa', 'versicolor', 'virginica')
    """
    if name == "sunspots":
        raise InputError(
            "data 'sunspots' is one long series, expected samples; cut it into them with "
            "kexp.data.windows('sunspots', history=…, test=…)."
        )
    if name == "moby_dick":
        raise one_long_text(name)
    if name in ("fashion_mnist_small", "japanese_vowels"):
        return read_npz_file(sample_path(name), name)
    if name == "emoji":
        return replace(read_npz_file(sample_path(name), name), task="retrieval")
    if name == "first_names":
        return _first_names()
    if name in ("dialled_numbers", "telephone_keys"):
        from kexp.data.sources import telephone_tones as tones

        return tones.read_keys() if name == "telephone_keys" else tones.read_numbers()
    if name in ("addition", "pronunciations"):
        from kexp.data.sources import text_pairs as pairs

        return pairs.read_addition() if name == "addition" else pairs.read_pronunciations()
    return _digits() if name == "digits" else _table(name)


def _first_names() -> Source:
    from kexp.data.sources.table_files import read_csv
    from kexp.data.sources.tables import from_frame

    names = read_csv(sample_path("first_names"), text="name").drop_duplicates()
    # A name that stands under both labels has no right answer.
    names = names.drop_duplicates("name", keep=False)
    return from_frame(names, "first_names", "label", "classification", "name")


def _digits() -> Source:
    rows = np.loadtxt(_digits_path(), delimiter=",")  # 64 grey levels and the label
    # Sixteen grey levels brought to the range of every other image.
    images = np.round(rows[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return Source("digits", {"train": (images, rows[:, -1].astype(int))})


def _digits_path() -> Path:
    """Return the file that `sklearn.datasets.load_digits` reads, whose import takes ten times as long."""
    package = importlib.util.find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"


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
