"""Retraining in real processes: fresh seeds, the test part for the winner alone, and no run made twice."""

import json

import pytest

import kexp
from kexp.core.errors import InputError
from kexp.sweep.sweep import sweep
from tests.sweep.planted_recipes import planted

LINE = {"trials": 2, "workers": 2, "keep": 2, "epochs": 2, "fault": "none", "quiet": True}


def metrics(folder):
    return json.loads((folder / "result.json").read_text())["metrics"]


@pytest.mark.slow
def test_the_best_are_trained_over_fresh_seeds_and_the_test_part_is_opened_for_the_winner_alone(tmp_path):
    directory = tmp_path / "sweep"
    found = sweep(planted, **LINE, units=[4, 64], dropout=0.0, seeds_for_top=2, dir=directory)
    assert not any("test_accuracy" in metrics(found.run_dir(trial.number)) for trial in found.trials)

    retrained, data = found.retrained, kexp.data.load("iris")
    assert (retrained.metric, retrained.direction, retrained.seeds) == ("val_accuracy", "max", (1, 2))
    ranked = sorted(found.trials, key=lambda trial: (-trial.score, trial.number))
    assert {one.arguments["trial"] for one in retrained.candidates} == {one.number for one in ranked[:2]}
    number = retrained.winner.arguments["trial"]
    for place, folder in enumerate(retrained.run_dirs):
        arguments = json.loads((folder / "config.json").read_text())["arguments"]
        assert arguments["seed"] == retrained.seeds[place]
        assert arguments["units"] == found.trials[number].arguments["units"]
        assert metrics(folder)["val_accuracy"] == retrained.winner.values[place]
        answers = kexp.load(folder).predict(data.test.inputs).probabilities.argmax(axis=1)
        assert metrics(folder)["test_accuracy"] == pytest.approx((answers == data.test.targets).mean())
    opened = [path.parent for path in directory.glob("retraining/*/trials/*/model.keras")]
    assert sorted(opened) == sorted(retrained.run_dirs)
    others = {*directory.glob("retraining/*/trials/*")} - {*retrained.run_dirs}
    assert len(others) == 2
    assert not any("test_accuracy" in metrics(folder) for folder in others)
    scores = [metrics(folder)["test_accuracy"] for folder in retrained.run_dirs]
    assert retrained.test["test_accuracy"].mean == pytest.approx(sum(scores) / 2)

    written = {path: path.stat().st_mtime_ns for path in directory.glob("retraining/*/trials/*/result.json")}
    assert found.retrain(seeds=2, top=2, quiet=True) == retrained
    assert all(path.stat().st_mtime_ns == before for path, before in written.items())
    assert "test, of the first alone" in found.report().read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds_for_top": 1}, "seeds_for_top must be 0, or 2 or more"),
        ({"prune": "median", "cluster": "auto"}, "prune cannot be used with cluster"),
    ],
)
def test_what_cannot_be_retrained_is_said_at_once(options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep(planted, **LINE, **options, dir=tmp_path / "new")
    assert not (tmp_path / "new").exists()
