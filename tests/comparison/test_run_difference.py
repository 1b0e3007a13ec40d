"""kexp diff: planted differences are named with their step and cause, and equal runs raise no alarm."""

import itertools
import json
import shutil

import keras
import numpy as np
import pytest

import kexp
import kexp.train.checkpoint.run_checkpoints
from tests.comparison.planted_runs import (
    FACTOR,
    by_fit,
    by_recipe,
    in_other_order,
    model,
    parts,
    place_of,
    samples,
    with_label,
    with_pixel,
)

LATE = int(np.argmax([place_of(sample) for sample in range(64)]))  # a sample that comes late in an epoch


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return runs that planted ones are compared with, by how they were made."""
    folder = tmp_path_factory.mktemp("plain")
    by_recipe(folder / "recipe")
    by_fit(folder / "fit")
    by_fit(folder / "compiled", compiled=keras.optimizers.Adam(1e-3))
    return folder


PLANTED = {
    "seed": ("recipe", {"seed": 1}, 0, {"seed"}),
    "rows in another order": ("recipe", {"data": in_other_order}, 1, {"data order"}),
    "one label": ("recipe", {"data": lambda: with_label(LATE)}, place_of(LATE), {"labels"}),
    "one pixel": ("recipe", {"data": lambda: with_pixel(LATE)}, place_of(LATE), {"data"}),
    "momentum": ("recipe", {"momentum": 0.91}, 1, {"optimizer"}),
    "rate of dropout": ("recipe", {"dropout": 0.3}, 1, {"op", "argument"}),
    "one initial weight": ("fit", {"built": lambda: model(weight=1e-3)}, 0, {"initial weights"}),
    "activation": ("fit", {"built": lambda: model(activation="tanh")}, 1, {"op"}),
    "order of the samples": ("fit", {"shuffle": False}, 1, {"data order"}),
    "package version": ("fit", {"version": "3.99"}, 1, {"version"}),
    "constant of the optimizer": ("compiled", {"beta_2": 0.99}, 1, {"optimizer"}),
    "draws of dropout": ("compiled", {"built": lambda: model(dropout_seed=2)}, 1, {"random draw"}),
}


def plant(run_dir, base, change, monkeypatch):
    """Make a run that differs in one thing, and return its data."""
    given = {name: value() if callable(value) else value for name, value in change.items()}
    if base == "recipe":
        by_recipe(run_dir, **given)
        return given.get("data")
    if version := given.pop("version", None):
        monkeypatch.setattr("kexp.run.environment.versions", lambda: {"keras": version})
        monkeypatch.setitem(FACTOR, "by", 1.0001)
    constants = {"beta_2": given.pop("beta_2")} if "beta_2" in given else {}
    compiled = keras.optimizers.Adam(1e-3, **constants) if base == "compiled" else None
    by_fit(run_dir, compiled=compiled, **given)
    return None


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_named_with_its_step_and_cause(name, plain, tmp_path, monkeypatch):
    base, change, step, kinds = PLANTED[name]
    data = plant(tmp_path / "planted", base, change, monkeypatch)
    found = kexp.diff(
        plain / base, tmp_path / "planted", data_a=parts(samples()), data_b=data and parts(data)
    )
    assert found.step == step, str(found)
    assert found.cause.kind in kinds, str(found)
    if name == "one initial weight":
        assert found.layer == "dense 2"


def test_equal_runs_raise_no_alarm(plain, tmp_path):
    for number in range(6):
        by_fit(tmp_path / str(number))
    pairs = list(itertools.combinations([plain / "fit", *tmp_path.iterdir()], 2))
    assert len(pairs) >= 20
    assert all(kexp.diff(*pair).same for pair in pairs)


def test_without_the_data_the_steps_between_which_it_lies_are_said(plain, tmp_path):
    by_recipe(tmp_path / "planted", data=with_label(LATE))
    run = tmp_path / "planted"
    for folder in (run, shutil.copytree(plain / "recipe", tmp_path / "plain")):
        thin(folder, {0, 1, 24})
    found = kexp.diff(tmp_path / "plain", run)
    assert (found.step, found.equal_until, found.different_from) == (None, 1, 24)
    assert "equal after step 1" in str(found)
    assert "not known more closely" in str(found)
    again = kexp.diff(tmp_path / "plain", run, data_a=parts(samples()), data_b=parts(with_label(LATE)))
    assert again.step == place_of(LATE)


def test_steps_are_taken_again_from_a_checkpoint_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("kexp.train.step_checksums.next_step", lambda taken, least: taken + 1)
    last = next(sample for sample in range(256) if place_of(sample) == 8)
    data = {"plain": samples(), "planted": with_label(last)}
    for name, given in data.items():
        by_recipe(tmp_path / name, data=given, epochs=1, checkpoint_every="2 steps")
        thin(tmp_path / name, {0, 6, 8})
    began = []
    real = kexp.train.checkpoint.run_checkpoints.load_latest
    watched = lambda *given: began.append(real(*given)) or began[-1]  # noqa: E731
    monkeypatch.setattr("kexp.train.checkpoint.run_checkpoints.load_latest", watched)
    one, other = map(parts, data.values())
    found = kexp.diff(tmp_path / "plain", tmp_path / "planted", data_a=one, data_b=other)
    assert (found.step, found.equal_until, found.cause.kind) == (8, 7, "labels")
    assert [(point.position["epoch"], point.position["step"]) for point in began] == [(0, 6)] * 2


def thin(run, steps):
    """Leave checksums of some steps alone, as of a run whose steps are too fast for one of each."""
    path = run / "checksums.jsonl"
    head, *lines = path.read_text().splitlines(keepends=True)
    path.write_text(head + "".join(line for line in lines if json.loads(line)["step"] in steps))


def test_a_run_of_fit_is_repeated_by_the_callers_function(plain, tmp_path):
    def other(run_dir):
        by_fit(run_dir, label=LATE)

    other(tmp_path / "planted")
    thin(tmp_path / "planted", {0, 16})
    assert "repeat_a" in str(kexp.diff(plain / "fit", tmp_path / "planted"))
    found = kexp.diff(plain / "fit", tmp_path / "planted", repeat_a=by_fit, repeat_b=other)
    assert (found.step, found.cause.kind) == (place_of(LATE), "labels")


def test_a_run_without_checksums_is_compared_by_its_epochs(plain, tmp_path):
    for name in ("recipe", "fit"):
        (shutil.copytree(plain / name, tmp_path / name) / "checksums.jsonl").unlink()
    assert kexp.diff(tmp_path / "recipe", plain / "recipe").same
    found = kexp.diff(tmp_path / "recipe", tmp_path / "fit")
    assert found.epoch == 1
    assert not found.same


def test_the_command_exits_with_1_where_runs_differ_and_needs_no_tensorflow(plain, run_kexp):
    same = run_kexp("diff", plain / "recipe", plain / "recipe")
    assert (same.returncode, "No difference" in same.stdout) == (0, True), same.stderr
    other = run_kexp("diff", plain / "recipe", plain / "compiled")
    assert other.returncode == 1
    assert "likely cause" in other.stdout
    absent = run_kexp("diff", plain / "recipe", plain / "absent")
    assert (absent.returncode, absent.stdout) == (2, "")
