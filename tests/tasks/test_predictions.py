"""What an autoencoder answers, and what a model that makes samples does not."""

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.tasks.predictions import Predictions

SPEC = DatasetSpec("image", (8, 8, 1), "uint8", "reconstruction", 10)


def outputs(code=(5,)):
    random = np.random.default_rng(0)
    shapes = {"reconstruction": (3, 8, 8, 1), "code": (3, *code), "anomaly_score": (3,)}
    return {name: random.random(shape) for name, shape in shapes.items()}


def test_reconstructions_codes_and_scores_are_taken_by_name():
    given = outputs()
    answer = Predictions.from_outputs(given, SPEC)
    assert len(answer) == 3
    assert answer.named().keys() == given.keys()
    for name, array in answer.named().items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, given[name], rtol=1e-6)
    again = Predictions.from_named(answer.named())
    assert again.codes is answer.codes
    assert again.reconstructions is answer.reconstructions


@pytest.mark.parametrize("wrong", [np.zeros((3, 10)), {"reconstruction": np.zeros((3, 8, 8, 1))}])
def test_answers_that_are_not_an_autoencoders_are_refused(wrong):
    with pytest.raises(InputError, match=r'outputs must be a mapping with "reconstruction".*Reconstructor'):
        Predictions.from_outputs(wrong, SPEC)


def test_a_frame_has_the_score_and_the_numbers_of_the_code():
    given = outputs(code=(2, 2))
    frame = Predictions.from_outputs(given, SPEC).to_frame(SPEC)
    assert frame.columns.tolist() == ["anomaly_score", "code_0", "code_1", "code_2", "code_3"]
    np.testing.assert_allclose(frame["code_2"], given["code"][:, 1, 0], rtol=1e-6)


def test_a_frame_leaves_out_a_code_that_is_too_long_to_be_read():
    frame = Predictions.from_outputs(outputs(code=(5, 13)), SPEC).to_frame(SPEC)
    assert frame.columns.tolist() == ["anomaly_score"]
    assert len(Predictions.from_outputs(outputs(code=(64,)), SPEC).to_frame(SPEC).columns) == 65


def test_a_model_that_makes_samples_answers_nothing():
    spec = DatasetSpec("image", (8, 8, 1), "uint8", "generation", 10)
    with pytest.raises(InputError, match=r"predict takes inputs.*use sample\."):
        Predictions.from_outputs(np.zeros((3, 10)), spec)
