"""Members of a TabM differ, learn apart from one another, and answer together by their mean."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from tests.models.checks import assert_saving_keeps_the_answers

LAYOUT = kexp.models.ColumnLayout(edges=((-1.0, 0.0, 2.0), (0.0, 1.0), ()), plain=2, categories=(12, 30))
ROWS = np.array([[0.5, 0.2, 1.0, 1.0, 0.0, 11.0, 29.0], [-3.0, 4.0, 0.0, 0.0, 1.0, 0.0, 5.0]], "float32")


def network(outputs=3, mean_of="classes", **options):
    return kexp.models.tabm(LAYOUT, outputs, members=4, hidden=(8, 8), mean_of=mean_of, **options)


def members_of(model):
    return keras.Model(model.input, model.layers[-1].input)


def test_every_member_answers_otherwise_and_saving_keeps_the_answers(tmp_path):
    model = network()
    members = members_of(model)(ROWS)
    assert members.shape == (2, 4, 3)
    assert len(np.unique(np.asarray(members)[0].round(6), axis=0)) == 4
    assert_saving_keeps_the_answers(model, ROWS, tmp_path)


@pytest.mark.parametrize("mean_of", ["values", "classes", "labels"])
def test_the_answer_is_the_mean_of_the_members_numbers_or_probabilities(mean_of):
    model = network(mean_of=mean_of)
    members, answer = np.asarray(members_of(model)(ROWS), "float64"), np.asarray(model(ROWS), "float64")
    if mean_of == "values":
        expected, found = members.mean(axis=1), answer
    elif mean_of == "classes":
        shares = np.exp(members) / np.exp(members).sum(axis=-1, keepdims=True)
        expected, found = shares.mean(axis=1), np.exp(answer)  # their logarithms, so that they add up to 1
    else:
        expected, found = (1 / (1 + np.exp(-members))).mean(axis=1), 1 / (1 + np.exp(-answer))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_scales_of_a_member_learn_from_its_own_outputs_alone():
    model = network(dropout=0.0)
    own = [weight for weight in model.trainable_weights if weight.shape[0] == 4 and "scale" in weight.path]
    assert len(own) == 4  # of the inputs, of two layers' outputs, and between them
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(members_of(model)(ROWS, training=True)[:, 1]))
    for weight, gradient in zip(own, tape.gradient(loss, own), strict=True):
        moved = np.abs(np.asarray(gradient)).sum(axis=tuple(range(1, len(weight.shape)))) > 0
        assert moved.tolist() == [False, True, False, False], weight.path


def test_a_training_step_minimises_the_mean_of_the_losses_and_validation_that_of_the_mean():
    data = kexp.data.load("iris")
    preprocessing, layout = kexp.models.robust_preprocessing(data.train.inputs, data.spec.columns)
    model = kexp.models.tabm(layout, 3, members=4, hidden=(8,), dropout=0.0, mean_of="classes")
    objective = kexp.objectives.ensemble(data.spec)
    inputs, targets = preprocessing(dict(data.train.inputs)), np.asarray(data.train.targets)
    members = np.asarray(members_of(model)(inputs), "float64")
    shares = np.exp(members) / np.exp(members).sum(axis=-1, keepdims=True)
    own = shares[np.arange(len(targets)), :, targets]  # (samples, members)

    class Step:
        training = True

    found = objective.losses("model", model, inputs, targets, Step())
    np.testing.assert_allclose(found.total, -np.log(own).mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(np.exp(found.outputs), shares.mean(axis=1), atol=1e-5)
    Step.training = False
    found = objective.losses("model", model, inputs, targets, Step())
    np.testing.assert_allclose(found.total, -np.log(own.mean(axis=1)), atol=1e-5)


def test_a_model_without_members_is_refused():
    data = kexp.data.load("iris")
    with pytest.raises(kexp.InputError, match=r"MemberMean layer with 3 outputs for iris.*ends in Dense"):
        kexp.fit(kexp.models.mlp((4,), 3), data, objective=kexp.objectives.ensemble(data.spec))


@pytest.mark.slow
def test_the_recipe_learns_a_table_and_smooths_labels(tmp_path):
    options = {"hidden": (16,), "members": 4, "batch_size": 32, "epochs": 30, "quiet": True, "compare": False}
    result = kexp.recipes.tabular(
        "iris", **options, label_smoothing=0.1, class_weight="balanced", run_dir=str(tmp_path / "run")
    )
    assert result.metrics["test_accuracy"] >= 0.9
