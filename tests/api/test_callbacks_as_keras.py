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
