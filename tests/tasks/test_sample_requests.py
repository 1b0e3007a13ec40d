"""Results of models that make samples draw them, and answer nothing else; other results draw nothing."""

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.run.sampleable_classes import sampleable_classes
from tests import answering


@pytest.fixture(scope="module")
def runs(digits_run, tmp_path_factory):
    return answering.runs_in(tmp_path_factory.mktemp("runs"), digits_run)


def test_images_are_drawn_again_by_their_seed(runs):
    images = runs["gan"].sample(5, seed=3)
    assert (images.dtype, images.shape) == (np.uint8, (5, 8, 8, 1))
    assert images.std() > 1
    np.testing.assert_array_equal(images, runs["gan"].sample(5, seed=3))
    assert (images != runs["gan"].sample(5, seed=4)).any()


def test_classes_are_drawn_by_name_or_index(runs):
    named = runs["classes"].sample(3, labels=["7", "0", "7"])
    np.testing.assert_array_equal(named, runs["classes"].sample(3, labels=[7, 0, 7]))
    assert (named != runs["classes"].sample(3, labels=[7, 0, 6])).any()


def test_a_variational_autoencoder_draws_images_like_those_of_the_data(runs):
    images = runs["vae"].sample(4, seed=1)
    assert (images.dtype, images.shape) == (np.uint8, (4, 8, 8, 1))
    shares = np.asarray(runs["vae"].model.sample(4, 1))
    np.testing.assert_array_equal(images, np.round(255 * shares).astype("uint8"))
    with pytest.raises(InputError, match="labels must be left out"):
        runs["vae"].sample(1, labels=["3"])


def test_results_that_make_no_samples_say_so(runs, digits_run):
    for result in (runs["autoencoder"], kexp.load(digits_run)):
        with pytest.raises(InputError, match=r"sample draws from models that make samples.*use predict\."):
            result.sample(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be a whole number, 1 or more; received 0"),
        ({"n": 1, "seed": -1}, "seed must be a whole number, 0 or more; received -1"),
        ({"n": 2, "labels": ["3"]}, "labels must be 2, one for each sample; received 1"),
        ({"n": 1, "labels": ["eleven"]}, "labels must be names of classes, 0, 1, .*'eleven'"),
        ({"n": 1, "labels": [10]}, "labels must be names of classes"),
        ({"n": 1, "labels": [True]}, "labels must be names of classes"),
    ],
)
def test_what_cannot_be_drawn_is_named(runs, arguments, message):
    with pytest.raises(InputError, match=message):
        runs["classes"].sample(**arguments)


def test_a_generative_run_neither_predicts_nor_evaluates(runs):
    images = np.zeros((2, 8, 8), "uint8")
    with pytest.raises(InputError, match=r"predict takes inputs.*use sample\."):
        runs["gan"].predict(images)
    with pytest.raises(InputError, match="evaluate compares predictions with targets, of which generation"):
        runs["gan"].evaluate("digits")


def test_an_autoencoder_answers_with_all_that_it_has_and_is_not_evaluated(runs):
    images = kexp.data.load("digits").test.inputs[:7]
    answer = runs["autoencoder"].predict(images, batch_size=3)
    assert answer.reconstructions.shape == (7, 8, 8, 1)
    assert answer.codes.shape == (7, 5)
    reconstruction_error = np.mean((answer.reconstructions - images / 255) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(answer.anomaly_scores, reconstruction_error, rtol=1e-5)
    with pytest.raises(InputError, match="of which reconstruction has none"):
        runs["autoencoder"].evaluate("digits")


def test_what_can_be_drawn_is_read_off_the_file(runs, digits_run, tmp_path):
    found = {name: sampleable_classes(run.run_dir / "model.keras", run.spec) for name, run in runs.items()}
    assert found == {"gan": (), "classes": answering.CLASSES, "vae": (), "autoencoder": None}
    assert sampleable_classes(digits_run / "model.keras", kexp.load(digits_run).spec) is None
    (tmp_path / "model.keras").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"model.keras: .*train the run again"):
        sampleable_classes(tmp_path / "model.keras", runs["gan"].spec)
