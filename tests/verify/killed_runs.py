"""Runs in processes of their own, one of which is killed."""

import importlib
import multiprocessing
import signal
import time

from kexp.train.checkpoint.checkpoint import newest_step
from kexp.verify.resume import first_difference

# Every run is a process of its own, forked from one that has imported TensorFlow but computed nothing.
RUNS = multiprocessing.get_context("forkserver")
RUNS.set_forkserver_preload(
    [
        *("kexp.models", "kexp.run.training_run", "kexp.evaluation.classifier", "sklearn.datasets"),
        *("matplotlib.backends.backend_agg", "matplotlib.pyplot", "pandas"),
    ]
)


def run(module, name, arguments):
    getattr(importlib.import_module(module), name)(**arguments)


def start(recipe, run_dir, arguments):
    whole = {"checkpoint_every": "1 steps", **arguments, "quiet": True, "run_dir": str(run_dir)}
    process = RUNS.Process(target=run, args=(recipe.__module__, recipe.__name__, whole))
    process.start()
    return process


def finish(process):
    process.join()
    assert process.exitcode == 0


def difference_after_a_kill(recipe, folder, **arguments):
    """Run a recipe once untouched and once killed halfway, and return the first difference."""
    finish(start(recipe, folder / "alone", arguments))
    return difference_from(folder / "alone", recipe, folder / "killed", arguments)


def difference_from(alone, recipe, killed, arguments):
    """Kill a recipe halfway, go on with it, and return the first difference from the run left alone."""
    halfway = newest_step(alone / "checkpoints") // 2
    assert halfway >= 1
    victim = start(recipe, killed, arguments)
    while newest_step(killed / "checkpoints") < halfway:
        assert victim.exitcode is None
        time.sleep(0.001)
    victim.kill()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert not (killed / "result.json").exists()
    finish(start(recipe, killed, arguments))
    return first_difference(alone, killed)
