"""What tests and the examples in docstrings share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked_python import (
    STARTING,
    close_servers,
    compare_nothing,
    forked,
    forked_without_keras,
    start_processes_by,
)

ROOT = Path(__file__).resolve().parent
# Every interpreter that a test starts would compile TensorFlow's sources anew: 12 s each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Programs are compiled to be compared, and run a few times: what makes them fast takes longer than it saves.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

# Two processes of tests share two cores, and threads that wait for one another would take them away.
for limit in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(limit, "1")

# A shell's job in the background ignores SIGINT, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

compare_nothing()  # before recipes take the defaults of their options


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the most slow tests first, so that no process ends long after the other."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection() -> None:
    """Look for no garbage while files are imported, of which there is next to none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare Python to look for garbage among all that was imported and collected, and that stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # looking for it anew after every 700 objects took a tenth of the time
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have data that are read from disk lie in a folder of the tests' own, also of processes they start."""
    os.environ["KEXP_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def forked_processes(cache_folder: None) -> Iterator[None]:
    """Have parity checks, sweeps, launches and proofs fork their processes; see tests/forked_python.py."""
    import kexp.export.parity

    kexp.export.parity.subprocess = forked_without_keras  # type: ignore[attr-defined]
    start_processes_by(forked)
    yield
    close_servers()


@pytest.fixture
def new_interpreter(forked_processes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have them start interpreters of their own, as they do for users."""
    for name in ("kexp.export.parity", *STARTING):
        monkeypatch.setattr(f"{name}.subprocess", subprocess)


@pytest.fixture(scope="session")
def run_kexp(forked_processes: None) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command line in a process of its own.

    It is forked, unless it is asked to be a new interpreter by `anew=True`.
    """

    def run(*arguments: object, anew: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "kexp.cli", *map(str, arguments)]
        start = subprocess.run if anew else forked.run
        return start(command, capture_output=True, text=True, env=environment, timeout=240, **options)

    return run


@pytest.fixture(scope="session")
def shared_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of those runs that many tests read and none may change."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def digits_run(shared_runs: Path) -> Path:
    """Return the folder of one finished run of a recipe, for the tests that only read it."""
    from kexp import recipes

    run_dir = shared_runs / "digits"
    recipes.mlp_images(data="digits", epochs=2, run_dir=str(run_dir), quiet=True)
    return run_dir


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Yield headless Chromium; a test without it is skipped, by name."""
    from tests.browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_shared_is_changed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Say which test has written into a run that others read, where it is to copy it."""
    if "digits_run" not in request.fixturenames:
        yield
        return
    folder = request.getfixturevalue("digits_run")
    before = _contents(folder)
    yield
    assert _contents(folder) == before, f"{request.node.name} has changed {folder}; copy it first"


def _contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return size and time of every file."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {
        path: (one.st_size, one.st_mtime_ns)
        for path, one in found.items()
        if path.is_file() and path.name != "lock"
    }


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
