"""What a sweep calls a recipe for, wherever the process runs: a probe, trials, the test of the winners."""

from __future__ import annotations

import errno
import functools
import tempfile
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kexp.core.errors import InputError
from kexp.data.cache import Cache, kept_data
from kexp.data.memory_content import Content
from kexp.data.memory_files import read_kept
from kexp.data.memory_forms import in_words, is_described
from kexp.metrics.direction import Direction, known_direction, signed_metric
from kexp.run.recipe_names import find_recipe
from kexp.sweep.folders import data_folder, main_folder
from kexp.sweep.state import (
    Completed,
    Failed,
    FullDisk,
    Metrics,
    ProbeResult,
    Stopped,
    TrialOutcome,
)

if TYPE_CHECKING:
    from kexp.run.training_setup import TrainingSetup

T = TypeVar("T")
_RELEASE_S = 60.0  # how long a lost attempt at the same trial may still hold its run folder


class TrialRunner:
    """Calls one recipe in this process; only `evaluate` lets it see the test split.

    Args:
        recipe: A recipe.
        data: Folder in which data in memory are kept, if the recipe is given such.
    """

    def __init__(self, recipe: Callable[..., Any], data: Path | None = None) -> None:
        self._recipe = recipe
        self._data_folder = data
        self._content: Content | None = None
        # A folder of images takes as long to read as a small net takes to train.
        self._data: Cache = OrderedDict()

    def probe(self, arguments: dict[str, Any], objective: str | None) -> ProbeResult | Stopped:
        """Return which metrics a run gives and about what it takes, or the mistake in the arguments.

        Args:
            arguments: Of the recipe.
            objective: The metric that was asked for, with or without a sign, or None. One that cannot be
                known from the setup is looked for in what a run on three batches gives.
        """
        from kexp.run.context import capture_training, hidden_test_split

        try:
            with hidden_test_split(), kept_data(self._data):
                given = self._with_data(arguments)
                found = capture_training(_probe_result, self._recipe, **given, quiet=True)
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

    def run_trial(self, arguments: dict[str, Any], folder: Path) -> TrialOutcome:
        """Run a trial to its end, or until a signal has it saved, and return how it ended."""
        import keras

        from kexp.run.context import hidden_test_split

        keras.utils.clear_session()
        with hidden_test_split():
            return _outcome(lambda: self._call(arguments, folder))

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
            outcome = _outcome(lambda: self._call(arguments, folder))  # noqa: B023  # called at once
            if not isinstance(outcome, Completed):
                return outcome
            metrics.append(outcome.metrics)
        return metrics

    def _call(self, arguments: dict[str, Any], folder: Path) -> Metrics:
        with kept_data(self._data):
            given = self._with_data(arguments)
            result = _when_free(lambda: self._recipe(**given, run_dir=str(folder), quiet=True))
        return {name: float(value) for name, value in result.metrics.items()}

    def _with_data(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return arguments with data in memory anew, whatever an earlier trial did to its own."""
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
        short = {**arguments, "fast_dev_run": True}
        try:
            with tempfile.TemporaryDirectory() as folder:
                names = list(self._call(short, Path(folder) / "run"))
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
    return TrialRunner(find_recipe(recipe, main_folder(directory)), data_folder(directory))


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
