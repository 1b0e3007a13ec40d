"""What a sweep says before its first trial, of what it searches, and after its last, of what it found."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kexp.core.search import Dimension
from kexp.sweep.budget import Budget
from kexp.sweep.folders import trial_folder
from kexp.sweep.metadata import ALONE, EVALUATION
from kexp.sweep.store import Store
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.terminal_progress import SweepProgress

_WIDTH = 20  # of the names of arguments


def searched_lines(dimensions: Sequence[Dimension], named: Iterable[str]) -> str:
    """Return what is searched, a line each: first what the caller named, then what nobody has fixed.

    Example:
        >>> rate, units = Dimension("learning_rate", "float", 0.001, 0.1), Dimension("units", "int", 8, 64)
        >>> print(searched_lines([rate, units], ["units"]))
        searched as asked:
          units                8 to 64
        searched too, since nothing fixes it:
          learning_rate        0.001 to 0.1
    """
    asked = {*named}
    parts = (
        ("searched as asked:", [one for one in dimensions if one.argument in asked]),
        ("searched too, since nothing fixes it:", [one for one in dimensions if one.argument not in asked]),
    )
    lines = [
        line
        for title, found in parts
        if found
        for line in (title, *(f"  {one.name:<{_WIDTH}} {one}" for one in found))
    ]
    return "\n".join(lines)


def say_the_end(
    progress: SweepProgress, directory: Path, store: Store, target: TargetMetric, spending: Budget
) -> None:
    """Say how a sweep has ended: what is left, the best trial with its arguments, and what to do next."""
    found = store.trials()
    ended = sum(trial.reported for trial in found)
    if spending.reached:
        progress.say(
            f"budget {spending.text} reached after {ended} of {progress.trials} trials; the others are saved."
        )
    elif ended < progress.trials:
        progress.say(f"the space has no more than these {ended} settings.")
    for reason, numbers in (store.read(ALONE) or {}).items():
        progress.say(f"trained one after the other: trials {', '.join(map(str, numbers))}, since {reason}.")
    best, evaluation = target.best(found), store.read(EVALUATION)
    if best is not None:
        metrics = {} if evaluation is None else evaluation.metrics[0]
        test = " ".join(f"{name} {value:.4g}" for name, value in metrics.items() if name.startswith("test_"))
        progress.say(f"best: trial {best.number}, {target.name} {best.score:.4g} {test}")
        progress.say(_arguments(best.searched))
    progress.say(_next_commands(directory, None if best is None else best.number))


def _arguments(searched: Mapping[str, Any]) -> str:
    return "\n".join(
        f"  {name:<{_WIDTH}} {value:.4g}" if isinstance(value, float) else f"  {name:<{_WIDTH}} {value}"
        for name, value in searched.items()
    )


def _next_commands(directory: Path, best: int | None) -> str:
    lines = [f"folder: {directory}", f"next: kexp report {shlex.quote(str(directory))}"]
    if best is not None:
        lines.append(f"      kexp export {shlex.quote(str(trial_folder(directory, best)))} served")
    return "\n".join(lines)
