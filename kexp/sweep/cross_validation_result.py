"""A cross-validation as its folder records it: metrics of each fold, their means, and the predictions."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.core.html_tables import printed
from kexp.core.search import TrialState
from kexp.core.user_paths import user_path
from kexp.data.folds import FoldPlan
from kexp.metrics.bounds import metric_bounds
from kexp.run.run_files import names_in
from kexp.sweep.fold_predictions import PREDICTIONS, is_written, read_rows
from kexp.sweep.folders import trial_folder
from kexp.sweep.metadata import DESCRIPTION
from kexp.sweep.record_file import RECORD
from kexp.sweep.seed_comparison import CONFIDENCE, Estimate, few_values
from kexp.sweep.state import Trial
from kexp.sweep.store import FIRST_PATIENCE_S, Store

if TYPE_CHECKING:
    import pandas as pd

    from kexp.report import FoldsRecord

CROSS_VALIDATION = "cross-validation"  # the algorithm of its record
_FOLDER = "the folder of a cross-validation"


@dataclass(frozen=True)
class CrossValidation:
    """A cross-validation that has ended, or been interrupted.

    Attributes:
        dir: Its folder.
        recipe: Name of the recipe.
        plan: The folds.
        runs: A run for each fold, in order, as far as they have begun; `state`, `metrics`, `seconds` and
            `error` are of interest.
        arguments: Of the recipe in all runs.
    """

    dir: Path
    recipe: str
    plan: FoldPlan
    runs: tuple[Trial, ...]
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def completed(self) -> list[Trial]:
        """The runs that have finished."""
        return [run for run in self.runs if run.state == TrialState.COMPLETED]

    @property
    def is_complete(self) -> bool:
        """Whether all folds have been held out."""
        return len(self.completed) == len(self.plan)

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Mean, deviation and 95 % interval of each metric on the held-out folds, by its name.

        The interval is Nadeau and Bengio's, which is wider than that of independent values, since the folds
        share most of what they are trained on, and stays within the bounds of the metric. It is of the folds
        that have finished; empty as long as these are fewer than two.
        """
        done = self.completed
        if len(done) < 2:
            return {}
        ratio = fmean(read_rows(self.run_dir(run.number)).ratio for run in done)
        names = [name for name in done[0].metrics if name.startswith("test_")]
        names = [name for name in names if all(name in run.metrics for run in done)]
        return {
            name: Estimate.of([run.metrics[name] for run in done], ratio, metric_bounds(name))
            for name in names
        }

    @property
    def predictions(self) -> pd.DataFrame:
        """A row for each held-out sample of the folds that have ended, with what is expected and predicted.

        `row` is its place in the data as they were read, from 0; of `kexp.data.windows` the step of its first
        target.
        """
        import pandas as pd

        written = [self.run_dir(run.number) for run in self.completed if is_written(self.run_dir(run.number))]
        tables = [pd.read_parquet(folder / PREDICTIONS) for folder in written]
        if not tables:
            return pd.DataFrame(columns=["repeat", "fold", "row"])
        return pd.concat(tables).sort_values(["repeat", "row"], ignore_index=True)

    def run_dir(self, number: int) -> Path:
        """Return the run folder of a fold by its number in all repeats, from 0."""
        return trial_folder(self.dir, number)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per fold: repeat, fold, state, rows, metrics, seconds and error."""
        import pandas as pd

        return pd.DataFrame([self._row(run) for run in self.runs])

    def report(self) -> Path:
        """Write report.html, a page that needs nothing but itself, into the folder; return its path."""
        from kexp.report import write_folds_page

        return write_folds_page(self.record(), self.dir / "report.html")

    def record(self) -> FoldsRecord:
        """Return the cross-validation as plain data, of which its page is made."""
        from kexp.report import FoldsRecord

        return FoldsRecord(
            recipe=self.recipe,
            folds=self.plan.folds,
            repeats=self.plan.repeats,
            arguments=self.arguments,
            rows=tuple(self._row(run) for run in self.runs),
            estimates={
                name: (one.mean, one.spread, one.low, one.high) for name, one in self.estimates.items()
            },
        )

    def _row(self, run: Trial) -> dict[str, Any]:
        folder = self.run_dir(run.number)
        known = asdict(read_rows(folder)) if is_written(folder) else {}
        rows = {f"{part} rows": known.get(part) for part in ("train", "validation", "held_out")}
        names = dict.fromkeys(name for one in self.runs for name in one.metrics)
        return {
            "repeat": run.searched.get("repeat"),
            "fold": run.searched.get("fold"),
            "state": str(run.state),
            **rows,
            **{name: run.metrics.get(name) for name in names},
            "seconds": run.seconds,
            "error": run.error,
        }

    def __str__(self) -> str:
        times = "" if self.plan.repeats == 1 else f", {self.plan.repeats} times"
        ended = "" if self.is_complete else f" ({len(self.completed)} of {len(self.plan)} have ended)"
        columns = f"mean, {CONFIDENCE:.0%} interval, deviation"
        title = f"{self.recipe}: {self.plan.folds} folds{times}{ended}, {columns}"
        lines = [f"{name:<28} {estimate}  {estimate.spread:.4f}" for name, estimate in self.estimates.items()]
        lines += [
            f"repeat {run.searched.get('repeat')}, fold {run.searched.get('fold')} failed: "
            f"{(run.error or '').strip().rpartition(chr(10))[2]}"
            for run in self.runs
            if run.state == TrialState.FAILED
        ]
        lines += filter(None, [few_values(len(self.completed), "folds")])
        return "\n".join([title, *lines, f"folder                       {self.dir}"])

    def _repr_html_(self) -> str:
        return printed(self)


def load_cross_validation(dir: str | os.PathLike[str]) -> CrossValidation:
    """Return a cross-validation from its folder, also while it is under way.

    Args:
        dir: The folder.

    Raises:
        InputError: There is none in it, or its record is damaged or locked.

    Example:
        >>> load_cross_validation("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: dir must be the folder of a cross-validation; no/such/folder holds no sweep.sqlite.
    """
    path = user_path("dir", dir)
    if RECORD not in names_in("dir", path, _FOLDER):
        raise InputError(f"dir must be {_FOLDER}; {path} holds no {RECORD}.")
    with closing(Store(path, patience_s=FIRST_PATIENCE_S)) as store:
        description, runs = store.require(DESCRIPTION), tuple(store.trials())
    if description.folds is None or description.algorithm != CROSS_VALIDATION:
        raise InputError(f"dir must be {_FOLDER}; {path} holds a sweep, so use kexp.load_sweep.")
    return CrossValidation(path, description.recipe_name, description.folds, runs, description.arguments)


def is_cross_validation(directory: Path) -> bool:
    """Return whether a folder with a record has that of a cross-validation."""
    with closing(Store(directory, patience_s=FIRST_PATIENCE_S)) as store:
        return store.require(DESCRIPTION).algorithm == CROSS_VALIDATION
