"""The contrastive loss is that of the paper; equal texts are no negatives, and shares see the whole batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.engine.tensorflow.step_context import SeededStepContext

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype("uint8")
TOKENS = np.array([[4, 5], [5, 0], [4, 5], [6, 4], [6, 6]], "int32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    images = kexp.models.cnn((8, 8, 3), 6, filters=(4,))
    texts = kexp.models.transformer_encoder((None,), 6, width=8, depth=0, vocabulary=7)
    return kexp.models.DualEncoder(images, texts, temperature=0.5)


def cost(model, tokens=TOKENS):
    step = SeededStepContext(False, 0)
    losses = kexp.objectives.contrastive().losses(
        "model", model, tf.constant(IMAGES), tf.constant(tokens), step
    )
    return np.asarray(losses.total)


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_the_loss_is_the_mean_of_both_cross_entropies_of_the_paper(model):
    tokens = np.array([[4, 5], [5, 0], [5, 6], [6, 4], [6, 6]], "int32")  # all different
    cosines = np.asarray(model(IMAGES)) @ np.asarray(model.encode_tokens(tokens)).T
    rows, columns = -np.log(np.diag(softmax(cosines / 0.5))), -np.log(np.diag(softmax(cosines.T / 0.5)))
    np.testing.assert_allclose(cost(model, tokens), (rows + columns) / 2, rtol=1e-4)


def test_equal_texts_of_a_batch_are_no_wrong_answers_for_each_other(model):
    cosines = np.asarray(model(IMAGES)) @ np.asarray(model.encode_tokens(TOKENS)).T
    cosines[0, 2] = cosines[2, 0] = -1e9
    rows, columns = -np.log(np.diag(softmax(cosines / 0.5))), -np.log(np.diag(softmax(cosines.T / 0.5)))
    np.testing.assert_allclose(cost(model), (rows + columns) / 2, rtol=1e-4)


def test_similarities_are_never_scaled_by_more_than_100(model):
    before = float(model.log_scale)
    assert float(model.scale()) == pytest.approx(2.0)
    model.log_scale.assign(9.0)
    assert float(model.scale()) == pytest.approx(100.0)
    model.log_scale.assign(before)


def test_other_models_and_images_are_refused(model):
    data = kexp.data.load((IMAGES, list("abcde")), task="retrieval", test=0, validation=0)
    objective = kexp.objectives.contrastive()
    objective.check(model, data)
    with pytest.raises(InputError, match=r"must be a kexp\.models\.DualEncoder .* received 'cnn'"):
        objective.check(model.image_encoder, data)
    larger = kexp.data.load(
        (np.zeros((4, 9, 9, 3), "uint8"), list("abcd")), task="retrieval", test=0, validation=0
    )
    with pytest.raises(InputError, match=r"must take the images of .*, \(9, 9, 3\) each"):
        objective.check(model, larger)
    with pytest.raises(InputError, match=r"of one width; received \(None, 6\) and \(None, 5\)"):
        kexp.models.DualEncoder(model.image_encoder, kexp.models.mlp((3,), 5, hidden=(4,)))
