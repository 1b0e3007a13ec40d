"""The virtual environment that the commands of the README make once and then reuse."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FOLDER = ROOT / ".venv"
_OLDEST, _NEWEST = (3, 10), (3, 13)
# Every interpreter that the checks start, hundreds, would compile TensorFlow's sources anew: 12 s each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def prepared(extra: str) -> Path:
    """Return the folder of programs of an environment with kexp and one of its extras installed.

    Args:
        extra: "cpu" to use kexp, "dev" to test it as well, "docs" to build its website.
    """
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        sys.exit(f"TensorFlow needs Python 3.10 to 3.13; this is {sys.version.split()[0]}.")
    programs = _FOLDER / ("Scripts" if os.name == "nt" else "bin")
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    # One mark for each extra, written last: an interrupted installation is done again.
    mark = _FOLDER / f"kexp-{extra}-installed"
    if mark.is_file() and mark.read_text() == wanted:
        return programs
    print(f"Installing kexp and TensorFlow into {_FOLDER} (once; about two minutes) ...", flush=True)
    if not (programs / "python").exists() and not (programs / "python.exe").exists():
        # pip 23.0, which comes with Python 3.10, tries versions for ten minutes and more.
        venv.create(_FOLDER, with_pip=True, upgrade_deps=True)
    install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["--no-compile"]  # Python compiles what is imported, a tenth of what is installed
    subprocess.run([*install, "--editable", f"{ROOT}[{extra}]"], check=True)
    mark.write_text(wanted)
    return programs


def run(program: Path, *arguments: str) -> None:
    """Run a program of the environment from the top of the checkout; end with its exit code if it fails."""
    code = subprocess.run([str(program), *arguments], cwd=ROOT).returncode
    if code:
        sys.exit(code)
