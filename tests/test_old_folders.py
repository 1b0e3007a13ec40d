"""What version 0.1.0 wrote can be read, used and gone on with: run folders, sweeps and an export."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import recipes
from kexp.run.example_inputs import load_samples
from kexp.run.run_files import read_config
from kexp.sweep.metadata import DESCRIPTION
from kexp.sweep.store import Store

OLD = Path(__file__).parent / "fixtures" / "version_0_1"
FAMILIES = sorted(path.name for path in (OLD / "families").iterdir())
# The calls that the folders were made by.
WHOLE = {
    "data": "iris",
    "hidden": (8,),
    "dropout": 0.2,
    "epochs": 6,
    "batch_size": 16,
    "optimizer": "adamw",
    "schedule": "one_cycle",
    "warmup": 0.1,
    "ema": 0.9,
    "early_stop": 5,
    "checkpoint_every": "1 epoch",
}
SWEEP = {"data": "iris", "hidden": (8,), "epochs": 30, "checkpoint_every": "5 steps"}


@pytest.fixture
def old(tmp_path):
    """Return a function that copies an old folder to where it may be changed."""
    return lambda name: Path(shutil.copytree(OLD / name, tmp_path / name))


def expected(folder):
    with np.load(folder / "expected.npz") as arrays:
        return dict(arrays)


def assert_same_answers(predictions, arrays):
    recorded = {name.removeprefix("predict/"): array for name, array in arrays.items() if "/" in name}
    assert predictions.named().keys() == recorded.keys()
    for name, array in predictions.named().items():
        if array.dtype.kind in "OUi":
            assert array.tolist() == recorded[name].tolist()
        else:
            np.testing.assert_allclose(array, recorded[name], rtol=1e-4, atol=1e-5, err_msg=name)


def assert_same_table(frame, recorded, rtol=1e-6):
    # Trials that are run now have exact figures besides.
    frame = frame[[name for name in frame.columns if name in recorded or not name.startswith("val_")]]
    assert frame.columns.tolist() == recorded.columns.tolist()
    assert frame["error"].isna().all()
    rest = ["seconds", "error"]
    pd.testing.assert_frame_equal(
        frame.drop(columns=rest), recorded.drop(columns=rest), check_dtype=False, rtol=rtol
    )


def test_a_finished_run_loads_predicts_measures_reports_and_exports(old):
    run_dir = old("finished")
    result = kexp.load(run_dir)
    recorded = json.loads((run_dir / "result.json").read_text())
    assert (result.metrics, result.history) == (recorded["metrics"], recorded["history"])
    data = kexp.data.load("iris")
    answers = result.predict(data.test.inputs)
    assert_same_answers(answers, expected(run_dir))
    assert result.evaluate("iris")["accuracy"] == pytest.approx(recorded["metrics"]["test_accuracy"])
    assert "versicolor" in result.report().read_text(encoding="utf-8")
    exported = kexp.load_exported(result.export(run_dir.parent / "served"))
    np.testing.assert_allclose(
        exported.predict(data.test.inputs).probabilities, answers.probabilities, rtol=0, atol=1e-5
    )


def test_the_call_of_a_finished_run_finds_it_finished(old, capsys):
    run_dir = old("whole")
    before = (run_dir / "result.json").read_bytes()
    recipes.mlp_tabular(**WHOLE, run_dir=str(run_dir))
    assert "is finished" in capsys.readouterr().out
    assert (run_dir / "result.json").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "argument", "was"),
    [
        ("lstm_text", "ngrams", 0),
        ("lstm_forecast", "scaling", "all"),
        ("diffusion_images", "path", "diffusion"),
    ],
)
def test_a_run_from_before_its_recipe_had_an_argument_goes_on_as_it_began(old, capsys, name, argument, was):
    run_dir = old(f"families/{name}")
    assert argument not in read_config(run_dir)["arguments"]
    kexp.resume(run_dir)
    assert "is finished" in capsys.readouterr().out
    arguments = {**read_config(run_dir)["arguments"], argument: {0: 2, "all": "window"}.get(was, "flow")}
    with pytest.raises(kexp.InputError, match=f"{argument} was {was!r} and is now"):
        getattr(recipes, name)(**arguments, run_dir=str(run_dir))


def test_an_unfinished_run_ends_as_the_one_that_was_left_alone(old, tmp_path):
    run_dir, whole = old("unfinished"), kexp.load(OLD / "whole")
    begun = shutil.copytree(OLD / "unfinished", tmp_path / "begun")
    shutil.rmtree(begun / "checkpoints")
    # Both compute as that version did, as the folder says by saying nothing.
    resumed, anew = kexp.resume(run_dir), kexp.resume(begun)
    weights = [[array.tobytes() for array in run.model.get_weights()] for run in (resumed, anew, whole)]
    if weights[1] == weights[2]:
        # This machine computes what the one did that wrote the folders: then all is the same, to the bit.
        assert weights[0] == weights[2]
        assert resumed.history == whole.history
        assert {name: resumed.metrics[name] for name in whole.metrics} == whole.metrics
    for run in (resumed, anew):
        assert run.history.keys() == whole.history.keys()
        for name, course in whole.history.items():
            np.testing.assert_allclose(run.history[name], course, rtol=1e-3, err_msg=name)
        for found, then in zip(run.model.get_weights(), whole.model.get_weights(), strict=True):
            np.testing.assert_allclose(found, then, rtol=1e-3, atol=1e-5)


def test_a_sweep_loads_with_its_table_reports_exports_and_is_retrained(old):
    directory = old("sweep")
    sweep = kexp.load_sweep(directory)
    recorded = pd.read_json(OLD / "sweep" / "expected.json", orient="split")
    frame = sweep.to_frame()
    assert_same_table(frame, recorded)
    assert frame["seconds"].tolist() == recorded["seconds"].tolist()
    best = recorded.sort_values(["val_accuracy", "trial"], ascending=[False, True]).iloc[0]
    assert sweep.best.run_dir.name == f"{int(best['trial']):04d}"
    assert "learning_rate" in sweep.report().read_text(encoding="utf-8")
    assert (sweep.best.export(directory / "served") / "1" / "saved_model.pb").is_file()
    retrained = sweep.retrain(seeds=2, top=1, quiet=True)
    assert np.isfinite(retrained.winner.values).all()
    assert len(retrained.winner.values) == 2


@pytest.mark.slow
def test_a_sweep_from_before_there_were_budgets_goes_on_with_the_epochs_of_its_first_trials(tmp_path):
    given = {
        "data": "iris",
        "hidden": (8,),
        "space": {"dropout": (0.0, 0.5)},
        "seed": 1,
        "dir": tmp_path / "s",
    }
    kexp.sweep(recipes.mlp_tabular, **given, trials=1, quiet=True)
    with closing(Store(tmp_path / "s")) as store:
        store.write(DESCRIPTION.written(replace(store.require(DESCRIPTION), budgeted=False)))
    kexp.sweep(recipes.mlp_tabular, **given, trials=2, quiet=True)
    epochs = [read_config(tmp_path / f"s/trials/{number:04d}")["epochs"] for number in range(2)]
    assert epochs[1] == 60 < epochs[0]


def test_a_sweep_that_was_killed_is_finished_by_the_same_line(old):
    directory = old("sweep_unfinished")
    begun = [int(path.parent.name) for path in directory.glob("trials/*/env.json")]
    before = {path: path.read_bytes() for path in directory.glob("trials/*/result.json")}
    sweep = kexp.sweep(recipes.mlp_tabular, **SWEEP, trials=6, seed=1, quiet=True, dir=directory)
    recorded = pd.read_json(OLD / "sweep_unfinished" / "expected.json", orient="split")
    frame = sweep.to_frame()
    assert frame["trial"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(frame["state"]) == {"completed"}
    # Trials that begin now draw other random numbers, and are no worse.
    assert 0 < len(begun) < 6
    chosen = frame["trial"].isin(begun)
    assert_same_table(frame[chosen], recorded[chosen], rtol=1e-3)
    assert (frame["val_loss"] < 1.5 * recorded["val_loss"]).all()
    # What was finished was not run again; the winner is measured on the test part in the end.
    kept = [path for path, content in before.items() if path.read_bytes() == content]
    assert len(kept) >= len(before) - 1


def test_an_export_answers_as_the_run_it_was_made_of():
    exported = kexp.load_exported(OLD / "export")
    assert exported.spec == kexp.load(OLD / "finished").spec
    assert exported.provenance["config"]["recipe"] == "mlp_tabular"
    answers = exported.predict(kexp.data.load("iris").test.inputs)
    assert_same_answers(answers, expected(OLD / "finished"))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_run_of_every_kind_of_model_answers_as_it_did(name):
    folder = OLD / "families" / name
    result, arrays = kexp.load(folder), expected(folder)
    inputs = load_samples(folder / "samples.npz", result.spec)
    few = (
        {column: values[:4] for column, values in inputs.items()} if isinstance(inputs, dict) else inputs[:4]
    )
    if any(part.startswith("predict/") for part in arrays):
        assert_same_answers(result.predict(few), arrays)
    if "sample" in arrays:
        images = result.sample(3, seed=5).astype(int)
        assert np.abs(images - arrays["sample"]).max() <= 1  # of 255
    if "generate" in arrays:
        assert list(result.model.generate(["The whale"], 8, seed=5)) == arrays["generate"].tolist()
