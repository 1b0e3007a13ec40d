"""`kexp.sweep`: search a recipe's own arguments with one line."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from kexp.core.errors import InputError
from kexp.core.tensorflow_start import require_tensorflow
from kexp.metrics.direction import signed_metric
from kexp.run.carried_source import PortableRecipe
from kexp.run.recipe_names import require_not_imported
from kexp.sweep.budget import Budget
from kexp.sweep.coordinator import Coordinator, Plan, replay
from kexp.sweep.description import describe, recorded_description, recorded_folder
from kexp.sweep.folders import folder_path
from kexp.sweep.metadata import DESCRIPTION, DRAW, DRAWN, Target
from kexp.sweep.reseed import reseed
from kexp.sweep.search.algorithm import Algorithm
from kexp.sweep.search.algorithms import AlgorithmName, algorithm_for
from kexp.sweep.search.callers_oracle import oracle_target
from kexp.sweep.search.fixed_list import FixedList
from kexp.sweep.space.space import Space, checked_mapping, space_of, without_content
from kexp.sweep.state import DrawRequest, SweepDescription, Trial
from kexp.sweep.store import Store
from kexp.sweep.sweep_options import OPTIONS, SweepOptions
from kexp.sweep.sweep_outline import say_the_end, searched_lines
from kexp.sweep.sweep_result import Sweep, load_sweep
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.terminal_progress import SweepProgress
from kexp.trackers import tracked_sweep


def sweep(
    recipe: Callable[..., Any],
    *,
    trials: int = 20,
    workers: int | Literal["vectorized"] = 1,
    algorithm: AlgorithmName = "random",
    objective: str | None = None,
    space: Mapping[str, Any] | None = None,
    seed: int = 0,
    budget: str | None = None,
    keep: int = 3,
    prune: Literal["median"] | None = None,
    seeds_for_top: int = 0,
    folds: int = 0,
    dir: str | os.PathLike[str] | None = None,
    synchronous: bool = False,
    oracle: Any = None,
    cluster: str | None = None,
    resources: dict[str, float] | None = None,
    lease_s: float = 30.0,
    track: str | Sequence[str] | None = None,
    quiet: bool = False,
    **arguments: Any,
) -> Sweep:
    """Search a recipe's arguments; the same line again goes on where it was.

    Every trial is a run folder of its own. A trial sees training and validation data alone; the winner is
    measured on the test split, once, when the sweep is through. Values of `random` and `grid` trials do not
    depend on results, so that the table is the same whatever the workers and the kills. Those of `bayesian`
    and `hyperband` depend on what has ended when they are proposed, unless `synchronous`.

    Args:
        recipe: A recipe, kexp's or your own. One that other processes cannot import, of a script, a notebook
            or within a function, goes into the sweep folder with what it refers to; of a script that calls
            this under `if __name__ == "__main__":` the script does.
        trials: Settings to try in all, 1 to 100,000, default 20; more than before extends a sweep.
        workers: Processes, 1 or more and few for each core, each with its share of the cores or a GPU;
            default 1. "vectorized": trials that differ in numbers alone are trained together, as one program.
        algorithm: "random", "bayesian", "hyperband" (a promoted trial goes on with its own run) or "grid"
            (of a range, five numbers); default "random".
        objective: The metric to optimise, any of a run's, with "-" before it if less is better and "+" if
            more is; default: the one by which the recipe chooses its best epoch.
        space: What to search, by argument, in place of what the signature spans; see `space_of` in
            `kexp.sweep.space`.
        seed: Of the search and of every trial, 0 or more; default 0.
        budget: "2h" of this sweep's time or "20GB" in its folder; a larger one goes on. Default: no limit.
        keep: How many of the best trials hold weights, 1 or more; default 3.
        prune: "median" stops a trial that is worse than the median of the others at the same epoch, once five
            have completed; what is stopped then depends on the order. Default: none.
        seeds_for_top: Fresh seeds, 2 or more, to train the best `keep` trials again over at the end; the test
            split is for the winner of that. Default 0: it is for the best trial of the search.
        folds: How many, 2 or more, validate each trial in turn, whose metrics are means; the winner is
            trained on all of them. Default 0: one validation part.
        dir: The sweep folder; default: one under sweeps/, named after the recipe and what is searched.
        synchronous: Propose four trials at a time, and wait for all four: `bayesian` and `hyperband` then
            give the same table whatever the workers, too; default False.
        oracle: A new KerasTuner oracle in place of `algorithm`; what it is made for is what is optimised.
        cluster: A Ray cluster that runs `workers` trials at a time: "auto" for this machine's, or an address
            such as "ray://host:10001". Needs `kexp[ray]` and a `dir` that all machines see. Default: none.
        resources: What a trial takes of the cluster, such as {"CPU": 4, "GPU": 1}; default one CPU.
        lease_s: Seconds without a sign of life until a worker is taken for dead, 5 to 86400; default 30.
        track: Trackers to tell of the sweep and of every trial, as of `kexp.fit`; default: none.
        quiet: Print nothing; default False.
        **arguments: Arguments of the recipe, the same in every trial; data in memory go into the folder once.

    Returns:
        The sweep, as its folder records it.

    Raises:
        InputError: An argument or the space does not fit, the folder holds another sweep, or the recipe or
            its data cannot be carried to other processes.

    Example:
        >>> from kexp.recipes import mlp_images
        >>> sweep(mlp_images, trials=4, space={"dropout": (0.0, 0.9)})
        Traceback (most recent call last):
        kexp.InputError: space: dropout must be a number, from 0 to 0.5; received 0.9, ...
    """
    given = {name: value for name, value in locals().items() if name in OPTIONS}
    return search(recipe, _merged(space, arguments), given, oracle=oracle)


def search(
    recipe: Callable[..., Any],
    space: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    oracle: Any = None,
    on_start: Callable[[], object] = lambda: None,
) -> Sweep:
    """Check everything, then sweep; as `sweep`, with its plain options in a mapping.

    Args:
        recipe: A recipe.
        space: All that is said of its arguments.
        options: The others of `sweep`'s arguments, by name; see `OPTIONS`.
        oracle: As `sweep`'s.
        on_start: Called when the workers have been started, before TensorFlow is imported in this process.
    """
    portable = PortableRecipe.of(recipe)
    require_not_imported()
    checked = SweepOptions.checked(options)
    searched, content = without_content(space_of(recipe, space))
    fixed = _fixed(recipe, searched, checked)
    require_tensorflow()
    algorithm = checked.algorithm if oracle is None else type(oracle).__name__
    description = describe(
        portable,
        searched,
        fixed,
        algorithm,
        seed=checked.seed,
        folds=checked.fold_plan,
        objective=checked.objective,
        prune=checked.prune,
        synchronous=checked.synchronous,
    )
    own = _oracles_target(oracle, description, checked)
    description = description if own is None else replace(description, objective=own.name)
    after_epochs = checked.prune is not None
    target = TargetMetric(description.objective, None if own is None else own.mode, after_epochs=after_epochs)
    with (
        recorded_folder(checked.dir, description, searched, portable, content) as (directory, store),
        tracked_sweep(checked.track, directory, _tracked(description, searched)),
    ):
        by_results = _by_results(checked, oracle)
        at_once = min(checked.trials, checked.executor.at_once(by_results=by_results))
        progress = SweepProgress(checked.trials, at_once, checked.keep, quiet=checked.quiet)
        progress.say(searched_lines(searched.dimensions, space))
        spending = Budget(checked.budget, directory, store)
        threads = store.require(DESCRIPTION).threads
        with checked.executor.executor(directory, threads) as executor:
            proposes = _algorithm(recipe, searched, fixed, checked, oracle, own, store, on_start)
            replay(store, proposes, target)
            plan = _plan(directory, searched, fixed, checked, target)
            Coordinator(plan, store, proposes, target, spending, progress).run(executor)
        say_the_end(progress, directory, store, target, spending)
        if checked.seeds_for_top and target.best(store.trials()) is not None and not spending.reached:
            reseed(
                directory,
                checked.seeds_for_top,
                checked.keep,
                executor=checked.executor,
                budget=checked.budget,
                lease_s=checked.lease_s,
                quiet=checked.quiet,
                recipe=recipe,
            )
    return replace(load_sweep(directory), recipe=recipe)


def _oracles_target(oracle: Any, description: SweepDescription, options: SweepOptions) -> Target | None:
    """Return the metric that the caller's oracle is made for.

    A folder that was begun without it, as earlier versions did, goes on without it: its scores are of another
    metric.

    Raises:
        InputError: `objective` is another metric, or the other direction of it.
    """
    own = None if oracle is None else oracle_target(oracle)
    if own is None:
        return None
    if options.objective is not None:
        name, mode = signed_metric(options.objective)
        if name != own.name or mode not in (None, own.mode):
            raise InputError(
                f"objective must be what the oracle is made for, the {own.mode} of {own.name}; received "
                f"{options.objective!r}, so leave it out or make another oracle."
            )
    begun = recorded_description(folder_path(options.dir, description))
    return own if begun is None or begun.objective is not None else None


def _plan(
    directory: Path, space: Space, fixed: dict[str, Any], options: SweepOptions, target: TargetMetric
) -> Plan:
    def arguments(values: dict[str, Any]) -> dict[str, Any]:
        return {**fixed, **options.tracking, **space.arguments(values)}

    def winners(trials: Sequence[Trial]) -> list[int]:
        best = target.best(trials)
        return [] if best is None or options.seeds_for_top else [best.number]

    return Plan(
        directory,
        arguments,
        winners,
        trials=options.trials,
        keep=options.keep,
        lease_s=options.lease_s,
        synchronous=options.synchronous,
    )


def _algorithm(
    recipe: Callable[..., Any],
    space: Space,
    fixed: Mapping[str, Any],
    options: SweepOptions,
    oracle: Any,
    own: Target | None,
    store: Store,
    on_start: Callable[[], object],
) -> Algorithm:
    if _by_results(options, oracle) or options.cluster is not None:
        # KerasTuner takes seconds to import, as TensorFlow does in the workers, which have begun to.
        on_start()
        store.write(DRAW.written(None))  # which an interrupted sweep without a cluster may have left
        epochs = int(fixed.get("epochs", inspect.signature(recipe).parameters["epochs"].default))
        own_objective = own is not None
        return algorithm_for(
            options.algorithm, space, options.seed, epochs, oracle, own_objective=own_objective
        )
    # A worker has to import TensorFlow anyway; here it would take a core from them.
    store.write(DRAW.written(DrawRequest(options.trials, slot=min(1, options.executor.processes - 1))))
    return FixedList(lambda trials: store.require(DRAWN))


def _by_results(options: SweepOptions, oracle: Any) -> bool:
    """Return whether the values of a trial depend on what others have come to."""
    return oracle is not None or options.algorithm in ("bayesian", "hyperband")


def _tracked(description: SweepDescription, space: Space) -> dict[str, Any]:
    """Return the recipe of a sweep, what is searched and what every trial gets, as trackers are told."""
    searched = {dimension.name: str(dimension) for dimension in space.dimensions}
    return {"recipe": description.recipe_name, "arguments": {**description.arguments, **searched}}


def _merged(space: Mapping[str, Any] | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    space = checked_mapping(space)
    twice = sorted({*space} & {*arguments})
    if twice:
        raise InputError(f"{twice[0]} must be given once; received it both as an argument and in space.")
    return {**arguments, **space}


def _fixed(recipe: Callable[..., Any], space: Space, options: SweepOptions) -> dict[str, Any]:
    """Return what every trial gets, but for what it is to search."""
    searched = {dimension.argument for dimension in space.dimensions}
    if not searched and options.trials > 1:
        raise InputError("space must leave at least one argument to search; all of them are fixed.")
    if options.algorithm == "hyperband" and "epochs" in searched:
        raise InputError("epochs cannot be searched by hyperband, which gives them itself; fix them.")
    # By time, so that a trial that is taken over goes on within its epoch and short ones write nothing.
    own = {"seed": options.seed, "checkpoint_every": "1 minutes", **space.fixed}
    return {name: value for name, value in own.items() if name not in searched}
