"""A sweep as its folder records it: a table of trials, and the best of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.constraints import Count, check_value
from kexp.core.errors import InputError
from kexp.core.html_tables import summary, table
from kexp.core.search import Dimension, label
from kexp.core.user_paths import user_path
from kexp.metrics.direction import Direction
from kexp.result import Result, load
from kexp.run.run_files import names_in
from kexp.sweep.executors.executor_choice import ExecutorChoice
from kexp.sweep.folders import trial_folder
from kexp.sweep.metadata import DESCRIPTION, DIMENSIONS, TARGET, Target
from kexp.sweep.record_file import ADVICE, RECORD
from kexp.sweep.state import Trial
from kexp.sweep.store import FIRST_PATIENCE_S, Store
from kexp.sweep.target_metric import TargetMetric

if TYPE_CHECKING:
    import pandas as pd

    from kexp.report import Importance, SweepRecord
    from kexp.sweep.seed_comparison import SeedComparison


_MOST_SHOWN = 10  # trials, in a notebook


@dataclass(frozen=True)
class Sweep:
    """A sweep that has ended, or been interrupted.

    Attributes:
        dir: The sweep folder.
        trials: All trials in order.
        objective: The metric that decides between them, or None when no trial has come so far.
        mode: Whether the best is the "max" or the "min" of it.
        recipe: What was swept, where it is at hand: of a sweep from its folder it is None.
    """

    dir: Path
    trials: tuple[Trial, ...]
    objective: str | None
    mode: Direction
    recipe: Callable[..., Any] | None = field(default=None, repr=False, compare=False)

    @property
    def best(self) -> Result:
        """The result of the best completed trial.

        Raises:
            InputError: No trial has completed.
        """
        best = TargetMetric(self.objective, self.mode).best(self.trials)
        if best is None:
            raise InputError(f"dir {self.dir} holds no completed trial; see `error` of each in to_frame().")
        return load(trial_folder(self.dir, best.number))

    def run_dir(self, number: int) -> Path:
        """Return the run folder of a trial."""
        return trial_folder(self.dir, number)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per trial: number (`trial`), state, searched arguments, metrics, seconds and error."""
        import pandas as pd

        return pd.DataFrame([self._row(trial) for trial in self.trials])

    def _repr_html_(self) -> str:
        """What a notebook shows: how many trials there are, and the best of them."""
        target = TargetMetric(self.objective, self.mode)
        best = target.ranked(self.trials)[:_MOST_SHOWN]
        ended = sum(trial.state.ended for trial in self.trials)
        facts = {
            "trials": f"{len(self.trials)}, of which {ended} have ended",
            "objective": f"{self.mode} of {self.objective}" if self.objective else "",
            "best": f"trial {best[0].number}" if best else "no trial has completed",
            "folder": str(self.dir),
        }
        names = list(dict.fromkeys(name for trial in best for name in trial.searched))
        rows = [
            [one.number, one.score, *(label(one.searched.get(name, "")) for name in names)] for one in best
        ]
        shown = [table(["trial", self.objective or "", *names], rows)] if best else []
        return summary("Sweep", facts, *shown)

    def importance(self) -> Importance:
        """Return how much of the differences between trials each searched argument explains.

        Source: Hutter, Hoos and Leyton-Brown 2014; see `kexp.report.importance`.
        """
        from kexp.report import importance

        return importance(self.record())

    def report(self) -> Path:
        """Write report.html, a page that needs nothing but itself, into the sweep folder; return its path."""
        from kexp.report import write_page

        return write_page(self.record(), self.dir / "report.html")

    def retrain(
        self,
        seeds: int = 5,
        *,
        top: int = 3,
        workers: int = 1,
        cluster: str | None = None,
        resources: dict[str, float] | None = None,
        recipe: Callable[..., Any] | None = None,
        quiet: bool = False,
    ) -> SeedComparison:
        """Train the best trials again over fresh seeds; the same call again goes on where it was.

        Trials are compared on validation data; the test split is opened for the winner's runs. A trial that
        is the best of many is partly the luckiest of them, and this tells the two apart.

        Args:
            seeds: How many fresh seeds, 2 or more; default 5.
            top: How many of the best trials, 1 or more; default 3.
            workers: Processes to run them, 1 or more; default 1.
            cluster: As `kexp.sweep`'s.
            resources: As `kexp.sweep`'s.
            recipe: The recipe, of a sweep from its folder whose recipe is in a file, a script or a notebook:
                what a folder names is not run. Default: that of the sweep, or looked up by its name.
            quiet: Print nothing; default False.

        Returns:
            The trials by their means, each with its 95 % interval and whether it is better than the next.

        Raises:
            InputError: An argument does not fit, or there is no completed trial.
        """
        from kexp.sweep.reseed import reseed

        seeds, top, workers = (
            check_value(name, value, Count)
            for name, value in (("seeds", seeds), ("top", top), ("workers", workers))
        )
        executor = ExecutorChoice(workers, check_value("cluster", cluster, str | None), resources)
        executor.check()
        chosen = self.recipe if recipe is None else recipe
        found = reseed(self.dir, seeds, top, executor=executor, quiet=quiet, recipe=chosen)
        assert found is not None  # there is no budget to run out
        return found

    @property
    def retrained(self) -> SeedComparison | None:
        """What the last retraining found; None before there is one."""
        from kexp.sweep.reseed import recorded_comparison

        return recorded_comparison(self.dir)

    def record(self) -> SweepRecord:
        """Return the sweep as plain data, of which its page is made."""
        from kexp.report import SweepRecord, TrialRecord, read_history

        with closing(Store(self.dir, patience_s=FIRST_PATIENCE_S)) as store:
            description, dimensions = store.require(DESCRIPTION), store.read(DIMENSIONS) or []
        for trial in self.trials:
            self._require_searched(trial, dimensions)
        return SweepRecord(
            recipe=description.recipe_name,
            objective=self.objective or "objective",
            direction=self.mode,
            algorithm=description.algorithm,
            seed=description.seed,
            fixed=description.arguments,
            searched=tuple(dimensions),
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

    def _require_searched(self, trial: Trial, dimensions: Sequence[Dimension]) -> None:
        """Refuse a trial whose searched numbers are none, which the record must have been damaged for."""
        for one in dimensions:
            value = trial.searched.get(one.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if one.kind != "choice" and value is not None and not (number and (value > 0 or not one.log)):
                raise InputError(
                    f"file {self.dir / RECORD}: trial {trial.number}: {one.name} must be a number in "
                    f"{one}, received {str(value)[:60]!r}; {ADVICE}."
                )

    def _row(self, trial: Trial) -> dict[str, Any]:
        searched = dict.fromkeys(name for one in self.trials for name in one.searched)
        metrics = dict.fromkeys(name for one in self.trials for name in one.metrics)
        plain = {name: trial.searched.get(name) for name in searched}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
        return {
            "trial": trial.number,
            "state": str(trial.state),
            **values,
            **{name: trial.metrics.get(name) for name in metrics},
            "seconds": trial.seconds,
            "error": trial.error,
        }


def load_sweep(dir: str | os.PathLike[str]) -> Sweep:
    """Return a sweep from its folder, also while it is under way.

    Args:
        dir: The sweep folder.

    Raises:
        InputError: There is no sweep in it, or its record is damaged or locked.

    Example:
        >>> load_sweep("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: dir must be the folder of a sweep; no/such/folder holds no sweep.sqlite.
    """
    path = user_path("dir", dir)
    if RECORD not in names_in("dir", path, "the folder of a sweep"):
        raise InputError(f"dir must be the folder of a sweep; {path} holds no {RECORD}.")
    with closing(Store(path, patience_s=FIRST_PATIENCE_S)) as store:
        folds = store.require(DESCRIPTION).folds
        target = store.read(TARGET) or Target(None, "max")
        trials = tuple(store.trials())
    if folds is not None and folds.part == "test":
        raise InputError(
            f"dir must be the folder of a sweep; {path} holds a cross-validation, so use "
            "kexp.load_cross_validation."
        )
    return Sweep(path, trials, target.name, target.mode)
