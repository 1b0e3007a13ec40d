"""What a sweep calls a recipe for, wherever the process runs: a probe, trials, the test of the winners."""

from __future__ import annotations

import errno
import functools
import tempfile
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from kexp.core.errors import InputError
from kexp.data.cache import Cache, kept_data
from kexp.data.dataset import Dataset
from kexp.data.folds import Fold, FoldPlan, use_fold
from kexp.data.memory_content import Content
from kexp.data.memory_files import read_kept
from kexp.data.memory_forms import in_words, is_described
from kexp.metrics.direction import Direction, known_direction, signed_metric
from kexp.run.recipe_names import find_recipe
from kexp.run.run_files import RESULT
from kexp.sweep.fold_predictions import held_rows, is_written, write_held_out
from kexp.sweep.folders import data_folder, fold_folder, main_folder, sweep_of
from kexp.sweep.metadata import DESCRIPTION
from kexp.sweep.state import (
    Completed,
    Failed,
    FullDisk,
    Metrics,
    ProbeResult,
    Stopped,
    TrialOutcome,
)
from kexp.sweep.store import Store

if TYPE_CHECKING:
    from kexp.result import Result
    from kexp.run.training_setup import TrainingSetup

T = TypeVar("T")
HeldFolds: TypeAlias = Fold | FoldPlan | None
# They are compared on validation data, however few these are.
CHOSEN_AMONG: Mapping[str, Any] = MappingProxyType({"least_validation": None})
_RELEASE_S = 60.0  # how long a lost attempt at the same trial may still hold its run folder


class TrialRunner:
    """Calls one recipe in this process; only `evaluate` lets it see the test split.

    Args:
        recipe: A recipe.
        data: Folder in which data in memory are kept, if the recipe is given such.
        defaults: Arguments of trials that give them not; default: those of trials to choose among.
    """

    def __init__(
        self,
        recipe: Callable[..., Any],
        data: Path | None = None,
        defaults: Mapping[str, Any] = CHOSEN_AMONG,
    ) -> None:
        self._recipe = recipe
        self._defaults = defaults
        self._data_folder = data
        self._content: Content | None = None
        # A folder of images takes as long to read as a small net takes to train.
        self._data: Cache = OrderedDict()

    def probe(
        self, arguments: dict[str, Any], objective: str | None, held: HeldFolds = None
    ) -> ProbeResult | Stopped:
        """Return which metrics a run gives and about what it takes, or the mistake in the arguments.

        Args:
            arguments: Of the recipe.
            objective: The metric that was asked for, with or without a sign, or None. One that cannot be
                known from the setup is looked for in what a run on three batches gives.
            held: The folds that a trial holds out, in turn; None: it has the parts of any run.
        """
        from kexp.run.context import capture_training, hidden_test_split, watched_data

        try:
            fold = held.fold(0) if isinstance(held, FoldPlan) else held
            hidden = nullcontext() if isinstance(held, Fold) else hidden_test_split()
            watched = nullcontext() if fold is None else watched_data(partial(held_rows, fold))
            with hidden, kept_data(self._data), use_fold(fold), watched:
                given = self._with_data(arguments)
                found = capture_training(_probe_result, self._recipe, **given, quiet=True)
                if isinstance(held, FoldPlan):
                    found = _times(found, len(held))
                name = None if objective is None else signed_metric(objective)[0]
                if name is not None and name not in found.metrics:
                    found.metrics.update(self._dry_metrics(arguments, name))
            return found
        except InputError as error:
            return ProbeResult(mistake=str(error))
        except KeyboardInterrupt:
            return Stopped()
        except Exception:
            return ProbeResult()  # the trials will say

    def run_trial(self, arguments: dict[str, Any], folder: Path, held: HeldFolds = None) -> TrialOutcome:
        """Run a trial to its end, or until a signal has it saved, and return how it ended.

        Args:
            arguments: Of the recipe.
            folder: The trial's.
            held: The fold that it holds out, on which it is measured; several that validate it in turn, each
                in a run folder of its own, whose means are its metrics; None: neither.
        """
        import keras

        keras.utils.clear_session()
        return self.run_with_others(arguments, folder, held)

    def run_with_others(
        self, arguments: dict[str, Any], folder: Path, held: HeldFolds = None
    ) -> TrialOutcome:
        """Do as `run_trial` in a thread, beside others in theirs: nothing that they hold is let go of."""
        from kexp.run.context import hidden_test_split

        if isinstance(held, Fold):
            return _outcome(lambda: self._fold_metrics(arguments, folder, held))
        with hidden_test_split():
            if held is None:
                return _outcome(lambda: _metrics(self._call(arguments, folder)))
            return _outcome(lambda: self._mean_metrics(arguments, folder, held))

    def evaluate(
        self, runs: Sequence[tuple[dict[str, Any], Path]]
    ) -> list[Metrics] | Failed | Stopped | FullDisk:
        """Return the metrics of finished runs, which end a second time, with the test split at hand.

        Args:
            runs: Arguments and folder of each.
        """
        metrics = []
        for arguments, folder in runs:
            (folder / "result.json").unlink(missing_ok=True)
            outcome = _outcome(lambda: _metrics(self._call(arguments, folder)))  # noqa: B023  # called at once
            if not isinstance(outcome, Completed):
                return outcome
            metrics.append(outcome.metrics)
        return metrics

    def _call(self, arguments: dict[str, Any], folder: Path) -> Result:
        from kexp.run.context import part_of_sweep

        with kept_data(self._data), part_of_sweep(sweep_of(folder)):
            given = self._with_data(arguments)
            return _when_free(lambda: self._recipe(**given, run_dir=str(folder), quiet=True))

    def _fold_metrics(self, arguments: dict[str, Any], folder: Path, fold: Fold) -> Metrics:
        """Train on all but a fold, and write down what is predicted for it."""
        from kexp.run.context import watched_data

        if not is_written(folder):
            (folder / RESULT).unlink(missing_ok=True)  # a finished run would not load its data again
        seen: list[Dataset] = []

        def on_data(data: Dataset) -> None:
            held_rows(fold, data)
            seen.append(data)

        with use_fold(fold), watched_data(on_data):
            result = self._call(arguments, folder)
        if not is_written(folder):
            write_held_out(result, seen[-1], fold, folder)
        return _metrics(result)

    def _mean_metrics(self, arguments: dict[str, Any], folder: Path, plan: FoldPlan) -> Metrics:
        """Train once for each fold, and return the means of what all of them are measured by."""
        import keras

        from kexp.run.context import watched_data

        each = []
        for number in range(len(plan)):
            fold = plan.fold(number)
            keras.utils.clear_session()
            with use_fold(fold), watched_data(partial(held_rows, fold)):
                each.append(_metrics(self._call(arguments, fold_folder(folder, number))))
        names = [name for name in each[0] if all(name in metrics for metrics in each)]
        return {name: fmean(metrics[name] for metrics in each) for name in names}

    def _with_data(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return all arguments, with data in memory anew, whatever an earlier trial did to its own."""
        arguments = {**self._defaults, **arguments}
        if not is_described(arguments.get("data")) or self._data_folder is None:
            return arguments
        if self._content is None:
            self._content = read_kept(self._data_folder)
        if self._content.described != arguments["data"]:
            raise InputError(
                f"folder {self._data_folder}: must hold the data of the trial, "
                f"{in_words(arguments['data'])}; received {in_words(self._content.described)}."
            )
        return {**arguments, "data": self._content.value()}

    def _dry_metrics(self, arguments: dict[str, Any], objective: str) -> dict[str, Direction | None]:
        """Return the metrics that a run on three batches gives; if it cannot be run so, the one asked for."""
        short = {**arguments, "fast_dev_run": True, "track": None}
        try:
            with tempfile.TemporaryDirectory() as folder:
                names = list(self._call(short, Path(folder) / "run").metrics)
        except Exception:
            names = [objective]  # the trials will say
        return {name: known_direction(name) for name in names}


@functools.cache  # Ray gives a process one task after another
def runner_for(recipe: str, threads: int, directory: Path) -> TrialRunner:
    """Return the runner of a recipe, after TensorFlow was imported and made ready.

    Args:
        recipe: Its name.
        threads: Of TensorFlow, the same whatever cores there are to run on: sums are split by it.
        directory: The sweep folder, which the recipe may lie in.

    Raises:
        InputError: There is no such recipe here.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    with closing(Store(directory)) as store:
        description = store.require(DESCRIPTION)
    decided = ("least_steps", "least_batches", "least_validation")
    defaults = {} if description.budgeted else dict.fromkeys(decided)
    if description.folds is None or description.folds.part == "validation":
        defaults = {**defaults, **CHOSEN_AMONG}
    return TrialRunner(find_recipe(recipe, main_folder(directory)), data_folder(directory), defaults)


def disk_is_full(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, is that the disk is full.

    Example:
        >>> disk_is_full(OSError(errno.ENOSPC, "No space left on device")), disk_is_full(ValueError("wrong"))
        (True, False)
    """
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return True
        error = error.__cause__
    return False


def _metrics(result: Result) -> Metrics:
    return {name: float(value) for name, value in result.metrics.items()}


def _times(probe: ProbeResult, runs: int) -> ProbeResult:
    """Return what several runs take, of what a look at one has shown."""
    seconds = None if probe.seconds is None else runs * probe.seconds
    return replace(probe, seconds=seconds, bytes=runs * probe.bytes)


def _outcome(call: Callable[[], Metrics]) -> TrialOutcome:
    try:
        return Completed(call())
    except KeyboardInterrupt:  # `kexp.core.signals.Stopped` is one
        return Stopped()
    except Exception as error:
        return FullDisk() if disk_is_full(error) else Failed("".join(traceback.format_exception(error)))


def _probe_result(training: TrainingSetup) -> ProbeResult:
    from kexp.preflight.cost import quick_estimate
    from kexp.run.monitor_choice import epoch_metrics, exact_names

    objective, expected = training.objective, quick_estimate(training)
    metrics, monitor = epoch_metrics(objective, training.data), training.monitor
    name = objective.monitor if monitor.name is None else monitor.name
    chooses = training.data.validation is not None or monitor.asked
    if chooses and name == monitor.name:
        metrics[name] = monitor.mode
    return ProbeResult(
        metrics=metrics,
        monitor=name if chooses and name in metrics else None,
        seconds=expected.epoch_s * training.options["epochs"],
        bytes=expected.disk_bytes,
        at_end=sorted({*exact_names(objective, training.data, list(metrics))} - {*training.epoch_exact}),
    )


def _when_free(run: Callable[[], T]) -> T:
    """Run once an earlier attempt, whose process or machine was given up, has let go of the run folder."""
    deadline_s = time.monotonic() + _RELEASE_S
    while True:
        try:
            return run()
        except InputError as error:
            if "being trained in by another process" not in str(error) or time.monotonic() > deadline_s:
                raise
        time.sleep(1.0)
