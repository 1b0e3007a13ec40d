"""How a run stands, finished or not, as the files in its folder say."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kexp.run.metrics_file import read_epochs
from kexp.run.run_files import CONFIG, METRICS, RESULT, read_config, read_result


@dataclass(frozen=True)
class RunStatus:
    """A run as it stands.

    Attributes:
        run_dir: Its folder.
        recipe: Its name; empty as long as it has written nothing.
        arguments: By name.
        epochs: Each with its number, as "epoch", and its metrics.
        metrics: The final ones; None as long as it is not finished.
        planned: How many epochs the data asked for; None: those of the arguments.
        changed: When the last epoch ended, by the clock of this machine, in words; empty before the first.
    """

    run_dir: Path
    recipe: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    epochs: tuple[dict[str, float], ...] = ()
    metrics: dict[str, float] | None = None
    changed: str = ""
    planned: int | None = None

    @property
    def total(self) -> int | None:
        """How many epochs there are to be; None: nobody knows."""
        total = self.planned or self.arguments.get("epochs")
        return total if isinstance(total, int) else None

    @property
    def state(self) -> str:
        """Where it stands, in words.

        Example:
            >>> RunStatus(Path("runs/first")).state
            'nothing is written yet'
        """
        if not self.recipe:
            return "nothing is written yet"
        of_all = "" if self.total is None else f" of {self.total}"
        if self.metrics is not None:
            return f"finished after {len(self.epochs)}{of_all} epochs"
        since = f"; the last one ended at {self.changed}" if self.changed else ""
        return f"not finished: {len(self.epochs)}{of_all} epochs{since}"

    @property
    def history(self) -> dict[str, list[float]]:
        """Metrics of all epochs by name, NaN where an epoch has none."""
        names = dict.fromkeys(name for epoch in self.epochs for name in epoch if name != "epoch")
        return {name: [epoch.get(name, math.nan) for epoch in self.epochs] for name in names}


def read_status(run_dir: Path) -> RunStatus:
    """Return how the run in a folder stands, also while it is under way.

    Raises:
        InputError: A file of it is damaged.

    Example:
        >>> read_status(Path("no/such/run")).epochs
        ()
    """
    if not (run_dir / CONFIG).exists():
        return RunStatus(run_dir)
    config = read_config(run_dir)
    epochs = tuple(read_epochs(run_dir))
    metrics = read_result(run_dir)["metrics"] if (run_dir / RESULT).exists() else None
    changed = time.strftime("%H:%M:%S", time.localtime(os.stat(run_dir / METRICS).st_mtime)) if epochs else ""
    planned = config.get("epochs")
    return RunStatus(run_dir, config["recipe"], config["arguments"], epochs, metrics, changed, planned)
