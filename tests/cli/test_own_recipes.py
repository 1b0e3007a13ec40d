"""Recipes of one's own on the command line: by file, by module, and installed by another package."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kexp
from kexp.cli.app import main
from kexp.core.errors import InputError
from kexp.run.recipe_names import find_recipe, own_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPE = '''"""A file of a user's."""

import {imported}

from typing import Annotated

import kexp
from kexp import AtLeast, TrainOptions, Unpack


@kexp.recipe(epochs=1)
def one_layer(
    data: str = "iris",
    *,
    units: Annotated[int, AtLeast(1)] = 4,
    deep: bool = False,
    table: kexp.data.TableArguments,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify rows with one layer."""
    dataset = kexp.data.load(data, **table, **kexp.holdout(train))
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(units,))
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)


def helper():
    return one_layer
'''


CONSOLE_SCRIPT = "import sys; sys.path.remove(''); from kexp.cli.app import main; main(sys.argv[1:])"
MISTAKES = (
    ("run mine.py:one_layr", "mine.py has no function 'one_layr' (did you mean 'one_layer'?)"),
    ("run mine.py:", "must name a function of mine.py after the colon; it has one_layer, helper"),
    ("run mine.py", "must say which function of the file; give mine.py:FUNCTION"),
    ("run min.py:one_layer", "there is no file min.py (did you mean 'mine'?)"),
    ("run light.py:helper", "must be a function made by @kexp.recipe; helper is a function"),
    ("run broken.py:one_layer", "file broken.py: line 2 is no Python (invalid syntax)"),
    ("run lacks.py:one_layer", "No module named 'nosuchpackage' in line 1 of"),
    ("run fails.py:one_layer", "ZeroDivisionError: division by zero in line 2 of"),
    ("run leaves.py:one_layer", "ends the process as it is imported"),
    ("run option.py:one_layer", "epoch is not a training option (did you mean 'epochs'?)"),
    ("run trains.py:one_layer", "its file trains as it is imported; put what it does once under"),
    ("run nosuch.module:one_layer", "there is no module nosuch; give another name"),
    ("run parts.nets:one_layr", "has no function 'one_layr' (did you mean 'one_layer'?)"),
    ("run parts.nets:one_layer --epoch 3", "Unknown option: --epoch. Did you mean --epochs?"),
    ("run parts/relative.py:one_layer --epochs 0", "epochs must be a whole number, 1 or more"),
    ("run shadow/json.py:one_layer --units 0", "units must be a whole number, 1 or more; received 0"),
    ("run light.py:one_layer --no-deep --epochs 0", "epochs must be a whole number, 1 or more"),
    ("run parts/relative.py:one_layer --epoch 3", "Unknown option: --epoch. Did you mean --epochs?"),
    ("run again.py:again --epoch 3", "Unknown option: --epoch. Did you mean --epochs?"),
    ("run parts-net --epoch 3", "Unknown option: --epoch. Did you mean --epochs?"),
    ("run gone", "recipe nowhere.nets:net: there is no module nowhere"),
    ("check light.py:one_layer --unit 3", "Unknown option: --unit. Did you mean --units?"),
    ("run light.py:one_layer --no-header --group a --gap 1", "gap=1.0: only a split by time has a gap"),
    ("run light.py:one_layer --table 3", "Unknown option: --table."),
    ("lr-find light.py:one_layer --step 3", "Unknown option: --step. Did you mean --steps?"),
    ("verify resume light.py:one_layer --kill 3", "Unknown option: --kill. Did you mean --kills?"),
    ("verify distributed light.py:one_layer --replica 3", "Did you mean --replicas?"),
    ("sweep light.py:one_layer --trial 3", "Unknown option: --trial. Did you mean --trials?"),
    ("sweep light.py:one_layer --units 0..4", "units must be a whole number, 1 or more"),
    ("resume nowhere --recipe light.py:one_layr", "has no function 'one_layr'"),
    ("launch --workers 1 -- run light.py:one_layer --epoch 3", "Unknown option: --epoch."),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with recipes, some of which cannot be imported, and an installed package."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(RECIPE.format(imported="keras"))
    (folder / "light.py").write_text(RECIPE.format(imported="math"))
    (folder / "broken.py").write_text("import kexp\ndef one_layer(:\n")
    (folder / "lacks.py").write_text("import nosuchpackage\ndef one_layer(): ...\n")
    (folder / "fails.py").write_text("one_layer = 1\nwidth = 1 / 0\n")
    (folder / "leaves.py").write_text("import sys\nsys.exit(3)\ndef one_layer(): ...\n")
    (folder / "option.py").write_text("import kexp\n@kexp.recipe(epoch=3)\ndef one_layer(): ...\n")
    (folder / "trains.py").write_text("from light import one_layer\none_layer(epochs=1)\n")
    (folder / "again.py").write_text("import keras\nfrom parts.relative import one_layer as again\n")
    (folder / "shadow").mkdir()
    (folder / "shadow" / "json.py").write_text(RECIPE.format(imported="math"))
    package = folder / "parts"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text("WIDTH = 4\n")
    (package / "nets.py").write_text("from parts.names import WIDTH\n" + RECIPE.format(imported="math"))
    (package / "relative.py").write_text("from .nets import one_layer\n")
    installed = folder / "site"
    described = installed / "parts_recipes-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: parts-recipes\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[kexp.recipes]\nparts-net = parts.nets:one_layer\nmlp_images = parts.nets:one_layer\n"
        "gone = nowhere.nets:net\n"
    )
    return folder


@pytest.fixture
def run(folder):
    """Return a function that runs the command line in the folder, as an installed console script does."""

    def call(*words, code=CONSOLE_SCRIPT, **variables):
        paths = os.pathsep.join([str(ROOT), str(folder / "site")])
        environment = {**os.environ, "PYTHONPATH": paths, **variables}
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
        )

    return call


def test_a_misspelt_option_of_a_file_is_answered_as_a_built_in_recipes_is_and_at_once(run):
    own, built_in = run("run", "mine.py:one_layer", "--epoch", "3"), run("run", "mlp_images", "--epoch", "3")
    assert (own.returncode, own.stdout, own.stderr) == (2, "", built_in.stderr)
    assert own.stderr == "kexp: Unknown option: --epoch. Did you mean --epochs?\n"

    def seconds():
        started_s = time.perf_counter()
        assert run("run", "mine.py:one_layer", "--unit", "3").returncode == 2
        return time.perf_counter() - started_s

    # Half a second on a machine with nothing else to do; importing Keras alone takes several.
    assert min(seconds() for _ in range(2)) < 1.5


def test_a_mistake_about_a_recipe_of_ones_own_is_one_sentence_before_tensorflow_is_imported(run):
    code = """if True:
        import sys
        sys.path.remove("")
        from kexp.cli.app import main
        for line in sys.argv[1:]:
            try:
                main(line.split())
            except SystemExit as ended:
                assert ended.code == 2, (line, ended.code)
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    done = run(*[words for words, _ in MISTAKES], code=code)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    for answer, (words, said) in zip(done.stderr.splitlines(), MISTAKES, strict=True):
        assert answer.startswith("kexp: ")
        assert said in answer, words


def test_installed_recipes_are_listed_and_found_by_name(run):
    listed = run("list", COLUMNS="200")
    assert "parts-net             Classify rows with one layer." in listed.stdout
    assert "parts.nets:one_layer  Classify rows with one layer." in listed.stdout  # its name is kexp's own
    assert "gone                  nowhere.nets:net" in listed.stdout
    shown = run("run", "--help", COLUMNS="200").stdout
    assert "parts-net" in shown
    arguments = run("run", "parts-net", "--help", COLUMNS="200").stdout
    assert "--units" in arguments
    assert "callbacks" not in arguments


def test_a_run_of_a_file_goes_on_when_the_file_is_named_again(folder, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    line = ["run", "mine.py:one_layer", "--units", "4", "--quiet", "--run-dir", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert (ended.value.code, capfd.readouterr().err) == (0, "")
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["resume", str(tmp_path / "run")])
    said = capfd.readouterr().err
    assert ended.value.code == 2
    assert "no folder says what is imported; give the recipe" in said
    assert "kexp resume RUN --recipe FILE.py:FUNCTION" in said
    with pytest.raises(SystemExit) as ended:
        main(["resume", str(tmp_path / "run"), "--recipe", "mine.py:one_layer", "--quiet"])
    assert (ended.value.code, capfd.readouterr().err) == (0, "")
    recipe = find_recipe("mine.py:one_layer")
    assert kexp.resume(tmp_path / "run", recipe, quiet=True).metrics == kexp.load(tmp_path / "run").metrics
    assert find_recipe(f"{folder}/mine.py:one_layer") is recipe


def test_a_file_with_the_name_of_another_module_is_imported_beside_it(folder, monkeypatch):
    import json

    monkeypatch.syspath_prepend(str(folder / "shadow"))
    found = find_recipe(f"{folder}/shadow/json.py:one_layer")
    assert found.__module__.startswith("json_")
    assert sys.modules["json"] is json
    with pytest.raises(InputError, match="has no function 'two'"):
        find_recipe(f"{folder}/mine.py:two")


def test_the_recorded_name_of_an_installed_recipe_is_enough_to_go_on(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    assert own_recipe("one_layer") is None
    monkeypatch.syspath_prepend(str(folder / "site"))
    for name in ("one_layer", "parts-net"):
        found = own_recipe(name)
        assert (found.__module__, found.__name__) == ("parts.nets", "one_layer")
    assert own_recipe("os:getcwd") is None
