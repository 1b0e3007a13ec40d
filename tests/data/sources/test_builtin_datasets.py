import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import load, sample_path
from kexp.data.sample_files import SAMPLES
from kexp.data.sources.builtin_datasets import BUILTIN_DATASETS
from kexp.data.targets.labels import FASHION

EXPECTED = {  # kind, task, sample shape, outputs, samples
    "addition": ("text", "text", (), 0, 50_000),
    "breast_cancer": ("table", "classification", (30,), 2, 569),
    "diabetes": ("table", "regression", (10,), 1, 442),
    "digits": ("image", "classification", (8, 8, 1), 10, 1797),
    "dialled_numbers": ("series", "transcription", (8000, 1), 0, 1500),
    "emoji": ("image", "retrieval", (32, 32, 3), 0, 558),
    "fashion_mnist_small": ("image", "classification", (28, 28, 1), 10, 5000),
    "first_names": ("text", "classification", (), 2, 8003),
    "iris": ("table", "classification", (4,), 3, 150),
    "japanese_vowels": ("series", "classification", (29, 12), 9, 640),
    "pronunciations": ("text", "text", (), 0, 20_000),
    "telephone_keys": ("series", "classification", (2000, 1), 10, 1500),
    "wine": ("table", "classification", (13,), 3, 178),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_embedded_data_is_what_its_line_says(name):
    data = load(name)
    spec, samples = data.spec, len(data.train) + len(data.validation) + len(data.test)
    assert (spec.kind, spec.task, spec.input_shape, spec.outputs, samples) == EXPECTED[name]
    assert BUILTIN_DATASETS[name].startswith(spec.kind if spec.sample_rate is None else "sounds")
    assert f"{samples:,}" in BUILTIN_DATASETS[name]


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


def test_no_embedded_data_is_left_out_here_but_the_series_and_the_book_that_are_cut():
    assert BUILTIN_DATASETS.keys() - EXPECTED.keys() == {"sunspots", "moby_dick"}
    with pytest.raises(InputError, match=r"one long text.* kexp\.data\.passages\('moby_dick'"):
        load("moby_dick")
    with pytest.raises(InputError, match=r"one long series.* kexp\.data\.windows\('sunspots'"):
        load("sunspots")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("emoji", "Creative Commons Attribution 4.0"),
        ("fashion_mnist_small", "Copyright (c) 2017 Zalando SE"),
        ("first_names", "Public Domain Dedication and License"),
        ("japanese_vowels", "Creative Commons Attribution 4.0"),
        ("moby_dick", "public domain"),
        ("pronunciations", "Copyright (C) 1993-2015 Carnegie Mellon University"),
        ("sunspots", "Solar Influences Data Analysis"),
    ],
)
def test_a_licence_lies_beside_every_sample(name, words):
    assert sample_path(name).is_file()
    assert words in (SAMPLES / f"{name}.LICENSE").read_text()
    assert len(list(SAMPLES.iterdir())) == 14


def test_an_unknown_sample_names_the_nearest():
    with pytest.raises(InputError, match=r"no such sample \(did you mean 'moby_dick'\?\)"):
        sample_path("mobydick")


def test_the_vowels_are_as_published_and_end_in_padding_where_they_end():
    data = load("japanese_vowels")
    assert (len(data.train) + len(data.validation), len(data.test)) == (270, 370)
    assert data.spec.class_names == tuple("123456789")
    lengths = np.isfinite(data.test.inputs).all(axis=2).sum(axis=1)
    assert (lengths.min(), lengths.max()) == (7, 29)
    assert np.isnan(data.test.inputs[0, lengths[0] :]).all()


def test_a_first_name_stands_under_one_label_and_once():
    data = load("first_names")
    names = [name for part in (data.train, data.validation, data.test) for name in part.inputs]
    assert len(set(names)) == len(names)
    assert "Robin" not in names
    assert "Nan" in names  # which pandas takes for a missing value
    assert data.spec.class_names == ("f", "m")
