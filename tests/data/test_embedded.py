import numpy as np
import pytest

from kexp.data import load
from kexp.data.embedded import EMBEDDED, SAMPLES
from kexp.data.targets import FASHION

EXPECTED = {  # kind, task, sample shape, outputs, samples
    "breast_cancer": ("table", "classification", (30,), 2, 569),
    "diabetes": ("table", "regression", (10,), 1, 442),
    "digits": ("image", "classification", (8, 8, 1), 10, 1797),
    "fashion_mnist_small": ("image", "classification", (28, 28, 1), 10, 5000),
    "iris": ("table", "classification", (4,), 3, 150),
    "wine": ("table", "classification", (13,), 3, 178),
}


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_data_is_what_its_line_says(name):
    data = load(name)
    spec, samples = data.spec, len(data.train) + len(data.validation) + len(data.test)
    assert (spec.kind, spec.task, spec.input_shape, spec.outputs, samples) == EXPECTED[name]
    assert EMBEDDED[name].startswith(spec.kind)
    assert f"{samples:,}" in EMBEDDED[name]


def test_digits_use_the_whole_range_of_grey():
    images = load("digits").train.inputs
    assert (images.dtype, images.min(), images.max()) == (np.uint8, 0, 255)
    assert len(np.unique(images)) == 17


def test_class_names_are_kept_in_the_order_of_the_indices():
    assert load("breast_cancer").spec.class_names == ("malignant", "benign")
    assert load("fashion_mnist_small").spec.class_names == FASHION
    assert np.bincount(load("breast_cancer", validation=0, test=0).train.targets).tolist() == [212, 357]


def test_diabetes_is_in_the_units_of_the_clinic():
    age = load("diabetes").train.inputs["age"]
    assert age.dtype == np.float32
    assert 18 < age.min() < age.max() < 80


def test_the_licence_lies_beside_the_sample():
    assert "Copyright (c) 2017 Zalando SE" in (SAMPLES / "fashion_mnist_small.LICENSE").read_text()
