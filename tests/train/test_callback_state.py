"""A run that is cut off goes on with its callbacks as they were, Keras's own and a user's."""

import keras
import numpy as np
import pytest

from kexp.core.errors import InputError
from tests.train.iris_runs import Cut, CutAfter, assert_same, train, weights

OPTIONS = {"epochs": 6, "checkpoint_every": "1 steps", "dropout": 0.2, "learning_rate": 0.3}


class HalveRate(keras.callbacks.Callback):
    """Halves the learning rate every seventh batch, and keeps its count in the checkpoint."""

    def on_train_begin(self, logs=None):
        self.batches = 0
        self.seen = np.zeros(2, "int64")

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1
        self.seen[self.batches % 2] += 1
        if self.batches % 7 == 0:
            self.model.optimizer.learning_rate.assign(self.model.optimizer.learning_rate / 2)

    def get_state(self):
        return {"batches": self.batches, "seen": self.seen}

    def set_state(self, state):
        self.batches, self.seen = state["batches"], np.array(state["seen"])


def keras_own(folder):
    return [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.02),
        keras.callbacks.EarlyStopping("val_loss", patience=3, min_delta=0.01, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(folder / "best.keras", monitor="val_accuracy", save_best_only=True),
    ]


def both(iris, folder, callbacks, cut_after, **options):
    """Return the run left alone and the one that was cut off, and the callbacks of both at their end."""
    first, again = callbacks(), callbacks()
    alone = train(iris, folder / "alone", callbacks=first, **OPTIONS, **options)
    with pytest.raises(Cut):
        train(iris, folder / "cut", callbacks=[*callbacks(), CutAfter(cut_after)], **OPTIONS, **options)
    continued = train(iris, folder / "cut", callbacks=again, **OPTIONS, **options)
    return alone, continued, list(zip(first, again, strict=True))


@pytest.mark.parametrize("cut_after", [pytest.param(2, marks=pytest.mark.slow), 9])
def test_early_stopping_plateau_scheduler_and_checkpoint_of_keras_go_on_where_they_were(
    iris, tmp_path, cut_after
):
    alone, continued, callbacks = both(iris, tmp_path, lambda: keras_own(tmp_path), cut_after)
    _, (plateau, plateau_again), (stopping, stopping_again), _ = callbacks
    assert (plateau.best, plateau.wait) == (plateau_again.best, plateau_again.wait)
    assert (stopping.best, stopping.wait) == (stopping_again.best, stopping_again.wait)
    assert_same(stopping.best_weights, stopping_again.best_weights)
    assert continued.history == alone.history
    assert_same(weights(continued), weights(alone))


def test_a_callback_with_the_two_methods_goes_on_where_it_was(iris, tmp_path):
    alone, continued, [(_, callback)] = both(iris, tmp_path, lambda: [HalveRate()], 9)
    assert continued.history == alone.history
    assert_same(weights(continued), weights(alone))
    assert callback.batches == 2 * 6  # its count goes over both processes
    assert callback.seen.sum() == 2 * 6


def test_a_continued_run_without_one_of_its_callbacks_is_refused(iris, tmp_path):
    with pytest.raises(Cut):
        train(iris, tmp_path / "cut", callbacks=[HalveRate(), CutAfter(4)], **OPTIONS)
    with pytest.raises(
        InputError, match="callbacks must be those of the interrupted run, which had HalveRate"
    ):
        train(iris, tmp_path / "cut", **OPTIONS)


def test_a_state_that_no_file_can_hold_is_refused_by_name(iris, tmp_path):
    class Keeps(HalveRate):
        def get_state(self):
            return {"model": self.model}

    with pytest.raises(InputError, match=r"get_state of a callback must return numbers.*Keeps/model is"):
        train(iris, tmp_path / "run", callbacks=[Keeps()], **OPTIONS)


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "plateau", "early_stop": 6, "ema": 0.8, "accumulate": 2, "clip_value": 0.01},
        {"swa": 0.4, "schedule": "one_cycle", "optimizer": "momentum", "normalization": "batch"},
        pytest.param(
            {"precision": "float16", "warmup": 0.2, "schedule": "plateau", "ema": 0.9}, marks=pytest.mark.slow
        ),
    ],
    ids=["plateau ema accumulate", "swa one cycle", "float16"],
)
def test_averages_plateau_accumulation_and_loss_scaling_go_on_where_they_were(iris, tmp_path, options):
    alone, continued, _ = both(iris, tmp_path, list, 11, **{"batch_size": 20, **options})
    assert continued.history == alone.history
    assert continued.metrics == alone.metrics
    assert_same(weights(continued), weights(alone))
