"""A family is one builder file and one recipe file: put in place, they are listed, run, swept, exported."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.forked_python import LIBRARIES, ForkServer, subprocess_of

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).resolve().parent / "toy"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with the two files of the toy family, and nothing else changed."""
    without = shutil.ignore_patterns("__pycache__")
    for folder in ("kexp", "recipes"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(TOY / "radial.py", tmp_path / "kexp" / "models")
    shutil.copy(TOY / "radial_tabular.py", tmp_path / "recipes")
    return tmp_path


@pytest.fixture
def forked():
    """Forks processes that have imported what kexp is made of, and nothing of kexp."""
    server = ForkServer(LIBRARIES)
    yield subprocess_of(server)
    server.close()


@pytest.mark.slow
def test_a_new_family_is_listed_run_swept_and_exported_without_touching_another_file(checkout, forked):
    def kexp(*line: object) -> str:
        done = forked.run(
            [sys.executable, "-m", "kexp.cli", *map(str, line)],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "radial_tabular" in kexp("list")
    assert "4 to 64" in kexp("run", "radial_tabular", "--help")
    assert "test_accuracy" in kexp("run", "radial_tabular", "--run-dir", "run")
    result = json.loads((checkout / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["metrics"]["test_accuracy"] > 0.8
    swept = kexp("sweep", "radial_tabular", "--trials", 2, "--workers", 2, "--epochs", 2, "--dir", "sweep")
    assert "2 completed" in swept or "2 trials" in swept
    kexp("export", "run", "served")
    (checkout / "flowers.csv").write_text(
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n5.1,3.5,1.4,0.2\n"
    )
    assert kexp("predict", "served", "flowers.csv").splitlines()[1].startswith("setosa,")
