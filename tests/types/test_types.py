"""Type checkers find nothing in what a user writes, and every mistake in it, one error each."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MISTAKES = {
    ("mistakes.py", number)
    for number, line in enumerate((HERE / "mistakes.py").read_text(encoding="utf-8").splitlines(), 1)
    if line.endswith("# mistake")
}


def pyright():
    """Return the file and line of every error, of the recipes too."""
    pytest.importorskip("basedpyright", reason="comes with kexp[dev]")
    command = ["basedpyright", "--project", HERE, "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=ROOT)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in found
        if one["severity"] == "error"
    ]


def mypy():
    """Return the file and line of every error."""
    files = [HERE / "user_code.py", HERE / "mistakes.py"]
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    found = re.findall(r"^(?:.*/)?(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    return [(name, int(line)) for name, line in found]


@pytest.mark.parametrize("check", [pyright, mypy])
def test_every_mistake_is_one_error_and_nothing_else_is(check):
    errors = check()
    assert sorted(errors) == sorted(MISTAKES)


def test_the_stubs_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "tools/stubs.py", "--check"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.stdout, done.returncode) == ("", 0)
