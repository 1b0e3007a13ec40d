"""`kexp.cross_validate`: train a recipe once without each fold, and measure it there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kexp.core.errors import InputError
from kexp.core.search import TrialState
from kexp.core.tensorflow_start import require_tensorflow
from kexp.metrics.direction import better
from kexp.run.carried_source import PortableRecipe
from kexp.run.recipe_call import bind, refuse_callbacks
from kexp.run.recipe_names import require_not_imported
from kexp.sweep.budget import Budget
from kexp.sweep.coordinator import Coordinator, Plan, replay
from kexp.sweep.cross_validation_result import CROSS_VALIDATION, CrossValidation, load_cross_validation
from kexp.sweep.description import describe, recorded_folder
from kexp.sweep.fold_options import FOLD_OPTIONS, FoldOptions
from kexp.sweep.metadata import DESCRIPTION
from kexp.sweep.search.fixed_list import FixedList
from kexp.sweep.space.space import Space, without_content
from kexp.sweep.state import ProbeResult, Trial
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.terminal_progress import SweepProgress
from kexp.trackers import tracked_sweep


def cross_validate(
    recipe: Callable[..., Any],
    *,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    workers: int = 1,
    budget: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    cluster: str | None = None,
    resources: dict[str, float] | None = None,
    lease_s: float = 30.0,
    track: str | Sequence[str] | None = None,
    quiet: bool = False,
    **arguments: Any,
) -> CrossValidation:
    """Train a recipe once without each fold, and measure it there; the same line again goes on where it was.

    All rows are divided into folds, but those of a test part that the data have already: it stays unopened.
    Each fold in turn is the test part of a run of its own, in a run folder of its own; validation data are
    drawn from the other rows, as in any run. How rows are divided is said by the recipe's arguments `group`
    (whole groups, as scikit-learn's GroupKFold), `time` (each fold after all that it is trained on, as
    TimeSeriesSplit) and `split`, where it has them; else each class is divided in proportion. A recipe of
    `kexp.data.windows` is divided by time.

    Args:
        recipe: A recipe, kexp's or your own, whose data `kexp.data.load` or `kexp.data.windows` divides.
        folds: How many, 2 or more, at most 1000; default 5.
        repeats: How often all rows are divided anew, by another seed, 1 or more, at most 1000; default 1, and
            the only one for folds by time.
        seed: Of the division, and of each run, 0 or more; each repeat has the next one. Default 0.
        workers: Processes to run them, as `kexp.sweep`'s; default 1.
        budget: As `kexp.sweep`'s; default: no limit.
        dir: The folder; default: one under cross_validations/, named after the recipe and its arguments.
        cluster: As `kexp.sweep`'s; default: none.
        resources: As `kexp.sweep`'s.
        lease_s: As `kexp.sweep`'s; default 30.
        track: Trackers to tell of all and of every fold, as of `kexp.fit`; default: none.
        quiet: Print nothing; default False.
        **arguments: Arguments of the recipe, the same in every run; data in memory go into the folder once.

    Returns:
        Metrics of each fold, their means with intervals, and what was predicted for the held-out rows.

    Raises:
        InputError: An argument does not fit, there are too few rows for so many folds, the folder holds
            something else, or the recipe divides its data itself.

    Source:
        Kohavi, A Study of Cross-Validation and Bootstrap, IJCAI 1995; for the intervals Nadeau and Bengio,
        Inference for the Generalization Error, Machine Learning 52, 2003.

    Example:
        >>> from kexp.recipes import mlp_tabular
        >>> cross_validate(mlp_tabular, folds=1, data="iris")
        Traceback (most recent call last):
        ...
        kexp.InputError: folds must be a whole number, 2 or more; received 1.
    """
    given = {name: value for name, value in locals().items() if name in FOLD_OPTIONS}
    return run_folds(recipe, arguments, given)


def run_folds(
    recipe: Callable[..., Any],
    arguments: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    on_start: Callable[[], object] = lambda: None,
) -> CrossValidation:
    """Check everything, then train without each fold; as `cross_validate`, with its options in a mapping.

    Args:
        recipe: A recipe.
        arguments: Of the recipe.
        options: The others of `cross_validate`'s arguments, by name; see `FOLD_OPTIONS`.
        on_start: Called when the workers have been started.
    """
    portable = PortableRecipe.of(recipe)
    require_not_imported()
    checked = FoldOptions.checked(options)
    space, content = without_content(_fixed(recipe, arguments))
    require_tensorflow()
    fixed = {"checkpoint_every": "1 minutes", **space.fixed, "seed": checked.seed}
    description = describe(
        portable, space, fixed, CROSS_VALIDATION, seed=checked.seed, folds=checked.fold_plan
    )
    folds = [checked.fold_plan.fold(number) for number in range(len(checked.fold_plan))]
    settings = [{"repeat": fold.repeat, "fold": fold.number} for fold in folds]

    def arguments_of(values: dict[str, Any]) -> dict[str, Any]:
        return {**fixed, **checked.tracking, "seed": checked.seed + values["repeat"]}

    config = {"recipe": description.recipe_name, "arguments": description.arguments}
    with (
        recorded_folder(checked.dir, description, space, portable, content) as (directory, store),
        tracked_sweep(checked.track, directory, config),
    ):
        runs, at_once = len(folds), checked.executor.at_once(by_results=False)
        progress, target = FoldProgress(runs, at_once, quiet=checked.quiet), HeldOutMetric()
        spending = Budget(checked.budget, directory, store)
        plan = Plan(
            directory, arguments_of, lambda trials: [], runs, runs, checked.lease_s, synchronous=False
        )
        algorithm = FixedList(lambda trials: settings)
        # As many threads as when it was begun: sums are split by them.
        with checked.executor.executor(directory, store.require(DESCRIPTION).threads) as executor:
            on_start()
            replay(store, algorithm, target)
            Coordinator(plan, store, algorithm, target, spending, progress).run(executor)
        if spending.reached:
            progress.say(f"budget {spending.text} reached; the same line with a larger one goes on.")
    found = load_cross_validation(directory)
    if not spending.reached:
        progress.say(str(found))
    return found


def _fixed(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> Space:
    """Return the arguments of all runs, checked as a call of the recipe."""
    refuse_callbacks(arguments)
    for name in ("run_dir", "checkpoint_dir", "seed"):
        if name in arguments:
            raise InputError(
                f"{name} must be left out of the recipe's arguments: the cross-validation gives every fold "
                "one of its own."
            )
    bound = bind(recipe, **arguments)
    return Space((), {name: bound[name] for name in arguments})


class HeldOutMetric(TargetMetric):
    """The metric on the held-out fold by which progress is shown: the test figure of the recipe's monitor."""

    def __init__(self) -> None:
        super().__init__(None)

    def settle(self, probe: ProbeResult) -> None:
        if probe.mistake is not None:
            raise InputError(probe.mistake)
        if probe.monitor is not None:
            self.name = f"test_{probe.monitor.removeprefix('val_')}"
            self.mode = probe.metrics[probe.monitor] or better(self.name)

    def judged(self, trial: Trial) -> tuple[TrialState, float | None, str | None]:
        """Return a run's state, metric and error: whatever it is measured by, it is complete."""
        if self.name not in trial.metrics:
            known = [name for name in trial.metrics if name.startswith("test_")]
            self.name = next(iter([*known, *trial.metrics]), None)
        return trial.state, trial.metrics.get(self.name or ""), trial.error


class FoldProgress(SweepProgress):
    """Prints a line for each fold that ends, with the mean so far and the time that is left.

    Args:
        folds: How many there are to be, in all repeats.
        workers: How many run at a time.
        quiet: Print nothing.
    """

    noun = "folds"

    def __init__(self, folds: int, workers: int, *, quiet: bool) -> None:
        super().__init__(folds, workers, folds, quiet=quiet)

    def found(self, trials: Sequence[Trial], target: TargetMetric) -> str:
        scores = [one.score for one in trials if one.reported and one.score is not None]
        return f"mean {sum(scores) / len(scores):.4g}" if scores else "no mean yet"
