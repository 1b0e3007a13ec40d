"""The epoch that is kept: by option, by EarlyStopping, or the last; and what is refused beforehand."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import kexp
from kexp.core.errors import InputError
from kexp.run.context import capture_training
from tests.train.iris_runs import BATCH, Cut, CutAfter, assert_same, build, train, weights

# At this learning rate metrics go up and down, so that the last epoch is not the best one.
UNSTEADY = {"epochs": 6, "learning_rate": 0.9}
STOPPED = {**UNSTEADY, "epochs": 40, "dropout": 0.2}  # before the last


@keras.saving.register_keras_serializable("tests")
class Wrong(keras.metrics.MeanMetricWrapper):
    """The share of wrong answers, by a name that says no direction."""

    def __init__(self, name="my_error", dtype=None):
        super().__init__(wrong, name=name, dtype=dtype)


def wrong(targets, logits):
    right = keras.ops.cast(targets, "int32") == keras.ops.cast(keras.ops.argmax(logits, -1), "int32")
    return 1.0 - keras.ops.cast(right, "float32")


@pytest.fixture(scope="module")
def by_auroc(iris, tmp_path_factory):
    return train(iris, tmp_path_factory.mktemp("auroc") / "run", monitor="val_auroc", **UNSTEADY)


@pytest.fixture(scope="module")
def stopping():
    return [keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)]


@pytest.fixture(scope="module")
def stopped(iris, stopping, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("stopped") / "run"
    return train(iris, run_dir, callbacks=stopping, **STOPPED)


def measured(result, data):
    shares = result.predict(data.validation.inputs).probabilities
    return sk.roc_auc_score(data.validation.targets, shares.astype("float64"), multi_class="ovr")


def test_an_exact_metric_chooses_the_epoch_and_stands_in_the_history(by_auroc, iris):
    history = by_auroc.history["val_auroc"]
    assert by_auroc.metrics["val_auroc"] == max(history) == history[by_auroc.best_epoch - 1]
    assert len({*history}) > 1
    assert measured(by_auroc, iris) == pytest.approx(max(history), abs=1e-6)
    assert "val_log_loss" not in by_auroc.history
    assert "val_log_loss" in by_auroc.metrics


def test_the_same_run_without_a_monitor_differs_in_the_choice_alone(by_auroc, iris, tmp_path):
    plain = train(iris, tmp_path / "run", **UNSTEADY)
    history = {name: values for name, values in by_auroc.history.items() if name != "val_auroc"}
    assert plain.history == history


def test_a_sign_says_the_direction_and_early_stop_goes_by_it(iris, tmp_path):
    preprocessing, model = build(iris)
    options = {"epochs": 30, "batch_size": BATCH, "learning_rate": 0.9, "seed": 3, "quiet": True}
    result = kexp.fit(
        model,
        iris,
        preprocessing=preprocessing,
        metrics=[Wrong()],
        monitor="-val_my_error",
        early_stop=2,
        run_dir=str(tmp_path / "run"),
        **options,
    )
    history = list(zip(result.history["val_my_error"], result.history["val_loss"], strict=True))
    assert result.best_epoch == history.index(min(history)) + 1
    assert len(history) == result.best_epoch + 2


@pytest.mark.slow
def test_without_validation_data_a_training_metric_chooses(tmp_path):
    data = kexp.data.load("iris", validation=0)
    result = train(data, tmp_path / "run", monitor="loss", **UNSTEADY)
    assert result.best_epoch == int(np.argmin(result.history["loss"])) + 1


def test_what_early_stopping_restores_stays(stopped, stopping):
    (callback,), losses = stopping, stopped.history["val_loss"]
    assert stopped.best_epoch == callback.best_epoch + 1 == int(np.argmin(losses)) + 1 < len(losses)
    assert stopped.metrics["val_loss"] == min(losses)
    assert_same(weights(stopped), callback.best_weights)
    assert stopped.metrics["val_log_loss"] == pytest.approx(min(losses), abs=1e-5)


def test_early_stopping_counts_epochs_from_the_one_that_the_run_begins_with(tmp_path):
    stopping = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 4)).astype("float32"), rng.integers(0, 2, 64)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(9.0), loss=loss)
    given = {"initial_epoch": 3, "epochs": 9, "quiet": True, "run_dir": str(tmp_path / "run")}
    result = kexp.fit(model, x, y, callbacks=[stopping], **given)
    losses = result.history["loss"]
    assert stopping.best_epoch == int(np.argmin(losses)) + 3
    assert result.best_epoch == int(np.argmin(losses)) + 1 <= len(losses) <= 6
    assert result.metrics["loss"] == min(losses)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [2, 9])
def test_a_run_with_early_stopping_goes_on_to_the_bit(stopped, iris, tmp_path, batches):
    options = {**STOPPED, "checkpoint_every": "1 steps"}

    def callbacks():
        return [keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)]

    with pytest.raises(Cut):
        train(iris, tmp_path / "run", callbacks=[*callbacks(), CutAfter(batches)], **options)
    continued = train(iris, tmp_path / "run", callbacks=callbacks(), **options)
    assert continued.history == stopped.history
    assert (continued.metrics, continued.best_epoch) == (stopped.metrics, stopped.best_epoch)
    assert_same(weights(continued), weights(stopped))


def test_callbacks_may_wait_for_an_exact_metric_or_one_of_another_callback(iris, tmp_path):
    class Gain(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["gain"] = epoch

    plateau = keras.callbacks.ReduceLROnPlateau("val_macro_f1", patience=9)
    stopping = keras.callbacks.EarlyStopping("gain", mode="min", patience=2)
    result = train(iris, tmp_path / "run", callbacks=[Gain(), plateau, stopping], epochs=6)
    assert (plateau.mode, plateau.best) == ("max", max(result.history["val_macro_f1"]))
    assert len(result.history["loss"]) == 3


def planned(model, data, **options):
    return capture_training(lambda setup: setup, kexp.fit, model, data, **options)


def waits(kind, **options):
    return [getattr(keras.callbacks, kind)(**options)]


RESTORES = {"restore_best_weights": True}
FILE = {"filepath": "best.keras", "save_best_only": True}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": "val_acuracy"}, r"monitor must be a metric of an epoch, val_loss.*mean 'val_accuracy'"),
        ({"monitor": "test_accuracy"}, "monitor must be a metric of an epoch"),
        ({"monitor": "auroc"}, r"received 'auroc' \(did you mean 'val_auroc'"),
        ({"monitor": "-"}, "monitor must be a metric of an epoch.*received ''"),
        (
            {"monitor": "val_my_error", "metrics": [Wrong()]},
            r"val_my_error is better is not known; give '\+val_",
        ),
        ({"monitor": "last", "early_stop": 3}, "early_stop needs a metric to go by"),
        (
            {"monitor": "val_accuracy", "callbacks": waits("EarlyStopping", **RESTORES)},
            r"monitor chooses the max of val_accuracy, and EarlyStopping.*the min of val_loss; leave one",
        ),
        (
            {"monitor": "+val_loss", "callbacks": waits("EarlyStopping", **RESTORES)},
            "monitor chooses the max of val_loss",
        ),
        (
            {"monitor": "last", "callbacks": waits("EarlyStopping", **RESTORES)},
            "monitor chooses the last epoch, and EarlyStopping",
        ),
        (
            {"ema": 0.9, "callbacks": waits("EarlyStopping", **RESTORES)},
            "ema validates averages",
        ),
        ({"callbacks": 2 * waits("EarlyStopping", **RESTORES)}, "callbacks must have one EarlyStopping that"),
        (
            {"callbacks": waits("EarlyStopping", monitor="val_acuracy")},
            r"EarlyStopping: monitor must be a metric of an epoch, .*mean 'val_accuracy'",
        ),
        (
            {"callbacks": waits("ModelCheckpoint", monitor="val_f1", **FILE)},
            "ModelCheckpoint: monitor must be a metric of an epoch",
        ),
        (
            {"callbacks": waits("ReduceLROnPlateau", monitor="val_my_error"), "metrics": [Wrong()]},
            "ReduceLROnPlateau: whether more or less of val_my_error is better is not known; give it mode",
        ),
    ],
)
def test_what_cannot_choose_an_epoch_is_one_sentence_before_training(iris, options, message):
    preprocessing, model = build(iris)
    with pytest.raises(InputError, match=message):
        planned(model, iris, preprocessing=preprocessing, **options)


INPUTS = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")


def one_class_in(part):
    parts = {"x_train": INPUTS, "y_train": np.arange(60) % 2}
    return kexp.data.load({**parts, f"x_{part}": INPUTS[:9], f"y_{part}": np.zeros(9, int)})


def one_unit():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def test_a_monitor_that_validation_data_cannot_have_is_refused(tmp_path):
    data = one_class_in("validation")
    with pytest.raises(InputError, match=r"val_auroc cannot be gone by.*not all classes are in it"):
        planned(one_unit(), data, monitor="val_auroc", batch_size=16)
    data = kexp.data.load((INPUTS, np.arange(60) % 2), validation=0)
    with pytest.raises(InputError, match="monitor 'val_loss' is of validation data, and there is none"):
        planned(one_unit(), data, monitor="val_loss", batch_size=16)


def test_the_last_epoch_is_kept_and_what_a_part_does_not_define_is_left_out(tmp_path, capsys):
    options = {"epochs": 2, "batch_size": 16, "run_dir": str(tmp_path / "run"), "learning_rate": 9.0}
    result = kexp.fit(one_unit(), one_class_in("test"), monitor="last", **options)
    assert result.best_epoch is None
    assert result.metrics["val_loss"] == result.history["val_loss"][-1]
    assert not {"test_auroc", "test_f1", "test_balanced_accuracy"} & result.metrics.keys()
    assert {"val_auroc", "test_log_loss", "test_brier"} <= result.metrics.keys()
    assert np.isfinite(list(result.metrics.values())).all()
    said = [line for line in capsys.readouterr().out.splitlines() if "test_auroc" in line]
    assert len(said) == 1
    assert said[0].endswith("test_f1, which the test part does not define: not all classes are in it.")
