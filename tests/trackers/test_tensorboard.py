"""Trackers are found by being there, and are told of a run as it goes."""

import pytest

import kexp
from kexp import recipes
from kexp.core.errors import TrainingDiverged
from kexp.run.context import capture_training
from kexp.run.fit_plan import FitPlan
from kexp.run.training_run import train_run
from kexp.trackers import active_trackers


class Diary:
    """Notes down what it is told."""

    name = "diary"

    def __init__(self):
        self.notes = []

    def started(self, run, history):
        self.notes.append(("started", run.name, run.config["recipe"], len(history)))

    def epoch(self, number, metrics):
        self.notes.append(("epoch", number, sorted(metrics)[0]))

    def finished(self, metrics):
        self.notes.append(("finished", "test_loss" in metrics))

    def failed(self, error):
        self.notes.append(("failed", type(error)))


def train(diary, folder, **options):
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="uint8")
    plan = FitPlan(model, kexp.data.load("digits"))
    return train_run(
        plan, {"epochs": 2, "quiet": True, "run_dir": str(folder), **options}, lambda track: [diary]
    )


def test_a_tracker_is_told_of_the_start_of_each_epoch_and_of_the_end(tmp_path):
    train(diary := Diary(), tmp_path / "run")
    epochs = [("epoch", 1, "accuracy"), ("epoch", 2, "accuracy")]
    assert diary.notes == [("started", "run", "fit", 0), *epochs, ("finished", True)]


def test_a_tracker_is_told_why_a_run_failed(tmp_path):
    with pytest.raises(TrainingDiverged):
        train(diary := Diary(), tmp_path / "run", optimizer="sgd", learning_rate=10.0, spike=1.1)
    assert diary.notes[-1] == ("failed", TrainingDiverged)


def test_a_captured_run_tells_no_tracker(tmp_path):
    diary = Diary()
    capture_training(lambda setup: setup, lambda **options: train(diary, tmp_path / "run", **options))
    assert diary.notes == []


def test_no_tracker_is_active_by_default(monkeypatch):
    monkeypatch.delenv("KEXP_TENSORBOARD_DIR", raising=False)
    assert active_trackers() == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_the_metrics_of_each_epoch_and_the_final_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_TENSORBOARD_DIR", str(tmp_path / "boards"))
    result = recipes.mlp_images(
        data="digits", hidden=(16,), epochs=2, quiet=True, run_dir=str(tmp_path / "runs" / "first")
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(tmp_path / "boards" / "first")).Reload()
    curve = [
        (event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors("loss/validation")
    ]
    assert curve == [
        (number + 1, pytest.approx(loss)) for number, loss in enumerate(result.history["val_loss"])
    ]
    (final,) = events.Tensors("final/test_accuracy")
    assert float(make_ndarray(final.tensor_proto)) == pytest.approx(result.metrics["test_accuracy"])
    assert b"hidden [16]" in make_ndarray(events.Tensors("arguments")[0].tensor_proto).item()
