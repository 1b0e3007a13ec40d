"""The loop computes what a hand-written loop computes, and goes on exactly where it was cut off."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.data.order import epoch_order
from tests.train.iris_runs import BATCH, Cut, CutAfter, assert_same, build, train, weights


def test_weights_and_loss_equal_those_of_a_hand_written_loop(tmp_path):
    data = kexp.data.load("iris", validation=0)
    result = train(data, tmp_path / "run", epochs=3, optimizer="momentum")
    preprocessing, model = build(data)
    columns = {name: tf.constant(column) for name, column in data.train.inputs.items()}
    inputs, targets = preprocessing(columns).numpy(), data.train.targets
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    measure = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    epoch_losses = []
    for epoch in range(3):
        order, losses = epoch_order(len(targets), 3, epoch), []
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            with tf.GradientTape() as tape:
                loss = measure(targets[rows], model(inputs[rows], training=True))
            gradients = tape.gradient(loss, model.trainable_weights)
            optimizer.apply(gradients, model.trainable_weights)
            losses += [float(loss)] * len(rows)  # the last batch is smaller and counts for less
        epoch_losses.append(np.mean(losses))
    for one, other in zip(result.model.trainable_weights, model.trainable_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert result.history["loss"] == pytest.approx(epoch_losses, abs=1e-5)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(iris, tmp_path):
    first, again, other = (
        train(iris, tmp_path / name, dropout=0.3, seed=seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first.history == again.history
    assert_same(weights(first), weights(again))
    assert first.history != other.history


INTERRUPTIBLE = {"dropout": 0.3, "checkpoint_every": "1 steps", "early_stop": 3}


@pytest.fixture(scope="module")
def left_alone(iris, tmp_path_factory):
    return train(iris, tmp_path_factory.mktemp("alone") / "run", **INTERRUPTIBLE)


@pytest.mark.parametrize("batches", [0, 3, 4])
def test_a_run_cut_off_anywhere_ends_as_if_it_had_been_left_alone(iris, left_alone, tmp_path, batches):
    with pytest.raises(Cut):
        train(iris, tmp_path / "cut", callbacks=[CutAfter(batches)], **INTERRUPTIBLE)
    continued = train(iris, tmp_path / "cut", **INTERRUPTIBLE)
    assert continued.history == left_alone.history
    assert continued.metrics == left_alone.metrics
    assert_same(weights(continued), weights(left_alone))
    lines = [(run / "metrics.jsonl").read_text() for run in (continued.run_dir, left_alone.run_dir)]
    assert lines[0] == lines[1]


def test_the_weights_of_the_best_epoch_are_kept(iris, tmp_path):
    # At this learning rate the figures go up and down, so that the last epoch is not the best one.
    result = train(iris, tmp_path / "run", epochs=12, learning_rate=0.9)
    history = result.history["val_accuracy"]
    assert max(history) > history[-1]
    assert result.metrics["val_accuracy"] == max(history)
    columns = iris.validation.inputs
    answers = result.model({name: tf.constant(column) for name, column in columns.items()})
    measured = np.mean(np.argmax(answers, axis=-1) == iris.validation.targets)
    assert measured == pytest.approx(max(history))


def test_an_epoch_whose_figures_are_not_numbers_is_never_the_best_one(tmp_path):
    data = kexp.data.load("digits")
    blind = keras.Variable(True, trainable=False, dtype="bool")

    @keras.saving.register_keras_serializable(package="tests")
    class BlindAtFirst(keras.layers.Layer):
        def call(self, logits, training=False):
            return logits if training else keras.ops.where(blind, np.nan, logits)

    class See(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            blind.assign(False)

    core = kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="uint8")
    model = keras.Model(core.inputs, BlindAtFirst()(core.outputs[0]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    options = {"epochs": 2, "quiet": True, "run_dir": str(tmp_path / "run")}
    result = kexp.fit(model, data, loss=loss, callbacks=[See()], **options)
    assert np.isnan(result.history["val_loss"][0])
    assert result.metrics["val_loss"] == result.history["val_loss"][1]


def test_training_stops_early_when_validation_gets_no_better(iris, tmp_path):
    result = train(iris, tmp_path / "run", epochs=200, learning_rate=0.1, early_stop=4)
    figures = zip(result.history["val_accuracy"], result.history["val_loss"], strict=True)
    ranks = [(accuracy, -loss) for accuracy, loss in figures]  # the lower loss decides a tie
    assert len(ranks) == ranks.index(max(ranks)) + 1 + 4
    assert len(ranks) < 200


def test_a_keras_callback_sees_every_batch_and_epoch_and_can_stop_the_run(iris, tmp_path):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            seen.append(sorted(logs))
            self.model.stop_training = epoch == 1

    result = train(iris, tmp_path / "run", callbacks=[Watch()])
    epoch = [
        (0, ["accuracy", "loss"]),
        (1, ["accuracy", "loss"]),
        ["accuracy", "loss", "val_accuracy", "val_loss"],
    ]
    assert seen == epoch * 2
    assert len(result.history["loss"]) == 2


def test_keras_own_early_stopping_and_learning_rate_scheduler_work(iris, tmp_path):
    rates = []
    callbacks = [
        keras.callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=2),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(logs["learning_rate"])),
    ]
    train(iris, tmp_path / "run", callbacks=callbacks, epochs=10)
    assert rates == pytest.approx([0.025, 0.0125, 0.00625])


def test_a_metric_that_makes_its_variables_late_is_measured(iris, tmp_path):
    preprocessing, model = build(iris)
    result = kexp.fit(
        model,
        iris,
        preprocessing=preprocessing,
        metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")],
        epochs=2,
        batch_size=BATCH,
        quiet=True,
        run_dir=str(tmp_path / "run"),
    )
    assert 0.0 < result.metrics["test_top_2"] <= 1.0


def test_weight_decay_shrinks_kernels_and_leaves_biases_alone(iris, tmp_path):
    plain, decayed = (
        train(iris, tmp_path / name, epochs=1, optimizer="sgd", learning_rate=1e-3, weight_decay=decay)
        for name, decay in (("plain", 0.0), ("decayed", 1.0))
    )
    steps = -(-len(iris.train) // BATCH)
    for without, weight in zip(plain.model.trainable_weights, decayed.model.trainable_weights, strict=True):
        kept = (1 - 1e-3) ** steps if len(weight.shape) == 2 else 1.0
        np.testing.assert_allclose(weight.numpy(), kept * without.numpy(), atol=2e-6)
