"""The summary of a finished run on the terminal: its metrics, the epoch they are of, and what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kexp.metrics.intervals import interval_notes
from kexp.tasks import task_named

if TYPE_CHECKING:
    from kexp.result import Result

_WIDTH = 28  # of the names of metrics


def print_summary(result: Result) -> None:
    """Print the metrics of a run, the epoch they are of, its folder, and the commands that go on from it."""
    for name, value in result.metrics.items():
        print(f"{name:<{_WIDTH}} {value:.4f}")
    for name, (low, high) in result.intervals.items():
        if name.startswith("test_"):
            print(f"{'95 % interval':<{_WIDTH}} {name} {low:.4f} to {high:.4f}")
    for note in interval_notes(result.metrics):
        print(f"{'intervals':<{_WIDTH}} {note}")
    for output, sentence in ({} if result.classical is None else result.classical.sentences).items():
        print(f"{'classical method':<{_WIDTH}} {output and f'{output}: '}{sentence}")
    for name, text in (
        ("weights", _epoch(result)),
        ("run folder", str(result.run_dir)),
        ("next", _next_commands(result)),
    ):
        print(f"{name:<{_WIDTH}} {text}")


def _epoch(result: Result) -> str:
    if result.best_epoch is None:
        return f"of epoch {result.epochs}, the last"
    return f"of epoch {result.best_epoch} of {result.epochs}, chosen on validation data"


def _next_commands(result: Result) -> str:
    run_dir, task = shlex.quote(str(result.run_dir)), task_named(result.spec.task)
    answered = "predict served INPUT" if task.predicts_inputs else ""
    drawn = f"sample {run_dir} --output samples.png" if task.makes_samples else ""
    commands = (f"report {run_dir}", f"export {run_dir} served", answered, drawn)
    return f"\n{'':<{_WIDTH}} ".join(f"kexp {command}" for command in commands if command)
