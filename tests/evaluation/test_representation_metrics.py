"""Codes of autoencoders are measured as features and for retrieval."""

import numpy as np
import pytest

import kexp


class Answers:
    """Stands for a Reconstructor whose code says how bright an image's four quarters are."""

    def __call__(self, inputs, training=False):
        images = np.asarray(inputs, "float32")[..., 0]
        quarters = [images[:, y : y + 4, x : x + 4].mean(axis=(1, 2)) for y in (0, 4) for x in (0, 4)]
        return {"code": np.stack(quarters, axis=-1)}


def quartered():
    """Return images whose class is the quarter that is bright."""
    random = np.random.default_rng(0)
    labels = np.arange(400) % 4
    images = random.integers(0, 60, (400, 8, 8, 1)).astype("uint8")
    for image, label in zip(images, labels, strict=True):
        y, x = 4 * (label // 2), 4 * (label % 2)
        image[y : y + 4, x : x + 4] += 150
    return kexp.data.load((images, labels))


def test_a_code_that_tells_the_classes_has_full_marks_and_one_that_is_mixed_up_those_of_guessing():
    data, model = quartered(), Answers()
    scores = kexp.code_scores(model, data)
    code = model(data.test.inputs)["code"]
    mixed = np.random.default_rng(1).permutation(code)
    for score in scores.values():
        assert score(data.test, {"code": code}) == 1.0
        assert score(data.test, {"code": mixed}) == pytest.approx(0.25, abs=0.15)


def test_there_is_nothing_to_measure_without_classes():
    data = kexp.data.load((np.zeros((40, 8, 8, 1), "uint8"), np.linspace(0, 1, 40)))
    assert kexp.code_scores(Answers(), data) == {}
