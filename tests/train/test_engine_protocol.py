"""The loop drives any engine: here one without tensors, whose model is a list of numbers."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest

from kexp.core.options import complete
from kexp.engine.base import OutOfMemory, Player, StepFailure
from kexp.train.epoch_plan import EpochPlan
from kexp.train.loop import Loop

ROOT = Path(__file__).resolve().parents[2]


class Model:
    stop_training = False

    def __init__(self):
        self.weight = np.zeros(())

    def get_weights(self):
        return [self.weight]

    def set_weights(self, weights):
        (self.weight,) = weights


class Alone:
    count = 1
    is_chief = True

    def broadcast(self, content):
        return content


class Rows:
    def order(self, order, batch_size, *seed):
        return order

    def ready(self, steps, step):
        return steps

    def skip(self, samples):
        pass

    def not_finite(self, rows):
        return []


class Sums:
    """Counts the samples that it has seen; its validation loss is lowest after two epochs of eight."""

    validates = True
    phases = 1

    def __init__(self, largest=100, bad=None):
        self.model, self.workers, self.batch_source = Model(), Alone(), Rows()
        self.players, self.optimizers = (Player("model", self.model),), (keras.optimizers.SGD(0.1),)
        self.largest, self.bad = largest, bad

    def begin_phase(self, number):
        assert number == 0

    def run(self, rows, batch_size):
        if batch_size > self.largest:
            raise OutOfMemory("too large")
        for number, row in enumerate(rows):
            if self.bad in row:
                return StepFailure(number, float("nan"), float("nan"))
            self.model.weight = self.model.weight + len(row)
        return None

    def validate(self, batch_size):
        return {"loss": abs(float(self.model.weight) - 16.0)}

    def read_metrics(self):
        return {"loss": float(self.model.weight)}

    def reset_metrics(self):
        pass

    def read_state(self):
        return {"model/0": np.asarray(self.model.weight)}

    def snapshot(self):
        state = self.read_state()
        return lambda: state

    def restore_state(self, state):
        self.model.weight = state["model/0"]


class LeastLoss:
    monitor = "val_loss"
    mode = "min"


def loop_of(engine, folder, **options):
    given = complete({"epochs": 3, "quiet": True, **options})
    folder.mkdir(exist_ok=True)
    return Loop(engine, LeastLoss(), EpochPlan(8, 4), given, 4, folder)


def test_the_loop_trains_an_engine_of_another_kind_and_keeps_its_best_weights(tmp_path):
    loop = loop_of(engine := Sums(), tmp_path)
    loop.run()
    assert [epoch["val_loss"] for epoch in loop.position.history] == [8.0, 0.0, 8.0]
    assert (loop.position.best_epoch, float(engine.model.weight)) == (2, 16.0)


def test_an_interrupted_run_goes_on_from_the_state_of_the_engine(tmp_path):
    loop_of(Sums(), tmp_path, epochs=1).run()
    loop = loop_of(Sums(), tmp_path)
    loop.run()
    assert [epoch["loss"] for epoch in loop.position.history] == [8.0, 16.0, 24.0]


def test_memory_that_runs_out_halves_the_batches_or_ends_the_run(tmp_path):
    loop = loop_of(Sums(largest=2), tmp_path / "auto", batch_size="auto")
    with pytest.warns(RuntimeWarning, match="batches now have 2 samples"):
        loop.run()
    assert loop.position.batch_size == 2
    with pytest.raises(MemoryError, match="too large"):
        loop_of(Sums(largest=2), tmp_path / "fixed").run()


def test_a_bad_step_is_left_out_after_going_back(tmp_path):
    loop = loop_of(engine := Sums(bad=3), tmp_path, epochs=1, on_nan="rollback")
    with pytest.warns(RuntimeWarning, match="half the learning rate"):
        loop.run()
    assert (float(engine.model.weight), len(loop.position.skipped)) == (4.0, 1)


@pytest.mark.parametrize("source", [*(ROOT / "kexp/run").rglob("*.py"), ROOT / "kexp/train/loop.py"], ids=str)
def test_tensorflow_is_imported_by_its_engine_alone(source):
    tree = ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    modules = [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
    assert not [module for module in modules if module.startswith(("tensorflow", "kexp.engine.tensorflow"))]
