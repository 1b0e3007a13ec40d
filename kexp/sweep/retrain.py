"""The best trials trained again over fresh seeds, by the same workers, in a record of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kexp.core.errors import InputError
from kexp.sweep.algorithms import Listed
from kexp.sweep.budget import Budget
from kexp.sweep.coordinator import Coordinator, Plan, Workers, replay
from kexp.sweep.folders import locked, strip, trial_folder
from kexp.sweep.lines import Lines
from kexp.sweep.objective import Objective
from kexp.sweep.retrained import Retrained, fresh_seeds, retrained
from kexp.sweep.store import Store, Trial


@dataclass(frozen=True)
class Retraining:
    """The runs of some trials of a sweep, each with every fresh seed, in a folder below the sweep's.

    Attributes:
        directory: Of the runs; its record has a trial for each.
        recipe: Name of the recipe.
        objective: What the trials are compared by.
        candidates: The trials, the best of the search first.
        seeds: The fresh ones.
    """

    directory: Path
    recipe: str
    objective: Objective
    candidates: tuple[Trial, ...]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, sweep_dir: Path, seeds: int, top: int) -> Retraining:
        """Return the retraining of the best trials that a sweep has so far.

        Raises:
            InputError: There are fewer than two seeds, or no completed trial.
        """
        store = Store(sweep_dir)
        description, trials = store.fact("sweep"), store.trials()
        objective = Objective(None)
        objective.name, objective.mode = store.fact("objective", [None, "max"])
        store.close()
        candidates = tuple(objective.ranked(trials)[:top])
        if not candidates:
            raise InputError(f"dir {sweep_dir} holds no completed trial to retrain.")
        used = {description["seed"], *(trial.arguments["seed"] for trial in trials)}
        what = json.dumps([description["recipe"], [trial.arguments for trial in candidates]])
        folder = sweep_dir / "retraining" / hashlib.sha256(what.encode()).hexdigest()[:8]
        return cls(
            folder, description["recipe"].partition(":")[2], objective, candidates, fresh_seeds(seeds, used)
        )

    def record(self, main: Store) -> Store:
        """Return the record of the runs, made from the sweep's if it is not there."""
        store = Store(self.directory, create=True)
        description = {**main.fact("sweep"), "arguments": {}, "prune": None, "algorithm": "retraining"}
        store.set_facts(sweep=description, look=main.fact("look"))
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

    def found(self, runs: Sequence[Trial]) -> Retrained:
        """Return the comparison by the runs that have ended."""
        by_setting = {(run.searched["trial"], run.searched["seed"]): run.metrics for run in runs}
        direction: Literal["max", "min"] = "min" if self.objective.mode == "min" else "max"
        return retrained(
            self.recipe,
            self.objective.name or "",
            direction,
            [self._shown(candidate) for candidate in self.candidates],
            self.seeds,
            [[by_setting.get((one.number, seed), {}) for seed in self.seeds] for one in self.candidates],
        )

    def winners(self, runs: Sequence[Trial]) -> list[int]:
        """Return the numbers of the best candidate's runs, in the order of the seeds."""
        found = self.found(runs)
        number = self.candidates[found.winner.place].number
        return [run.number for run in runs if run.searched["trial"] == number] if found.known else []

    def _shown(self, candidate: Trial) -> dict[str, Any]:
        return {"trial": candidate.number, **candidate.searched}


def retrain(
    sweep_dir: Path,
    seeds: int,
    top: int,
    *,
    pool: Callable[..., AbstractContextManager[Workers]],
    workers: int,
    budget: str | None = None,
    lease_s: float = 30.0,
    quiet: bool = False,
) -> Retrained | None:
    """Train the best trials of a sweep over fresh seeds, and measure the winner on test data.

    Args:
        sweep_dir: The sweep folder.
        seeds: How many, 2 or more.
        top: How many trials, 1 or more.
        pool: Returns the workers for a folder, each with so many `threads`.
        workers: How many they are.
        budget: As `kexp.sweep`'s.
        lease_s: As `kexp.sweep`'s.
        quiet: Print nothing.

    Returns:
        The comparison; None when the budget ran out before it was complete. The same call again goes on.

    Raises:
        InputError: There are fewer than two seeds, or no completed trial.
    """
    plan = Retraining.of(sweep_dir, seeds, top)
    settings = plan.settings()
    main, lines = Store(sweep_dir), Lines(len(settings), workers, len(settings), quiet=quiet)
    lines.say(f"the {len(plan.candidates)} best trials over {seeds} fresh seeds:")
    plan.directory.mkdir(parents=True, exist_ok=True)
    with locked(plan.directory):
        store, spending = plan.record(main), Budget(budget, sweep_dir, main)
        # All keep their weights until it is known which are the winner's.
        asked = Plan(
            plan.directory, plan.arguments, plan.winners, len(settings), len(settings), lease_s, False
        )
        algorithm = Listed(lambda trials: settings)
        with pool(plan.directory, threads=store.fact("sweep")["threads"]) as running:
            replay(store, algorithm, plan.objective)
            Coordinator(asked, store, algorithm, plan.objective, spending, lines).run(running)
        if not spending.reached:
            _strip_all_but(plan.winners(store.trials()), store, plan.directory)
            main.set_facts(retrained={"seeds": seeds, "top": top})
        store.close()
    main.close()
    if spending.reached:
        lines.say(f"budget {budget} reached while the best trials were trained again.")
        return None
    found = read(sweep_dir)
    lines.say(str(found))
    return found


def read(sweep_dir: Path) -> Retrained | None:
    """Return what the last retraining of a sweep has found, or None."""
    store = Store(sweep_dir)
    asked = store.fact("retrained")
    store.close()
    if asked is None:
        return None
    plan = Retraining.of(sweep_dir, asked["seeds"], asked["top"])
    if not (plan.directory / "sweep.sqlite").is_file():
        return None  # the sweep has found better trials since
    store = Store(plan.directory)
    runs, tested = store.trials(), store.fact("tested")
    store.close()
    found, winners = plan.found(runs), plan.winners(runs)
    folders = tuple(trial_folder(plan.directory, number) for number in winners)
    found = replace(found, run_dirs=folders)
    return found.with_test(tested["metrics"]) if tested and tested["trials"] == winners else found


def _strip_all_but(kept: Sequence[int], store: Store, directory: Path) -> None:
    for run in store.trials():
        if run.number not in kept and not run.stripped:
            strip(trial_folder(directory, run.number))
            store.update(run.number, stripped=1)
