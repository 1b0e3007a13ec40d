"""Keras's own tests of callbacks and of training, with `Model.fit` as it is and with `kexp.fit` in its place.

    python tools/keras_suite.py [--only WORD] [--show]

The tests are those of the source distribution of the installed Keras, which pip fetches once into a cache
outside of the checkout. They run once with Keras's own `fit`; those that pass and call it count, and run
again with kexp's. Printed is how many pass, fail and are not applicable, and each that fails with kexp alone.
The exit code is 1 if fewer than 95 % of those that count pass, or if an entry of `NOT_APPLICABLE` is stale.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("callbacks", "trainers")
NEEDED = 0.95
# Why a test does not pass that says nothing of training, or asks for what kexp does otherwise on purpose or
# lacks, by the end of its name; * stands for anything.
NOT_APPLICABLE: dict[str, str] = {
    "test_model_checkpoint_options": "a metric that no epoch has is refused, not warned of",
    "test_swap_ema_weights": "figures are the shortest decimals of their float32",
    "test_swap_ema_weights_with_loss_scale_optimizer": "as test_swap_ema_weights",
    "test_trainer_with_raggeds_*": "ragged tensors are refused: rows have one length, or are padded",
}
_Results = dict[str, dict[str, Any]]


def tests_of_keras(cache: Path) -> Path:
    """Return the folder of the tests of the installed Keras, fetched if they are not in the cache."""
    version = metadata.version("keras")
    folder = cache / f"keras-{version}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory() as name:
            # To say what it is, pip makes the package's metadata; nothing of it is installed.
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            pip += ["--no-binary", ":all:", "--no-deps", "--dest", name, f"keras=={version}"]
            subprocess.run(pip, check=True)
            (archive,) = Path(name).glob("keras-*.tar.gz")
            _extract(archive, folder)
    return folder


def _extract(archive: Path, folder: Path) -> None:
    """Extract the tests alone: what they test is the Keras that is installed."""
    partial = folder.with_name(f".{folder.name}-{os.getpid()}")
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            place = member.name.partition("/keras/src/")[2]
            if place.startswith(FOLDERS) and place.endswith("_test.py") and member.isfile():
                content = files.extractfile(member)
                assert content is not None
                path = partial / place
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    partial.rename(folder)


def outcomes(tests: Path, names: list[str], fit: str, *, processes: int = 2) -> _Results:
    """Run tests with a `fit` in processes of their own and return how they ended, by name."""
    with tempfile.TemporaryDirectory() as name:
        results = Path(name) / "results.jsonl"
        command = [sys.executable, "-m", "pytest", "-p", "keras_fit", "-q", "--no-header", "--tb=short"]
        command += ["-c", os.devnull, "--rootdir", str(tests), "--import-mode=importlib"]
        command += ["-p", "no:cacheprovider", "-o", "timeout=120", "--continue-on-collection-errors"]
        command += ["-n", str(processes), "--dist", "worksteal", *names]
        environment = {
            **os.environ,
            "KERAS_FIT": fit,
            "KERAS_FIT_RESULTS": str(results),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "TMPDIR": name,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        done = subprocess.run(command, cwd=tests, env=environment, capture_output=True, text=True)
        if not results.is_file():
            sys.exit(f"no test ran with the fit of {fit}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        lines = map(json.loads, results.read_text(encoding="utf-8").splitlines())
        return {line["name"]: line for line in lines}


def reason_of(name: str) -> str | None:
    """Return why a test is not applicable, or None if it is."""
    return next((why for end, why in NOT_APPLICABLE.items() if fnmatch.fnmatch(name, f"*{end}")), None)


def stale(counted: list[str], after: _Results) -> list[str]:
    """Return entries of `NOT_APPLICABLE` that no test fails for."""
    failed = [name for name in counted if not _passed(after, name)]
    return [end for end in NOT_APPLICABLE if not any(fnmatch.fnmatch(name, f"*{end}") for name in failed)]


def _passed(results: _Results, name: str) -> bool:
    return results.get(name, {"outcome": "did not run"})["outcome"] == "passed"


def report(counted: list[str], after: _Results, *, show: bool) -> int:
    """Print what came of it and return the exit code."""
    passed = [name for name in counted if _passed(after, name)]
    failed = [name for name in counted if not _passed(after, name)]
    named = [name for name in failed if reason_of(name)]
    for name in failed:
        result = after.get(name, {})
        last = (result.get("errors") or result.get("reason", "did not run").splitlines() or [""])[-1]
        print(f"{'not applicable' if name in named else 'failed'}: {name}\n    {reason_of(name) or last}")
        if show and name not in named:
            print(result.get("reason", ""))
    share = len(passed) / max(1, len(counted))
    old = stale(counted, after)
    for end in old:
        print(f"stale: NOT_APPLICABLE has {end}, and no test fails for it")
    print(
        f"of {len(counted)} tests that call fit and pass with Keras's: {len(passed)} passed, "
        f"{len(failed) - len(named)} failed, {len(named)} not applicable; {share:.1%} passed"
    )
    return int(share < NEEDED or bool(old))


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="tests with this in their names")
    parser.add_argument("--processes", type=int, default=2, help="that share the tests, default 2")
    parser.add_argument("--show", action="store_true", help="the end of each traceback")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kexp" / "keras-tests"
    parser.add_argument("--cache", type=Path, default=cache, help="folder that the tests are kept in")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    tests = tests_of_keras(options.cache)
    selected = [*FOLDERS, *(["-k", options.only] if options.only else [])]
    began_s = time.perf_counter()
    before = outcomes(tests, selected, "keras", processes=options.processes)
    counted = [name for name, result in before.items() if _passed(before, name) and result["calls"]]
    if not counted:
        sys.exit("no test that passes with Keras's fit calls it")
    after = outcomes(tests, counted, "kexp", processes=options.processes)
    code = report(counted, after, show=options.show)
    print(f"{time.perf_counter() - began_s:.0f} s, Keras {metadata.version('keras')}")
    sys.exit(code)


if __name__ == "__main__":
    main()
