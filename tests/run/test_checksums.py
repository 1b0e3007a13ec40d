"""Checksums of steps: the same in equal runs, exact over a stop, and cheap."""

import json

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.run.checksums_file import ChecksumsFile, read_checksums
from kexp.train.step_checksums import PacedChecksums, next_step
from tests.api.small_fits import Cut

CALL = {"data": "iris", "hidden": (16,), "dropout": 0.2, "epochs": 4, "batch_size": 16, "quiet": True}


def test_a_run_that_was_stopped_has_the_checksums_of_one_left_alone(tmp_path):
    recipes.mlp_tabular(**CALL, run_dir=str(tmp_path / "alone"))
    stopped = {**CALL, "run_dir": str(tmp_path / "stopped"), "checkpoint_every": "5 steps"}
    with pytest.raises(SystemExit):
        recipes.mlp_tabular(**stopped, callbacks=[Cut(after=13)])
    # As if the process had come further than its last checkpoint, and been killed while it wrote.
    with open(tmp_path / "stopped/checksums.jsonl", "a") as file:
        line = {**next(iter(read_checksums(tmp_path / "alone").lines.values())), "step": 14}
        file.write(json.dumps(line) + '\n{"step": 1')
    recipes.mlp_tabular(**stopped)
    alone, again = (read_checksums(tmp_path / name) for name in ("alone", "stopped"))
    assert alone.layers == again.layers
    common = alone.lines.keys() & again.lines.keys()
    assert {0, 1, max(alone.lines)} <= common
    assert all(alone.lines[step] == again.lines[step] for step in common)
    assert kexp.diff(tmp_path / "alone", tmp_path / "stopped").same


def test_lines_after_the_step_that_a_run_goes_on_from_are_void(tmp_path):
    line = {"epoch": 1, "order": 0, "optimizer": 0, "random": 0, "loss": 0, "layers": []}
    file = ChecksumsFile(tmp_path, {"layers": []})
    file.begin(0)
    for step in (0, 1, 2, 5):
        file.add({"step": step, **line})
    ChecksumsFile(tmp_path, {"layers": ["other"]}).begin(2)
    found = read_checksums(tmp_path)
    assert (list(found.lines), found.layers) == ([0, 1, 2], ())


def test_a_damaged_file_is_one_sentence(tmp_path):
    (tmp_path / "checksums.jsonl").write_text('{"layers": []}\n{"step": "x"}\n')
    with pytest.raises(kexp.InputError, match="line 2"):
        read_checksums(tmp_path)


class Slow:
    """An engine whose checksums take a while, of a model without weights."""

    def __init__(self, clock, seconds):
        self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        self._clock, self._seconds = clock, seconds

    def checksums(self):
        self._clock[0] += self._seconds
        return {}


@pytest.mark.parametrize(("step_s", "cost_s"), [(0.001, 0.002), (0.1, 0.001), (0.5, 2.0)])
def test_they_take_less_than_a_hundredth_of_a_training(monkeypatch, step_s, cost_s):
    clock = [0.0]
    monkeypatch.setattr("kexp.train.step_checksums.time.perf_counter", lambda: clock[0])
    lines = []
    checksums = PacedChecksums(Slow(clock, cost_s), lines.append)
    checksums.begin(0)
    taken, seconds = 0, 10_000.0
    while clock[0] < seconds:
        count = min(100, checksums.steps_left(taken))
        taken, clock[0] = taken + count, clock[0] + count * step_s
        checksums.after(taken, 0, np.arange(4), last=False)
    assert checksums.spent_s <= 0.01 * seconds
    assert len(lines) > 10
    steps = [line["step"] for line in lines]
    assert steps == sorted(set(steps))
    assert steps[:2] == [0, 1]


def test_steps_are_multiples_that_runs_at_different_speeds_share():
    slow, fast, steps = [0], [0], 20_000
    while fast[-1] < steps:
        fast.append(next_step(fast[-1], 90))
    while slow[-1] < steps:
        slow.append(next_step(slow[-1], 700))
    assert set(slow) <= {*fast, slow[-1]}
