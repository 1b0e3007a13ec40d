"""Sweeps of planted recipes in processes of their own, which tests kill and wait for."""

import json
import os
import sys
import time
from pathlib import Path

from tests.forked_python import forked

ROOT = Path(__file__).resolve().parents[2]
_CALL = """
import json, sys
import kexp.sweep
from tests.sweep.planted_recipes import planted
kexp.sweep(planted, **json.loads(sys.argv[1]))
"""


def start(directory, line, **streams):
    """Start a sweep in a process of its own, as its coordinator is to be killed."""
    return forked.Popen(
        [sys.executable, "-c", _CALL, json.dumps({**line, "dir": str(directory)})],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **streams,
    )


def until(condition, timeout_s=120):
    """Wait for what another process does."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
