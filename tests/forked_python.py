"""Processes forked from one that has imported TensorFlow and nothing else of what kexp brings.

A new interpreter spends seconds on that import alone. These have the same modules as one that has just
done it, and end by themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

FORBIDDEN = ("kexp", "keras", "tf_keras")


class ForkedPython:
    """Runs scripts one after the other, each in a process of its own."""

    def __init__(self) -> None:
        self._parent: subprocess.Popen[str] | None = None

    def run(self, script: str, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a script in a folder, as `python -c SCRIPT ARGUMENTS` would."""
        if self._parent is None:
            self._parent = subprocess.Popen(
                [sys.executable, __file__],
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._parent.stdin
        assert self._parent.stdout
        print(json.dumps([script, list(arguments), str(folder)]), file=self._parent.stdin, flush=True)
        code = int(self._parent.stdout.readline())
        said = [(folder / f".forked-{name}").read_text(errors="replace") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(list(arguments), code, *said)

    def close(self) -> None:
        if self._parent is not None:
            self._parent.communicate()


def serve() -> None:
    """Import TensorFlow, then fork for every line on stdin and answer with the exit code."""
    for name in FORBIDDEN:  # TensorFlow would import Keras
        sys.modules[name] = None  # type: ignore[assignment]
    import tensorflow  # noqa: F401

    for name in FORBIDDEN:
        del sys.modules[name]
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(script: str, arguments: list[str], folder: str) -> None:
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f".forked-{name}", os.O_CREAT | os.O_WRONLY), number)
    sys.argv = ["-c", *arguments]
    try:
        exec(compile(script, "<string>", "exec"), {"__name__": "__main__"})
        code = 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
