"""The lines of pace.jsonl, read without Keras: pages of finished runs are made of them."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

from kexp.core.errors import InputError
from kexp.run.metrics_file import epoch_lines
from kexp.run.run_files import PACE

SECONDS, SAMPLES_PER_SECOND = "seconds", "samples_per_second"
LEARNING_RATE, GRADIENT_NORM = "learning_rate", "gradient_norm"


def read_pace(run_dir: Path) -> list[dict[str, float]]:
    """Return what pace.jsonl says of each epoch, "epoch" among it; nothing where it is damaged or not there.

    Example:
        >>> read_pace(Path("no/such/run"))
        []
    """
    path = run_dir / PACE
    if not path.is_file():
        return []
    found = []
    with suppress(InputError):  # of a run that is under way, on which nothing hangs
        for line in epoch_lines(path, "the pace of epochs"):
            found.append(line)
    return found


def pace_curves(run_dir: Path, epochs: int) -> dict[str, list[float]]:
    """Return learning rates, gradient norms and samples a second by epoch, NaN where they are not known.

    Example:
        >>> sorted(pace_curves(run_dir, 2))
        ['gradient_norm', 'learning_rate', 'samples_per_second']
    """
    lines = {line["epoch"]: line for line in read_pace(run_dir)}
    names = dict.fromkeys(name for line in lines.values() for name in line)
    before = max(0, int(max(lines, default=0)) - epochs)  # of a run with an `initial_epoch`
    return {
        name: [lines.get(before + epoch, {}).get(name, math.nan) for epoch in range(1, epochs + 1)]
        for name in names
        if name not in ("epoch", SECONDS)
    }
