"""What tests and the examples in docstrings share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked_python import ForkedPython

ROOT = Path(__file__).resolve().parent
# Every interpreter that a test starts would compile TensorFlow's sources anew: 12 s each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Programs are compiled to be compared, and run a few times: what makes them fast takes longer than it saves.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the most slow tests first, so that no process ends long after the other."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session", autouse=True)
def in_new_interpreter() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Have parity checks fork their process from one that has imported TensorFlow; yield their own way."""
    from kexp.export import parity

    python, own = ForkedPython(), parity.run_python
    parity.run_python = python.run
    yield own
    parity.run_python = own
    python.close()


@pytest.fixture
def new_interpreter(
    in_new_interpreter: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have parity checks start an interpreter of their own, as they do for users."""
    monkeypatch.setattr("kexp.export.parity.run_python", in_new_interpreter)


@pytest.fixture(scope="session")
def run_kexp() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command line in a process of its own."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "kexp.cli", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=240, **options
        )  # type: ignore[call-overload]

    return run


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one finished run of a recipe, for the tests that only read it."""
    from kexp import recipes

    run_dir = tmp_path_factory.mktemp("runs") / "digits"
    recipes.mlp_images(data="digits", epochs=2, run_dir=str(run_dir), quiet=True)
    return run_dir


@pytest.fixture(autouse=True)
def examples(request: pytest.FixtureRequest) -> None:
    """Give a docstring example a finished run and a folder that does not exist yet."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    names: dict[str, Any] = request.getfixturevalue("doctest_namespace")
    source = request.node.dtest.docstring or ""  # type: ignore[union-attr]
    if "run_dir" in source and "new_dir" not in source:
        # A copy: what an example writes there is none of the tests' that share the run.
        run_dir = Path(request.getfixturevalue("tmp_path")) / "run"
        names["run_dir"] = shutil.copytree(request.getfixturevalue("digits_run"), run_dir)
    names["new_dir"] = str(Path(request.getfixturevalue("tmp_path")) / "new")
