"""Recipes that no other process can import, and data in memory, are carried to the workers of a sweep."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import TrainOptions, Unpack, recipes
from kexp.core.errors import InputError
from kexp.data.memory_content import Content
from kexp.data.memory_files import read_kept
from kexp.run.carried_source import PortableRecipe
from kexp.run.recipe_names import find_recipe
from kexp.sweep.sweep_result import load_sweep
from tests.sweep.carried_recipes import CELLS, SWEEP
from tests.sweep.in_process import in_process

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
FORGOTTEN = object()


def run_script(path, *arguments):
    command = [sys.executable, str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=path.parent, env=ENVIRONMENT)


def test_a_recipe_within_a_function_is_carried_with_what_it_closes_over(tmp_path):
    factor, names = 3, {"a": (1.5, None), "b": float("inf")}

    def times(number):
        return number * factor

    @kexp.recipe(epochs=1)
    def nested(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
        return times(2), names, pd.DataFrame, np.pi

    portable = PortableRecipe.of(nested)
    assert portable.name == "source/test_carried_recipes.py:nested"
    portable.write(tmp_path)
    found = find_recipe(portable.name, tmp_path)
    assert found.__wrapped__() == (6, names, pd.DataFrame, np.pi)
    assert PortableRecipe.of(nested).digest == portable.digest
    assert PortableRecipe.of(recipes.mlp_images) == PortableRecipe("kexp.recipes.mlp_images:mlp_images")


def test_what_cannot_be_carried_is_named_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, generator = FORGOTTEN, np.random.default_rng(0)

    def draws():
        return generator.random()

    @kexp.recipe(epochs=1)
    def nested(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
        return model, draws()

    with pytest.raises(InputError) as refused:
        kexp.sweep(nested, trials=2)
    said = str(refused.value)
    assert "nested refers to generator (a Generator) and model (an object), which cannot be carried" in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


GUARDED = """
from __future__ import annotations
import sys
from pathlib import Path
from kexp.run.carried_source import PortableRecipe
HERE = Path(__file__).parent
{cells}
def portable(recipe):
    made = PortableRecipe.of(recipe)
    made.write(Path(sys.argv[1]))
    print(made.name, made.digest)
if __name__ == "__main__":
    portable(mine)
"""


def test_of_a_script_with_a_main_part_the_script_is_carried_and_of_any_other_the_recipe(tmp_path):
    guarded = tmp_path / "guarded.py"
    text = GUARDED.replace("{cells}", "".join(CELLS))
    guarded.write_text(text)
    (tmp_path / "a").mkdir()
    done = run_script(guarded, str(tmp_path / "a"))
    assert done.returncode == 0, done.stderr
    name, digest = done.stdout.split()
    assert name == "source/guarded.py:mine"
    module = sys.modules[find_recipe(name, tmp_path / "a").__module__]
    assert (module.HERE, len(module.frame)) == (tmp_path, 60)  # as the script itself has them

    plain = tmp_path / "plain.py"
    plain.write_text(text.replace('if __name__ == "__main__":', "if True:"))
    (tmp_path / "b").mkdir()
    done = run_script(plain, str(tmp_path / "b"))
    assert done.stdout.split() == ["source/plain.py:mine", digest]
    carried = (tmp_path / "b" / "source" / "plain.py").read_text()
    assert "class Scale(enum.Enum):" in carried
    assert "frame" not in carried


def frame():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.random(60), "town": ["NA", "b", None] * 20})
    return made.assign(y=np.where(made["a"] > 0.5, "hi", "lo"))


def test_data_in_memory_are_written_once_and_belong_to_the_sweep(tmp_path, monkeypatch):
    in_process(monkeypatch, recipes.mlp_tabular)
    line = {"target": "y", "hidden": (8,), "epochs": 1, "quiet": True, "dir": tmp_path / "sweep"}
    found = kexp.sweep(recipes.mlp_tabular, data=frame(), trials=1, **line)
    kept = read_kept(tmp_path / "sweep" / "data")
    pd.testing.assert_frame_equal(kept.value(), frame())
    recorded = json.loads((found.run_dir(0) / "config.json").read_text())["arguments"]["data"]
    assert recorded == found.trials[0].arguments["data"] == Content.of(frame()).described
    written = (tmp_path / "sweep" / "data" / "data.parquet").stat().st_mtime_ns
    more = kexp.sweep(recipes.mlp_tabular, data=frame(), trials=2, **line)
    assert len(more.trials) == 2
    assert (tmp_path / "sweep" / "data" / "data.parquet").stat().st_mtime_ns == written
    for other, words in ((frame()[::-1], "is now a DataFrame in memory"), ("iris", "is now iris")):
        with pytest.raises(InputError, match=f"data was a DataFrame in memory .* and {words}"):
            kexp.sweep(recipes.mlp_tabular, data=other, trials=2, **line)
    assert len(load_sweep(tmp_path / "sweep").trials) == 2


def test_a_stream_is_no_data_for_a_sweep(tmp_path, monkeypatch):
    import tensorflow as tf

    monkeypatch.chdir(tmp_path)
    digits = kexp.data.load("digits")
    images = tf.data.Dataset.from_tensor_slices((digits.train.inputs, digits.train.targets))
    streamed = kexp.data.stream(images, digits, epoch_samples=64)
    with pytest.raises(InputError, match="are read while they are trained on, and cannot be kept"):
        kexp.sweep(recipes.mlp_images, data=streamed, trials=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_script_sweeps_its_own_recipe_on_its_own_data_and_another_cannot_go_on_with_it(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("".join([*CELLS, SWEEP]))
    done = run_script(script)
    assert done.returncode == 0, done.stderr
    found = load_sweep(tmp_path / "sweep")
    assert [str(trial.state) for trial in found.trials] == ["completed"]
    assert float(done.stdout) == found.best.metrics["val_loss"]
    with pytest.raises(InputError, match=r"names a file, .* give the recipe, retrain\(recipe=…\)"):
        found.retrain(seeds=2, top=1)
    script.write_text("".join([*CELLS, SWEEP]).replace("number * SETTINGS", "2 * number * SETTINGS"))
    done = run_script(script)
    assert "holds a sweep of something else: source was" in done.stderr


@pytest.mark.slow
def test_a_notebook_that_runs_headless_sweeps_its_own_recipe_and_a_built_in_one(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="comes with kexp[dev]")
    nbclient = pytest.importorskip("nbclient", reason="comes with kexp[dev]")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    built_in = (
        'kexp.sweep(recipes.mlp_tabular, data=frame, target="y", hidden=(8,), epochs=1, trials=1, '
        'dir="built_in", quiet=True).best.metrics["val_loss"]'
    )
    cells = [nbformat.v4.new_code_cell(cell) for cell in (*CELLS, f"%matplotlib inline\n{SWEEP}", built_in)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    found = load_sweep(tmp_path / "sweep")
    assert [str(trial.state) for trial in found.trials] == ["completed"]
    assert [path.name for path in (tmp_path / "sweep" / "source").glob("*.py")] == ["notebook.py"]
    assert load_sweep(tmp_path / "built_in").trials[0].metrics["val_loss"] > 0


@pytest.mark.slow
def test_a_script_that_workers_cannot_import_is_named_and_leaves_no_folder(tmp_path):
    script = tmp_path / "train.py"
    text = GUARDED.replace("{cells}", "".join(CELLS)).partition("def portable")[0]
    line = 'kexp.sweep(mine, trials=2, dir="sweep", quiet=True)'
    script.write_text(
        f'{text}\nif __name__ != "__main__":\n    1 / 0\nif __name__ == "__main__":\n    {line}\n'
    )
    done = run_script(script)
    assert "train.py cannot be imported (ZeroDivisionError: division by zero in line" in done.stderr
    assert not (tmp_path / "sweep").exists()
