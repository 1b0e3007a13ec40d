"""Runs in processes of their own, one of which is killed."""

import json
import signal
import sys
import time

from kexp.train.checkpoint.checkpoint import newest_step
from kexp.verify.resume import first_difference
from tests.forked_python import forked

_CALL = """
import importlib, json, sys
module, name, arguments = sys.argv[1:]
getattr(importlib.import_module(module), name)(**json.loads(arguments))
"""


def start(recipe, run_dir, arguments):
    whole = {"checkpoint_every": "1 steps", **arguments, "quiet": True, "run_dir": str(run_dir)}
    call = [recipe.__module__, recipe.__name__, json.dumps(whole)]
    return forked.Popen([sys.executable, "-c", _CALL, *call])


def difference_after_a_kill(recipe, folder, **arguments):
    """Run a recipe once untouched and once killed halfway, and return the first difference."""
    assert start(recipe, folder / "alone", arguments).wait() == 0
    return difference_from(folder / "alone", recipe, folder / "killed", arguments)


def difference_from(alone, recipe, killed, arguments):
    """Kill a recipe halfway, go on with it, and return the first difference from the run left alone."""
    halfway = newest_step(alone / "checkpoints") // 2
    assert halfway >= 1
    victim = start(recipe, killed, arguments)
    while newest_step(killed / "checkpoints") < halfway:
        assert victim.poll() is None
        time.sleep(0.001)
    victim.kill()
    assert victim.wait() == -signal.SIGKILL
    assert not (killed / "result.json").exists()
    assert start(recipe, killed, arguments).wait() == 0
    return first_difference(alone, killed)
