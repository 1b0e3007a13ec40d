"""A sweep as its folder records it: a table of trials, and the best of them."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.result import Result, load
from kexp.sweep.folders import trial_folder
from kexp.sweep.objective import Objective
from kexp.sweep.pool import workers_on
from kexp.sweep.store import Store, Trial

if TYPE_CHECKING:
    import pandas as pd

    from kexp.report import Importance, SweepRecord
    from kexp.sweep.retrained import Retrained


@dataclass(frozen=True)
class Sweep:
    """A sweep that has ended, or been interrupted.

    Attributes:
        dir: The sweep folder.
        trials: All trials in order.
        objective: The figure that decides between them, or None when no trial has come so far.
        mode: Whether the best is the "max" or the "min" of it.
    """

    dir: Path
    trials: tuple[Trial, ...]
    objective: str | None
    mode: str

    @property
    def best(self) -> Result:
        """The result of the best completed trial.

        Raises:
            InputError: No trial has completed.
        """
        objective = Objective(self.objective)
        objective.mode = self.mode
        best = objective.best(self.trials)
        if best is None:
            raise InputError(f"dir {self.dir} holds no completed trial; see `error` of each in to_frame().")
        return load(trial_folder(self.dir, best.number))

    def run_dir(self, number: int) -> Path:
        """Return the run folder of a trial."""
        return trial_folder(self.dir, number)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per trial: number, state, searched arguments, figures, seconds and error."""
        import pandas as pd

        return pd.DataFrame([self._row(trial) for trial in self.trials])

    def importance(self) -> Importance:
        """Return how much of the differences between trials each searched argument explains.

        Source: Hutter, Hoos and Leyton-Brown 2014; see `kexp.report.importance`.
        """
        from kexp.report import importance

        return importance(self._record())

    def report(self) -> Path:
        """Write report.html, a page that needs nothing but itself, into the sweep folder; return its path."""
        from kexp.report import write_page

        return write_page(self._record(), self.dir / "report.html")

    def retrain(
        self,
        seeds: int = 5,
        *,
        top: int = 3,
        workers: int = 1,
        cluster: str | None = None,
        resources: dict[str, float] | None = None,
        quiet: bool = False,
    ) -> Retrained:
        """Train the best trials again over fresh seeds; the same call again goes on where it was.

        Trials are compared on validation data; the test part is opened for the winner's runs. A trial that is
        the best of many is partly the luckiest of them, and this tells the two apart.

        Args:
            seeds: How many fresh seeds, 2 or more; default 5.
            top: How many of the best trials, 1 or more; default 3.
            workers: Processes to run them, 1 or more; default 1.
            cluster: As `kexp.sweep`'s.
            resources: As `kexp.sweep`'s.
            quiet: Print nothing; default False.

        Returns:
            The trials by their means, each with its 95 % interval and whether it is better than the next.

        Raises:
            InputError: An argument does not fit, or there is no completed trial.
        """
        from kexp.sweep.retrain import retrain

        at_least_one = Annotated[int, AtLeast(1)]
        for name, value in (("seeds", seeds), ("top", top), ("workers", workers)):
            check_value(name, value, at_least_one)
        pool = functools.partial(workers_on, cluster, resources, workers=workers)
        found = retrain(self.dir, seeds, top, pool=pool, workers=workers, quiet=quiet)
        assert found is not None  # there is no budget to run out
        return found

    @property
    def retrained(self) -> Retrained | None:
        """What the last retraining found; None before there is one."""
        from kexp.sweep.retrain import read

        return read(self.dir)

    def _record(self) -> SweepRecord:
        from kexp.report import Searched, SweepRecord, TrialRecord, read_history

        store = Store(self.dir)
        description, dimensions = store.fact("sweep"), store.fact("dimensions", [])
        store.close()
        return SweepRecord(
            recipe=description["recipe"].partition(":")[2],
            objective=self.objective or "objective",
            direction="min" if self.mode == "min" else "max",
            algorithm=description["algorithm"],
            seed=description["seed"],
            fixed=description["arguments"],
            searched=tuple(Searched.from_json(dimension) for dimension in dimensions),
            trials=tuple(
                TrialRecord(
                    number=trial.number,
                    state=trial.state,
                    arguments=trial.searched,
                    score=trial.score,
                    metrics=trial.metrics,
                    history=read_history(self.run_dir(trial.number)),
                    seconds=trial.seconds,
                    bytes=trial.bytes,
                    error=trial.error,
                )
                for trial in self.trials
            ),
            retraining=str(self.retrained or ""),
        )

    def _row(self, trial: Trial) -> dict[str, Any]:
        searched = dict.fromkeys(name for one in self.trials for name in one.searched)
        figures = dict.fromkeys(name for one in self.trials for name in one.metrics)
        plain = {name: trial.searched.get(name) for name in searched}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
        return {
            "trial": trial.number,
            "state": trial.state,
            **values,
            **{name: trial.metrics.get(name) for name in figures},
            "seconds": trial.seconds,
            "error": trial.error,
        }


def load_sweep(dir: str | os.PathLike[str]) -> Sweep:
    """Return a sweep from its folder, also while it is under way.

    Args:
        dir: The sweep folder.

    Raises:
        InputError: There is no sweep in it.

    Example:
        >>> load_sweep("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: dir must be the folder of a sweep; no/such/folder holds no sweep.sqlite.
    """
    path = Path(dir).expanduser()
    if not (path / "sweep.sqlite").is_file():
        raise InputError(f"dir must be the folder of a sweep; {path} holds no sweep.sqlite.")
    store = Store(path)
    objective, mode = store.fact("objective", [None, "max"])
    trials = tuple(store.trials())
    store.close()
    return Sweep(path, trials, objective, mode)
