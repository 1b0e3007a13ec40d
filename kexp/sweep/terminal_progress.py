"""What a sweep says on the terminal: an estimate, a line per trial, and how it ended."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from kexp.core.search import TrialState
from kexp.sweep.state import ProbeResult, Trial
from kexp.sweep.target_metric import TargetMetric


class SweepProgress:
    """Prints a line for each trial that ends, with the best so far and the time that is left.

    Args:
        trials: How many there are to be.
        at_once: How many run at a time.
        keep: How many hold weights at the end.
        quiet: Print nothing.

    Attributes:
        noun: What ends, in the plural.
    """

    noun = "trials"

    def __init__(self, trials: int, at_once: int, keep: int, *, quiet: bool) -> None:
        self.trials = trials
        self.at_once = at_once
        self._keep = keep
        self._quiet = quiet
        self._probe: ProbeResult | None = None

    def say(self, text: str) -> None:
        """Print lines, none longer than the terminal is wide."""
        if not self._quiet:
            width = (
                shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else 500
            )
            for line in text.splitlines():
                print(line if len(line) <= width else line[: width - 1] + "…", flush=True)

    def estimate(self, probe: ProbeResult) -> None:
        """Say, once, what the sweep will take by what a look at a run has shown."""
        if self._probe is None:
            self._probe = probe
            if probe.seconds is not None:
                self.say(f"{self.trials} {self.noun}, {self.at_once} at a time: {self._left([])}")

    def trial(self, trial: Trial, trials: Sequence[Trial], target: TargetMetric) -> None:
        """Say how a trial ended."""
        ended = sum(one.reported for one in trials)
        if trial.state == TrialState.FAILED:
            result = (trial.error or "").strip().rpartition("\n")[2]
        else:
            result = f"{target.name} {_short(trial.score)}"
        values = " ".join(f"{name}={_short(value)}" for name, value in trial.searched.items())
        state = "" if trial.state == TrialState.COMPLETED else f" {trial.state}:"
        self.say(
            f"{ended}/{self.trials} {self.noun[:-1]} {trial.number}{state} {result}, {trial.seconds:.1f} s; "
            f"{self.found(trials, target)}; {self._left(trials)}; {values}"
        )

    def found(self, trials: Sequence[Trial], target: TargetMetric) -> str:
        """Return what the trials have shown so far, in words."""
        best = target.best(trials)
        return f"best {_short(best.score)} (trial {best.number})" if best else "no best yet"

    def _left(self, trials: Sequence[Trial]) -> str:
        """Return the time and the disk that the trials still to come will take."""
        probe = self._probe or ProbeResult()
        done = [trial for trial in trials if trial.reported and trial.state != TrialState.FAILED]
        to_come = max(0, self.trials - sum(trial.reported for trial in trials))
        full = max([trial.bytes for trial in done if not trial.stripped], default=probe.bytes)
        small = max([trial.bytes for trial in done if trial.stripped], default=0)
        each_s = sum(trial.seconds for trial in done) / len(done) if done else probe.seconds or 0.0
        kept = min(self._keep, self.trials) * full + max(0, self.trials - self._keep) * small
        return f"{duration(to_come * each_s / self.at_once)} left, {kept / 1e6:.1f} MB in the end"


def duration(seconds: float) -> str:
    """Return a time in words.

    Example:
        >>> duration(42.3), duration(400), duration(9000)
        ('42 s', '7 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
