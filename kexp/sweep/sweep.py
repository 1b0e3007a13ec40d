"""`kexp.sweep`: search a recipe's own arguments with one line."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from kexp.core.backend import require_tensorflow
from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.processes import usable_cores
from kexp.sweep.algorithms import Algorithm, AlgorithmName, Listed, algorithm_for
from kexp.sweep.budget import Budget, parse_budget
from kexp.sweep.coordinator import Coordinator, Plan, replay
from kexp.sweep.folders import locked
from kexp.sweep.lines import Lines
from kexp.sweep.objective import Objective
from kexp.sweep.pool import workers_on
from kexp.sweep.result import Sweep, load_sweep
from kexp.sweep.retrain import retrain
from kexp.sweep.space import Space, space_of
from kexp.sweep.store import Store, Trial

_OPTION_TYPES: dict[str, Any] = {
    "trials": Annotated[int, AtLeast(1)],
    "workers": Annotated[int, AtLeast(1)],
    "algorithm": AlgorithmName,
    "objective": str | None,
    "seed": Annotated[int, Between(0, 2**31 - 1)],
    "keep": Annotated[int, AtLeast(1)],
    "prune": Literal["median"] | None,
    "seeds_for_top": Annotated[int, AtLeast(0)],
    "synchronous": bool,
    "cluster": str | None,
    "lease_s": Annotated[float, AtLeast(5)],
    "quiet": bool,
}
OPTIONS = (*_OPTION_TYPES, "budget", "dir", "resources")
_GROUPS = ("space", "arguments", "searched", "fixed")


def sweep(
    recipe: Callable[..., Any],
    *,
    trials: int = 20,
    workers: int = 1,
    algorithm: AlgorithmName = "random",
    objective: str | None = None,
    space: Mapping[str, Any] | None = None,
    seed: int = 0,
    budget: str | None = None,
    keep: int = 3,
    prune: Literal["median"] | None = None,
    seeds_for_top: int = 0,
    dir: str | os.PathLike[str] | None = None,
    synchronous: bool = False,
    oracle: Any = None,
    cluster: str | None = None,
    resources: dict[str, float] | None = None,
    lease_s: float = 30.0,
    quiet: bool = False,
    **arguments: Any,
) -> Sweep:
    """Search a recipe's arguments; the same line again goes on where it was.

    Every trial is a run folder of its own. A trial sees training and validation data alone; the winner is
    measured on the test part, once, when the sweep is through. Values of `random` and `grid` trials do not
    depend on results, so that the table is the same whatever the workers and the kills. Those of `bayesian`
    and `hyperband` depend on what has ended when they are proposed, unless `synchronous`.

    Args:
        recipe: A recipe in a module that can be imported, kexp's or your own.
        trials: How many settings to try in all, 1 or more; default 20. More than before extends a sweep.
        workers: Processes to run them, 1 or more, each with its share of the cores or a GPU; default 1.
        algorithm: "random", "bayesian", "hyperband" (a promoted trial goes on with its own run) or "grid"
            (of a range, five numbers); default "random".
        objective: The figure to optimise; default: the one by which the recipe chooses its best epoch.
        space: What to search, by argument, in place of what the signature spans; see `kexp.sweep.space_of`.
        seed: Of the search and of every trial, 0 or more; default 0.
        budget: "2h" of this sweep's time or "20GB" in its folder; running trials are then saved, and a larger
            budget goes on with them. Default: no limit.
        keep: How many of the best trials hold weights, 1 or more; default 3.
        prune: "median" stops a trial that is worse than the median of the others at the same epoch, once five
            have completed; what is stopped then depends on the order. Default: none.
        seeds_for_top: Over how many fresh seeds, 2 or more, to train the best `keep` trials again at the end;
            the winner of that is measured on the test part. Default 0: the best trial of the search is.
        dir: The sweep folder; default: one under sweeps/, named after the recipe and what is searched.
        synchronous: Propose four trials at a time, and wait for all four, so that `bayesian` and `hyperband`
            give the same table whatever the workers, too; default False.
        oracle: A new KerasTuner oracle in place of `algorithm`.
        cluster: A Ray cluster that runs the trials, `workers` of them at a time: "auto" for the one that this
            machine belongs to, or an address, "ray://host:10001". Needs `kexp[ray]`, and a `dir` that all
            machines see. Default: none, processes on this machine.
        resources: What a trial takes of the cluster, such as {"CPU": 4, "GPU": 1}; default one CPU.
        lease_s: Seconds without a sign of life after which a worker is taken for dead, 5 or more; default 30.
        quiet: Print nothing; default False.
        **arguments: Arguments of the recipe, the same in every trial.

    Returns:
        The sweep, as its folder records it.

    Raises:
        InputError: An argument or the space does not fit, or the folder holds another sweep.

    Example:
        >>> from kexp.recipes import mlp_images
        >>> sweep(mlp_images, trials=4, space={"dropout": (0.0, 0.9)})
        Traceback (most recent call last):
        ...
        kexp.InputError: space: dropout must be a number, from 0 to 0.5; received 0.9, ...
    """
    given = {name: value for name, value in locals().items() if name in OPTIONS}
    return search(recipe, _merged(space or {}, arguments), given, oracle=oracle)


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
    checked = _checked(options)
    searched = space_of(recipe, space)
    fixed = _fixed(recipe, searched, checked)
    description = _described(recipe, searched, fixed, checked, oracle)
    require_tensorflow()
    directory = _directory(checked["dir"], recipe, description)
    with locked(directory):
        _recorded(directory, description)
        store = Store(directory)
        store.set_facts(dimensions=[dataclasses.asdict(dimension) for dimension in searched.dimensions])
        store.release_all()  # the lock says that no coordinator is left, and its workers end with it
        lines = Lines(checked["trials"], checked["workers"], checked["keep"], quiet=checked["quiet"])
        objective, spending = Objective(checked["objective"]), Budget(checked["budget"], directory, store)
        plan = _plan(directory, searched, fixed, checked, objective)
        pool = functools.partial(
            workers_on, checked["cluster"], checked["resources"], workers=checked["workers"]
        )
        with pool(directory, threads=store.fact("sweep")["threads"]) as workers:
            algorithm = _algorithm(recipe, searched, fixed, checked, oracle, store, on_start)
            replay(store, algorithm, objective)
            Coordinator(plan, store, algorithm, objective, spending, lines).run(workers)
        _say_the_end(lines, store, objective, spending)
        again = checked["seeds_for_top"] and not spending.reached and objective.best(store.trials())
        store.close()
        if again:
            retrain(
                directory,
                checked["seeds_for_top"],
                checked["keep"],
                pool=pool,
                **{name: checked[name] for name in ("workers", "budget", "lease_s", "quiet")},
            )
    return load_sweep(directory)


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    by_type = {name: check_value(name, options[name], kind) for name, kind in _OPTION_TYPES.items()}
    parse_budget(options["budget"])
    if options["seeds_for_top"] == 1:
        raise InputError("seeds_for_top must be 0, or 2 or more for a confidence interval; received 1.")
    if options["prune"] and options["cluster"]:
        raise InputError("prune cannot be used with cluster; leave one of them out.")
    if options["resources"] and not options["cluster"]:
        raise InputError("resources needs cluster, whose machines have them; give cluster or leave it out.")
    return {**options, **by_type}


def _plan(
    directory: Path, space: Space, fixed: dict[str, Any], options: Mapping[str, Any], objective: Objective
) -> Plan:
    def arguments(values: dict[str, Any]) -> dict[str, Any]:
        return {**fixed, **space.arguments(values)}

    def winners(trials: Sequence[Trial]) -> list[int]:
        best = objective.best(trials)
        return [] if best is None or options["seeds_for_top"] else [best.number]

    own = {name: options[name] for name in ("trials", "keep", "lease_s", "synchronous")}
    return Plan(directory, arguments, winners, **own)


def _algorithm(
    recipe: Callable[..., Any],
    space: Space,
    fixed: Mapping[str, Any],
    options: Mapping[str, Any],
    oracle: Any,
    store: Store,
    on_start: Callable[[], object],
) -> Algorithm:
    by_results = oracle is not None or options["algorithm"] in ("bayesian", "hyperband")
    if by_results or options["cluster"] is not None:
        # KerasTuner takes seconds to import, as TensorFlow does in the workers, which have begun to.
        on_start()
        store.set_facts(draw=None)  # which an interrupted sweep without a cluster may have left
        return algorithm_for(options["algorithm"], space, options["seed"], _epochs(recipe, fixed), oracle)
    # A worker has to import TensorFlow anyway; here it would take a core from them.
    store.set_facts(draw={"trials": options["trials"], "slot": min(1, options["workers"] - 1)})
    return Listed(lambda trials: store.fact("drawn"))


def _merged(space: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    twice = sorted({*space} & {*arguments})
    if twice:
        raise InputError(f"{twice[0]} must be given once; received it both as an argument and in space.")
    return {**arguments, **space}


def _fixed(recipe: Callable[..., Any], space: Space, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every trial gets, but for what it is to search."""
    if not getattr(recipe, "is_recipe", False):
        raise InputError(f"recipe must be a function made by @kexp.recipe; received {recipe!r}.")
    if recipe.__module__ == "__main__":
        raise InputError(
            f"recipe {recipe.__name__} must be in a module that another process can import; "
            "move it from the script into a file of its own."
        )
    searched = {dimension.argument for dimension in space.dimensions}
    if not searched and options["trials"] > 1:
        raise InputError("space must leave at least one argument to search; all of them are fixed.")
    if options["algorithm"] == "hyperband" and "epochs" in searched:
        raise InputError("epochs cannot be searched by hyperband, which gives them itself; fix them.")
    # By time, so that a trial that is taken over goes on within its epoch and short ones write nothing.
    own = {"seed": options["seed"], "checkpoint_every": "1 minutes", **space.fixed}
    return {name: value for name, value in own.items() if name not in searched}


def _epochs(recipe: Callable[..., Any], fixed: Mapping[str, Any]) -> int:
    return int(fixed.get("epochs", inspect.signature(recipe).parameters["epochs"].default))


def _described(
    recipe: Callable[..., Any],
    space: Space,
    fixed: Mapping[str, Any],
    options: Mapping[str, Any],
    oracle: Any,
) -> dict[str, Any]:
    """Return what must be the same in every call of a sweep."""
    name = options["algorithm"] if oracle is None else type(oracle).__name__
    description = {
        "recipe": f"{recipe.__module__}:{recipe.__name__}",
        "space": space.to_json(),
        "arguments": fixed,
        "algorithm": name,
        **{name: options[name] for name in ("objective", "seed", "prune", "synchronous")},
    }
    return dict(json.loads(json.dumps(description)))


def _directory(
    asked: str | os.PathLike[str] | None, recipe: Callable[..., Any], description: dict[str, Any]
) -> Path:
    if asked is None:
        digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:8]
        asked = Path("sweeps") / f"{recipe.__name__}-{digest}"
    path = Path(asked).expanduser()
    if path.exists() and not path.is_dir():
        raise InputError(f"dir must be a folder; {path} is a file, so give another path.")
    if path.is_dir() and any(path.iterdir()) and not (path / "sweep.lock").exists():
        raise InputError(f"dir {path} holds files that are not a sweep; give an empty or new folder.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"dir {path} cannot be made: {error.strerror}; give another path.") from None
    return path


def _recorded(directory: Path, description: dict[str, Any]) -> None:
    """Write down what is searched, or compare it with what was.

    Raises:
        InputError: The folder holds a sweep of something else; the sentence says what differs.
    """
    store = Store(directory, create=True)
    before = store.fact("sweep")
    if before is None:
        # As many threads in each worker as in a process of its own: a trial is what the recipe's call gives.
        store.set_facts(sweep={**description, "threads": len(usable_cores())}, look="wanted")
    else:
        changes = list(_changes(before, description))
        if changes:
            raise InputError(
                f"dir {directory} holds a sweep of something else: {'; '.join(changes)}. Repeat its line or "
                "give another dir."
            )
    store.close()


def _changes(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Yield what differs between two descriptions, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now} - {"threads"}):
            yield from _changes(before.get(key), now.get(key), key if key not in _GROUPS else "")
    elif before != now:
        was, become = ("not there" if value is None else str(value) for value in (before, now))
        yield f"{name} was {was} and is now {become}"


def _say_the_end(lines: Lines, store: Store, objective: Objective, spending: Budget) -> None:
    found = store.trials()
    ended = sum(trial.told for trial in found)
    if spending.reached:
        lines.say(
            f"budget {spending.text} reached after {ended} of {lines.trials} trials; the others are saved."
        )
    elif ended < lines.trials:
        lines.say(f"the space has no more than these {ended} settings.")
    best, tested = objective.best(found), store.fact("tested")
    if best is not None:
        test = " ".join(
            f"{name} {value:.4g}"
            for name, value in (tested or {"metrics": [{}]})["metrics"][0].items()
            if name.startswith("test_")
        )
        lines.say(f"best: trial {best.number}, {objective.name} {best.score:.4g} {test}")
