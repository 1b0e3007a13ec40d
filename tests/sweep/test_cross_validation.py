"""Cross-validation: metrics and predictions are those of the held-out rows, whatever happens on the way."""

import json
import random
import signal
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import t
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold

import kexp
from kexp.cli.app import main
from kexp.core.errors import InputError
from kexp.sweep.sweep_result import load_sweep
from tests.forked_python import forked
from tests.sweep.in_process import in_process
from tests.sweep.planted_recipes import planted

SHORT = {"epochs": 2, "quiet": True}
_CALL = """
import json, sys
import kexp
from tests.sweep.planted_recipes import planted
kexp.cross_validate(planted, **json.loads(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def visits():
    """Return a table of visits, several of each patient."""
    rng = np.random.default_rng(1)
    patients = rng.integers(0, 12, 90)
    level = rng.normal(size=90) + patients % 2
    return pd.DataFrame(
        {"patient": patients, "level": level, "ill": np.where(level > 0.5, "yes", "no").astype(object)}
    )


def test_metrics_and_predictions_are_those_of_the_folds_of_group_k_fold(visits, tmp_path, monkeypatch):
    in_process(monkeypatch, kexp.recipes.mlp_tabular)
    found = kexp.cross_validate(
        kexp.recipes.mlp_tabular,
        folds=2,
        data=visits,
        target="ill",
        group="patient",
        dir=tmp_path / "cv",
        **SHORT,
    )
    assert found.is_complete
    predictions = found.predictions
    assert predictions["row"].tolist() == list(range(len(visits)))
    assert predictions["expected"].tolist() == visits["ill"].tolist()
    for number, (_, held) in enumerate(GroupKFold(2).split(visits, groups=visits["patient"])):
        own = predictions[predictions["fold"] == number]
        assert own["row"].tolist() == held.tolist()
        metrics, ill = found.runs[number].metrics, own["expected"] == "yes"
        assert metrics["test_accuracy"] == pytest.approx(accuracy_score(own["expected"], own["label"]))
        assert metrics["test_auroc"] == pytest.approx(roc_auc_score(ill, own["yes"]), abs=1e-6)
        assert metrics["test_log_loss"] == pytest.approx(log_loss(ill, own["yes"]), rel=1e-4)
        answers = kexp.load(found.run_dir(number)).predict(visits.iloc[held])
        np.testing.assert_allclose(answers.probabilities[:, 1], own["yes"], atol=1e-6)
    again = kexp.load_cross_validation(tmp_path / "cv")
    assert (again.runs, str(again)) == (found.runs, str(found))
    assert again.to_frame()["held_out rows"].sum() == len(visits)


def test_the_interval_is_that_of_nadeau_and_bengio(tmp_path, monkeypatch):
    in_process(monkeypatch, planted)
    found = kexp.cross_validate(planted, folds=2, repeats=2, dir=tmp_path / "cv", **SHORT)
    values = [run.metrics["test_accuracy"] for run in found.runs]
    assert len(values) == 4
    assert [run.arguments["seed"] for run in found.runs] == [0, 0, 1, 1]
    estimate = found.estimates["test_accuracy"]
    assert estimate.mean == pytest.approx(np.mean(values))
    assert estimate.spread == pytest.approx(np.std(values, ddof=1))
    reach = t.ppf(0.975, 3) * np.sqrt((1 / 4 + 75 / 75) * np.var(values, ddof=1))
    reach /= estimate.mean * (1 - estimate.mean)  # on the logit scale, of an accuracy
    ends = expit(logit(estimate.mean) + np.array([-reach, reach]))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(ends))
    page = found.report().read_text()
    assert f"{estimate.mean:.4g}" in page
    assert page.count("<tr>") == 1 + len(found.estimates) + 1 + 4
    with pytest.raises(InputError, match=r"use kexp.load_cross_validation"):
        load_sweep(tmp_path / "cv")


def test_a_fold_that_ended_before_its_predictions_were_written_writes_them(tmp_path, monkeypatch):
    in_process(monkeypatch, planted)
    line = {"folds": 2, "dir": tmp_path / "cv", **SHORT}
    whole = kexp.cross_validate(planted, **line).predictions
    folder = kexp.load_cross_validation(tmp_path / "cv").run_dir(1)
    for name in ("fold.json", "held_out.parquet"):
        (folder / name).unlink()
    from kexp.sweep.store import Store

    store = Store(tmp_path / "cv")
    store.update(1, state="waiting", told=0)
    store.close()
    pd.testing.assert_frame_equal(kexp.cross_validate(planted, **line).predictions, whole)


@pytest.mark.slow
def test_series_are_held_out_in_the_order_of_time(tmp_path, monkeypatch):
    recipe = kexp.recipes.lstm_forecast
    in_process(monkeypatch, recipe)
    found = kexp.cross_validate(recipe, folds=2, fast_dev_run=True, dir=tmp_path / "cv", quiet=True)
    rows = [found.predictions.query("fold == @fold")["row"] for fold in (0, 1)]
    assert rows[0].max() < rows[1].min()
    assert not any(run.error for run in found.runs)


@kexp.recipe(epochs=1)
def cut_by_itself(data: str = "iris", **train: kexp.Unpack[kexp.TrainOptions]) -> kexp.Result:
    """Divide data without a word to anybody."""
    x, y = np.zeros((40, 3), np.float32), np.arange(40) % 2
    kexp.data.load(data)
    model = kexp.models.mlp((3,), 2, hidden=(4,))
    model.compile(loss="sparse_categorical_crossentropy")
    return kexp.fit(model, x, y, **train)


def test_a_recipe_that_divides_its_data_itself_is_refused_before_it_trains(tmp_path, monkeypatch):
    in_process(monkeypatch, cut_by_itself)
    with pytest.raises(InputError, match="no fold can be held out"):
        kexp.cross_validate(cut_by_itself, dir=tmp_path / "cv", quiet=True)
    assert not (tmp_path / "cv").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 1}, "folds must be a whole number, 2 or more; received 1"),
        ({"repeats": 0}, "repeats must be"),
        ({"run_dir": "x"}, "run_dir must be left out"),
        ({"units": 0}, "units must be a whole number, from 4 to 64"),
        ({"callbacks": []}, "callbacks must be left out"),
        ({"patient": "x"}, "planted has no argument patient"),
        ({"budget": "much"}, "budget must be an amount"),
        ({"resources": {"GPU": 1}}, "resources needs cluster"),
    ],
)
def test_what_does_not_fit_is_said_at_once(options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        kexp.cross_validate(planted, **options, dir=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_folds_by_time_have_no_repeats(visits, tmp_path, monkeypatch):
    in_process(monkeypatch, kexp.recipes.mlp_tabular)
    options = {"data": visits, "target": "ill", "time": "patient", "repeats": 2, "dir": tmp_path / "new"}
    with pytest.raises(InputError, match="expected 1 of folds by time"):
        kexp.cross_validate(kexp.recipes.mlp_tabular, **options)


def test_the_trials_of_a_sweep_are_validated_by_folds_and_its_winner_is_trained_on_all(tmp_path, monkeypatch):
    in_process(monkeypatch, planted)
    line = {
        "trials": 2,
        "units": [4, 64],
        "dropout": 0.0,
        "fault": "none",
        "epochs": 2,
        "keep": 1,
        "quiet": True,
    }
    found = kexp.sweep(planted, **line, folds=2, dir=tmp_path / "sweep")
    for trial in found.trials:
        folds = sorted(tmp_path.glob(f"sweep/folds/{trial.number:04d}/*"))
        metrics = [json.loads((fold / "result.json").read_text())["metrics"] for fold in folds]
        assert len(metrics) == 2
        assert trial.score == pytest.approx(np.mean([one["val_accuracy"] for one in metrics]))
        assert not any("test_accuracy" in one for one in metrics)
    best = found.best
    assert "test_accuracy" in best.metrics
    weights = [path.parent for path in tmp_path.rglob("model.keras")]
    assert best.run_dir in weights
    assert {path.parent.name for path in weights if path != best.run_dir} == {best.run_dir.name}
    assert found.report().is_file()
    with pytest.raises(InputError, match="folds was 2 and is now 3"):
        kexp.sweep(planted, **line, folds=3, dir=tmp_path / "sweep")
    for options, words in (({"folds": 1}, "folds must be 0"), ({"folds": 2, "prune": "median"}, "prune")):
        with pytest.raises(InputError, match=words):
            kexp.sweep(planted, **line, **options, dir=tmp_path / "new")


def test_the_command_line_divides_into_folds_and_writes_a_page(tmp_path, monkeypatch, capsys):
    in_process(monkeypatch, kexp.recipes.mlp_tabular)
    monkeypatch.chdir(tmp_path)
    line = ["cross-validate", "mlp_tabular", "--data", "iris", "--folds", "2", "--epochs", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*line, "--dir", "cv"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "2/2 fold 1" in shown
    assert "mlp_tabular: 2 folds, mean, 95% interval, deviation" in shown
    for words in (["report", "cv"], [*line[:2], "--folds", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
    assert (tmp_path / "cv" / "report.html").is_file()
    assert ended.value.code == 2
    assert "folds must be a whole number, 2 or more; received 0" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_at_random_it_ends_with_the_same_table(tmp_path):
    line = {"folds": 3, "epochs": 6, "checkpoint_every": "3 steps", "workers": 2, "quiet": True}

    def start(name):
        given = json.dumps({**line, "dir": str(tmp_path / name)})
        return forked.Popen(
            [sys.executable, "-c", _CALL, given], stdout=forked.DEVNULL, stderr=forked.DEVNULL
        )

    def table(name):
        found = kexp.load_cross_validation(tmp_path / name)
        return found.to_frame().drop(columns="seconds"), found.predictions

    started_s = time.monotonic()
    assert start("alone").wait() == 0
    alone_s = time.monotonic() - started_s
    drawn = random.Random(0)
    for _ in range(3):
        process = start("killed")
        time.sleep(drawn.uniform(0.3, 0.9) * alone_s / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start("killed").wait() == 0
    for one, other in zip(table("alone"), table("killed"), strict=True):
        pd.testing.assert_frame_equal(one, other)
