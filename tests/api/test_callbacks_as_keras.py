"""Callbacks are called, and obeyed, as in Keras's own `fit`."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import TrainingDiverged


class Events(keras.callbacks.Callback):
    """Writes down which events came, with the numbers of their batches."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.seen, self.stop_at = [], stop_at

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(("train begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("train end", batch))
        if batch == self.stop_at:
            self.model.stop_training = True

    def on_test_batch_begin(self, batch, logs=None):
        self.seen.append(("test begin", batch))

    def on_test_batch_end(self, batch, logs=None):
        self.seen.append(("test end", batch, sorted(logs)))


def model(**compiled):
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile(**{"optimizer": "sgd", "loss": "mse", "metrics": ["mae"], **compiled})
    return made


def data(samples=20):
    rows = np.random.default_rng(0).normal(size=(samples, 3)).astype("float32")
    return rows, rows.sum(axis=1, keepdims=True)


def both(run_dir, make_callbacks, compiled=None, x=None, **options):
    """Return models and callbacks after Keras's `fit` and after kexp's."""
    compiled, x = compiled or {}, x or data()
    first, second = model(**compiled), model(**compiled)
    callbacks = make_callbacks(), make_callbacks()
    first.fit(*x, callbacks=callbacks[0], shuffle=False, verbose=0, **options)
    kexp.fit(second, *x, callbacks=callbacks[1], shuffle=False, quiet=True, run_dir=str(run_dir), **options)
    return (first, second), callbacks


@pytest.mark.parametrize("steps_per_execution", [1, 2, 10])
def test_they_hear_of_the_same_batches(tmp_path, steps_per_execution):
    compiled = {"steps_per_execution": steps_per_execution}
    options = {"epochs": 2, "batch_size": 4, "validation_data": data(8), "x": data(18)}
    _, callbacks = both(tmp_path / "run", lambda: [Events()], compiled, **options)
    ours = [event for event in callbacks[1][0].seen if "train" in event[0]]
    assert ours == [event for event in callbacks[0][0].seen if "train" in event[0]]
    validated = [event for event in callbacks[1][0].seen if "test" in event[0]]
    assert validated[:2] == [("test begin", 0), ("test end", 0, ["loss", "mae"])]
    assert len(validated) == 2 * 2 * 2


def test_one_that_stops_the_training_is_obeyed_at_that_batch(tmp_path):
    models, callbacks = both(tmp_path / "run", lambda: [Events(stop_at=2)], epochs=3, batch_size=4)
    assert callbacks[0][0].seen == callbacks[1][0].seen
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def bad_data():
    rows, targets = data()
    targets[5] = np.inf
    return rows, targets


def test_terminate_on_nan_ends_the_run_as_it_ends_keras(tmp_path):
    histories = lambda: [keras.callbacks.TerminateOnNaN(), keras.callbacks.History()]  # noqa: E731
    _, callbacks = both(tmp_path / "run", histories, x=bad_data(), epochs=3, batch_size=4)
    losses = [one[1].history["loss"] for one in callbacks]
    assert len(losses[0]) == len(losses[1]) == 1
    assert not np.isfinite(losses[1][0])
    assert kexp.load(tmp_path / "run").epochs == 1
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 1"):
        kexp.fit(
            model(),
            *bad_data(),
            callbacks=[keras.callbacks.TerminateOnNaN(raise_error=True)],
            shuffle=False,
            batch_size=4,
            quiet=True,
            run_dir=str(tmp_path / "other"),
        )


def test_without_it_such_a_loss_is_an_error_that_names_the_samples(tmp_path):
    with pytest.raises(TrainingDiverged, match="sample 5 are not finite"):
        kexp.fit(model(), *bad_data(), batch_size=4, shuffle=False, quiet=True, run_dir=str(tmp_path / "run"))


class Interruption(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise Interruption


def test_backup_and_restore_goes_on_with_the_epoch_that_it_has(tmp_path):
    def fit(fit_model, place, callbacks):
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / place / "backup"))
        kexp.fit(
            fit_model,
            *data(),
            epochs=4,
            callbacks=[backup, *callbacks],
            quiet=True,
            run_dir=str(tmp_path / place / f"run-{len(callbacks)}"),
        )

    history = keras.callbacks.History()
    with pytest.raises(Interruption):
        fit(model(), "interrupted", [Interrupt()])
    again = model()
    fit(again, "interrupted", [history, keras.callbacks.Callback()])
    assert history.epoch == [2, 3]


def test_a_batch_that_is_larger_than_the_data_is_the_data(tmp_path):
    models, _ = both(tmp_path / "run", list, epochs=2, batch_size=64)
    np.testing.assert_allclose(models[0].get_weights()[0], models[1].get_weights()[0], rtol=1e-6)


def test_the_end_of_training_comes_with_the_metrics_of_the_last_epoch(tmp_path):
    class Ends(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.logs = dict(logs)

    _, callbacks = both(tmp_path / "run", lambda: [Ends()], epochs=2, batch_size=4, validation_data=data(8))
    expected, found = (one[0].logs for one in callbacks)
    assert found == pytest.approx(expected, rel=1e-5)
    assert set(found) == {"loss", "mae", "val_loss", "val_mae"}


def test_a_metric_of_one_number_in_an_array_goes_by_its_own_name(tmp_path):
    def callbacks():
        return [keras.callbacks.EarlyStopping("val_f1_score", patience=1), keras.callbacks.History()]

    targets = (data()[1] > 0).astype("float32")
    compiled = {"loss": "binary_crossentropy", "metrics": [keras.metrics.F1Score(threshold=0.5)]}
    given = {"epochs": 3, "batch_size": 4, "validation_data": (data()[0], targets)}
    _, (expected, found) = both(tmp_path / "run", callbacks, compiled, (data()[0], targets), **given)
    ours, keras_own = found[1].history["val_f1_score"], expected[1].history["val_f1_score"]
    np.testing.assert_allclose(np.ravel(ours), np.ravel(keras_own), rtol=1e-6)
    assert found[0].stopped_epoch == expected[0].stopped_epoch


class Falling(keras.layers.Layer):
    """Adds a loss that falls below zero."""

    def call(self, inputs):
        self.add_loss(10 * keras.ops.sum(inputs))
        return inputs


@pytest.mark.filterwarnings("ignore:No gradient reaches")
def test_a_loss_below_zero_is_no_spike(tmp_path):
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), Falling(), keras.layers.Dense(1)])
    made.compile("adam")
    result = kexp.fit(made, data()[0], data()[1], batch_size=4, epochs=3, quiet=True, run_dir=str(tmp_path))
    assert result.history["loss"][-1] < result.history["loss"][0] < 1e3


class Judged(keras.Model):
    """Keeps what its `compute_loss` was told of training."""

    def __init__(self):
        super().__init__()
        self.dense, self.told = keras.layers.Dense(1), set()

    def call(self, inputs):
        return self.dense(inputs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if hasattr(x, "numpy"):  # not where Keras finds out shapes
            self.told.add(training)
        return super().compute_loss(x, y, y_pred, sample_weight, training)


def test_a_loss_of_ones_own_is_told_of_training_where_there_is_nothing_else(tmp_path):
    judged = Judged()
    judged.compile("sgd", "mse")
    kexp.fit(judged, *data(), epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    assert judged.told == {True}


def test_limits_that_are_set_in_keras_hold_and_are_said(tmp_path, capsys):
    keras.config.set_max_epochs(2)
    keras.config.set_max_steps_per_epoch(3)
    try:
        events = Events()
        kexp.fit(model(), *data(), epochs=4, batch_size=4, callbacks=[events], run_dir=str(tmp_path / "run"))
    finally:
        keras.config.set_max_epochs(None)
        keras.config.set_max_steps_per_epoch(None)
    # The second epoch has what the first one left of the five batches.
    assert [batch for event, batch in events.seen if event == "train end"] == [0, 1, 2, 0, 1]
    said = capsys.readouterr().out
    assert "epochs is 4, and Keras is set to at most 2." in said
    assert "Keras is set to at most 3 steps of an epoch." in said
    assert "after every 1 epochs of 3 there is one of the 2 that are left" in said
