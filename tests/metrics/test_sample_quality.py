"""By a classifier that was really trained, figures of images get worse with what is done to the images."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

import kexp
from kexp.core.errors import InputError
from kexp.data import Split
from kexp.evaluation.classifier import classifier_features
from kexp.metrics.image_features import Features
from kexp.metrics.sample_distances import frechet_distance
from kexp.metrics.sample_quality import Quality


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits", validation=0.4)


@pytest.fixture(scope="module")
def features(digits, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kexp.evaluation.classifier.LEAST_STEPS", 300)
        features = classifier_features(digits, None, str(tmp_path_factory.mktemp("outer")), quiet=True)
        features.labels(digits.test.inputs)
    return features


@pytest.fixture(scope="module")
def quality(features):
    return Quality(features)


def thorough(quality, digits, images):
    """Return all figures by the first word of their names."""
    figures = quality.thorough(images, digits.validation, digits.train)
    assert {type(figure) for figure in figures.values()} == {float}
    return {name.replace(f"_cnn_{len(images)}", ""): figure for name, figure in figures.items()}


def noisy(images, strength):
    noise = np.random.default_rng(0).normal(0, strength, images.shape)
    return np.clip(images + noise, 0, 255).astype("uint8")


def hidden(images, rows):
    images = images.copy()
    images[:, :rows] = 0
    return images


@pytest.mark.parametrize(("corrupted", "strengths"), [(noisy, (0, 40, 80, 160)), (hidden, (0, 1, 2, 4))])
def test_distances_grow_and_precision_falls_with_planted_corruption(quality, digits, corrupted, strengths):
    images = digits.train.inputs[:300]
    figures = [thorough(quality, digits, corrupted(images, strength)) for strength in strengths]
    for distance in ("frechet", "kernel"):
        values = [of[distance] for of in figures]
        assert values == sorted(values)
        assert figures[-1][f"{distance}_low95"] > figures[0][f"{distance}_high95"]
    precisions = [of["precision"] for of in figures]
    assert precisions == sorted(precisions, reverse=True)
    assert figures[0]["frechet"] < 2 * figures[0]["training_data_frechet"]
    assert figures[0]["kernel_low95"] < 0 < figures[0]["kernel_high95"]


def test_distances_grow_and_recall_falls_with_classes_that_are_missing_while_precision_stays(quality, digits):
    x, y = digits.train.inputs, digits.train.targets
    figures = [thorough(quality, digits, x[y < classes][:80]) for classes in (9, 7, 5, 3)]
    with pytest.warns(RuntimeWarning, match="collapsed"):
        figures.append(thorough(quality, digits, x[y < 1][:80]))
    for distance in ("frechet", "kernel"):
        values = [of[distance] for of in figures]
        assert values == sorted(values)
    recalls = [of["recall"] for of in figures]
    assert recalls == sorted(recalls, reverse=True)
    assert recalls[0] > 4 * recalls[-1]
    assert min(of["precision"] for of in figures) > 0.8
    assert [of["rarest_class"] for of in figures] == [0.0] * 5
    commonest = [of["commonest_class"] for of in figures]
    assert commonest == sorted(commonest)
    assert commonest[-1] > 9


def test_the_share_that_is_recognised_is_the_accuracy_on_real_images(quality, features, digits):
    test = digits.test
    figures = quality.figures(test.inputs, digits.validation, labels=test.targets)
    accuracy = np.mean(features.labels(test.inputs) == test.targets)
    assert accuracy > 0.93
    assert figures[f"recognised_cnn_{len(test)}"] == accuracy
    others = quality.figures(test.inputs, digits.validation, labels=(test.targets + 1) % 10)
    assert others[f"recognised_cnn_{len(test)}"] < 0.05


def test_every_figure_names_the_features_and_the_number_of_images(quality, digits):
    images, labels = digits.test.inputs[:100], digits.test.targets[:100]
    quick = quality.figures(images, digits.validation, labels=labels)
    names = ("frechet", "diversity", "rarest_class", "commonest_class", "recognised")
    assert set(quick) == {f"{name}_cnn_100" for name in names}
    every = quality.thorough(images, digits.validation, digits.train, labels=labels)
    assert quick.items() <= every.items()
    further = ("kernel", "precision", "recall", "training_data_frechet")
    ends = {f"{name}_cnn_100_{end}95" for name in ("frechet", "kernel") for end in ("low", "high")}
    assert set(every) - set(quick) == {f"{name}_cnn_100" for name in further} | ends
    assert quality.monitor == "val_frechet_cnn_1000"


def test_figures_come_again_whatever_was_drawn_before_and_leave_random_streams_alone(features, digits):
    def drawn():
        np.random.seed(3)
        figures = Quality(features, seed=5).thorough(digits.test.inputs[:60], digits.validation, digits.train)
        return figures, np.random.random()

    np.random.seed(3)
    expected = np.random.random()
    (first, one), (second, other) = drawn(), drawn()
    assert first == second
    assert one == other == expected


def test_real_images_are_looked_at_once(features, digits, monkeypatch):
    looked = []
    both = features.both
    monkeypatch.setattr(features, "both", lambda images: looked.append(len(images)) or both(images))
    quality = Quality(features)
    for _ in range(2):
        quality.figures(digits.test.inputs[:50], digits.validation)
    assert looked == [50, len(digits.validation), 50]


def test_collapse_is_told_every_time_and_health_is_not(features, digits):
    copies = np.repeat(digits.train.inputs[:1], 100, axis=0)
    quality = Quality(features)
    for _ in range(2):
        with pytest.warns(
            RuntimeWarning, match=r"Samples have collapsed: by cnn they have (0|\d\S*e-\d+) of .* below 0.5;"
        ):
            figures = quality.figures(copies, digits.validation)
    assert figures["diversity_cnn_100"] == pytest.approx(0, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        healthy = quality.figures(digits.train.inputs[:100], digits.validation)
        Quality(features, collapse=0).figures(copies, digits.validation)
    assert healthy["diversity_cnn_100"] == pytest.approx(1, abs=0.1)


def test_features_without_classes_have_the_figures_that_need_none():
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    model = keras.Model(inputs, layers.Flatten()(layers.Rescaling(1.0)(inputs)))
    random = np.random.default_rng(0)
    one, other = random.integers(0, 256, (2, 50, 4, 4, 1)).astype("uint8")
    real = Split(one, np.zeros(50, "int32"))
    figures = Quality(Features("pixels", model, head=False)).figures(other, real, labels=np.zeros(50, int))
    assert set(figures) == {"frechet_pixels_50", "diversity_pixels_50"}
    expected = frechet_distance(one.reshape(50, 16), other.reshape(50, 16))
    assert figures["frechet_pixels_50"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"samples": 5}, "samples must be a whole number, 8 or more; received 5"),
        ({"seed": -1}, "seed must be a whole number, 0 or more"),
        ({"collapse": -0.1}, "collapse must be a number, 0 or more"),
    ],
)
def test_numbers_out_of_range_are_refused(features, arguments, words):
    with pytest.raises(InputError, match=words):
        Quality(features, **arguments)
