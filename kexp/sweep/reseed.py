"""The best trials trained again over fresh seeds, by the same workers, in a record of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.run.carried_source import PortableRecipe
from kexp.run.recipe_names import find_recipe
from kexp.run.recipe_source import is_file_name
from kexp.sweep.budget import Budget
from kexp.sweep.coordinator import Coordinator, Plan, replay
from kexp.sweep.executors.executor_choice import ExecutorChoice
from kexp.sweep.folders import RETRAINING, locked, prune_artifacts, trial_folder
from kexp.sweep.metadata import COMPARISON, DESCRIPTION, EVALUATION, PROBE, TARGET, Comparison
from kexp.sweep.record_file import RECORD
from kexp.sweep.search.fixed_list import FixedList
from kexp.sweep.seed_comparison import SeedComparison, compare_seeds, few_values, fresh_seeds
from kexp.sweep.state import Trial
from kexp.sweep.store import Store
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.terminal_progress import SweepProgress


@dataclass(frozen=True)
class ReseedPlan:
    """The runs of some trials of a sweep, each with every fresh seed, in a folder below the sweep's.

    Attributes:
        directory: Of the runs; its record has a trial for each.
        recipe: Name of the recipe.
        target: What the trials are compared by.
        candidates: The trials, the best of the search first.
        seeds: The fresh ones.
    """

    directory: Path
    recipe: str
    target: TargetMetric
    candidates: tuple[Trial, ...]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, sweep_dir: Path, seeds: int, top: int) -> ReseedPlan:
        """Return the plan for the best trials that a sweep has so far.

        Raises:
            InputError: There are fewer than two seeds, or no completed trial.
        """
        with closing(Store(sweep_dir)) as store:
            description, trials = store.require(DESCRIPTION), store.trials()
            target = TargetMetric.recorded(store.read(TARGET))
        candidates = tuple(target.ranked(trials)[:top])
        if not candidates:
            raise InputError(f"dir {sweep_dir} holds no completed trial to retrain.")
        used = {description.seed, *(trial.arguments.get("seed", description.seed) for trial in trials)}
        what = json.dumps([description.recipe, [trial.arguments for trial in candidates]])
        folder = sweep_dir / RETRAINING / hashlib.sha256(what.encode()).hexdigest()[:8]
        return cls(folder, description.recipe_name, target, candidates, fresh_seeds(seeds, used))

    def record(self, main: Store) -> Store:
        """Return the record of the runs, made from the sweep's if it is not there."""
        store = Store(self.directory, create=True)
        description = replace(
            main.require(DESCRIPTION),
            arguments={},
            prune=None,
            algorithm="retraining",
        )
        store.write(DESCRIPTION.written(description), PROBE.written(main.require(PROBE)))
        store.release_all()
        return store

    def settings(self) -> list[dict[str, int]]:
        """Return the runs by the order in which they are made: every candidate has its first value early."""
        return [
            {"trial": candidate.number, "seed": seed} for seed in self.seeds for candidate in self.candidates
        ]

    def arguments(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return what the recipe is called with in a run."""
        candidate = next(one for one in self.candidates if one.number == values["trial"])
        return {**candidate.arguments, "seed": values["seed"]}

    def found(self, runs: Sequence[Trial]) -> SeedComparison:
        """Return the comparison by the runs that have ended."""
        by_setting = {(run.searched.get("trial"), run.searched.get("seed")): run.metrics for run in runs}
        return compare_seeds(
            self.recipe,
            self.target.name or "",
            self.target.mode,
            [self._shown(candidate) for candidate in self.candidates],
            self.seeds,
            [[by_setting.get((one.number, seed), {}) for seed in self.seeds] for one in self.candidates],
        )

    def winners(self, runs: Sequence[Trial]) -> list[int]:
        """Return the numbers of the best candidate's runs, in the order of the seeds."""
        found = self.found(runs)
        number = self.candidates[found.winner.place].number
        return [run.number for run in runs if run.searched.get("trial") == number] if found.known else []

    def _shown(self, candidate: Trial) -> dict[str, Any]:
        return {"trial": candidate.number, **candidate.searched}


def reseed(
    sweep_dir: Path,
    seeds: int,
    top: int,
    *,
    executor: ExecutorChoice,
    budget: str | None = None,
    lease_s: float = 30.0,
    quiet: bool = False,
    recipe: Callable[..., Any] | None = None,
) -> SeedComparison | None:
    """Train the best trials of a sweep over fresh seeds, and measure the winner on test data.

    Args:
        sweep_dir: The sweep folder.
        seeds: How many, 2 or more.
        top: How many trials, 1 or more.
        executor: Where they run.
        budget: As `kexp.sweep`'s.
        lease_s: As `kexp.sweep`'s.
        quiet: Print nothing.
        recipe: The recipe, where its name alone is not to be trusted.

    Returns:
        The comparison; None when the budget ran out before it was complete. The same call again goes on.

    Raises:
        InputError: There are fewer than two seeds, or no completed trial.
    """
    plan = ReseedPlan.of(sweep_dir, seeds, top)
    _require_recipe(sweep_dir, recipe)
    runs = len(plan.settings())
    main = Store(sweep_dir)
    progress = SweepProgress(runs, executor.at_once(by_results=False), runs, quiet=quiet)
    progress.say(f"the {len(plan.candidates)} best trials over {seeds} fresh seeds:")
    if few_values(seeds):
        progress.say(few_values(seeds))
    plan.directory.mkdir(parents=True, exist_ok=True)
    with locked(plan.directory):
        store, spending = plan.record(main), Budget(budget, sweep_dir, main)
        _run(plan, store, executor, spending, lease_s, progress)
        if not spending.reached:
            _prune_all_but(plan.winners(store.trials()), store, plan.directory)
            main.write(COMPARISON.written(Comparison(seeds, top)))
        store.close()
    main.close()
    if spending.reached:
        progress.say(f"budget {budget} reached while the best trials were trained again.")
        return None
    found = recorded_comparison(sweep_dir)
    progress.say(str(found))
    return found


def _require_recipe(sweep_dir: Path, recipe: Callable[..., Any] | None) -> None:
    """Refuse a sweep whose recipe cannot be found here, or is a file that nobody but its record names."""
    with closing(Store(sweep_dir)) as store:
        description = store.require(DESCRIPTION)
    name, place = description.recipe, f"file {sweep_dir / RECORD}"
    if recipe is not None:
        portable = PortableRecipe.of(recipe)
        if (portable.name, portable.digest) != (name, description.source):
            raise InputError(
                f"recipe must be that of the sweep in {sweep_dir}, {name[:60]}; received {portable.name}, or "
                "its source has changed since."
            )
        portable.write(sweep_dir)
    elif is_file_name(name.rpartition(":")[0]):
        raise InputError(
            f"{place}: names a file, {name[:60]!r}, and no folder says what is run; give the recipe, "
            "retrain(recipe=…)."
        )
    else:
        try:
            find_recipe(name)
        except InputError as error:
            raise InputError(
                f"{place}: recipe must be one that can be imported here, received {name[:60]!r} "
                f"({str(error).rstrip('.')}); run where its module is."
            ) from None


def _run(
    plan: ReseedPlan,
    store: Store,
    executor: ExecutorChoice,
    spending: Budget,
    lease_s: float,
    progress: SweepProgress,
) -> None:
    settings = plan.settings()
    runs = len(settings)
    # All keep their weights until it is known which are the winner's.
    asked = Plan(plan.directory, plan.arguments, plan.winners, runs, runs, lease_s, synchronous=False)
    algorithm = FixedList(lambda trials: settings)
    with executor.executor(plan.directory, store.require(DESCRIPTION).threads) as workers:
        replay(store, algorithm, plan.target)
        Coordinator(asked, store, algorithm, plan.target, spending, progress).run(workers)


def recorded_comparison(sweep_dir: Path) -> SeedComparison | None:
    """Return what the last retraining of a sweep has found, or None."""
    with closing(Store(sweep_dir)) as store:
        asked = store.read(COMPARISON)
    if asked is None:
        return None
    plan = ReseedPlan.of(sweep_dir, asked.seeds, asked.top)
    if not (plan.directory / RECORD).exists():
        return None  # the sweep has found better trials since
    with closing(Store(plan.directory)) as store:
        runs, evaluation = store.trials(), store.read(EVALUATION)
    found, winners = plan.found(runs), plan.winners(runs)
    folders = tuple(trial_folder(plan.directory, number) for number in winners)
    found = replace(found, run_dirs=folders)
    if evaluation is None or evaluation.trials != winners:
        return found
    return found.with_test(evaluation.metrics)


def _prune_all_but(kept: Sequence[int], store: Store, directory: Path) -> None:
    for run in store.trials():
        if run.number not in kept and not run.stripped:
            prune_artifacts(trial_folder(directory, run.number))
            store.update(run.number, stripped=1)
