"""What a sweep is of: described so that a later call of the same sweep is told from another's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.processes import usable_cores
from kexp.data.folds import FoldPlan
from kexp.data.memory_content import Content
from kexp.data.memory_files import keep
from kexp.data.memory_forms import in_words, is_described
from kexp.run.carried_source import PortableRecipe
from kexp.sweep.folders import data_folder, folder_path, locked, sweep_folder
from kexp.sweep.metadata import DESCRIPTION, DIMENSIONS, PROBE
from kexp.sweep.record_file import RECORD
from kexp.sweep.space.space import Space
from kexp.sweep.state import Requested, SweepDescription
from kexp.sweep.store import FIRST_PATIENCE_S, Store

_GROUPS = ("space", "arguments", "searched", "fixed")


def describe(
    recipe: PortableRecipe,
    space: Space,
    fixed: Mapping[str, Any],
    algorithm: str,
    *,
    seed: int,
    folds: FoldPlan | None,
    objective: str | None = None,
    prune: str | None = None,
    synchronous: bool = False,
) -> SweepDescription:
    """Return the description of a call, in JSON types.

    Args:
        recipe: As workers find it.
        space: What is searched.
        fixed: What every trial gets.
        algorithm: Name of what proposes trials.
        seed: Of the call, as all that follow.
        folds: What trials are trained without, or None.
        objective: The metric that is asked for.
        prune: How trials are stopped early.
        synchronous: Whether trials are proposed in rounds.
    """
    return SweepDescription(
        recipe=recipe.name,
        space=_in_json(space.to_json()),
        arguments=_in_json(dict(fixed)),
        algorithm=algorithm,
        objective=objective,
        seed=seed,
        prune=prune,
        synchronous=synchronous,
        folds=folds,
        # As many in each worker as in a process of its own: a trial is what the recipe's call gives.
        threads=len(usable_cores()),
        source=recipe.digest,
        budgeted=True,
    )


def recorded_description(directory: Path) -> SweepDescription | None:
    """Return the description that a sweep folder holds, or None."""
    if not (directory / RECORD).exists():
        return None
    store = Store(directory, create=True, patience_s=FIRST_PATIENCE_S)
    found = store.read(DESCRIPTION)
    store.close()
    return found


def record(directory: Path, description: SweepDescription, space: Space) -> None:
    """Write down what is searched, or compare it with what was.

    Raises:
        InputError: The folder holds a sweep of something else; the sentence says what differs.
    """
    store = Store(directory, create=True, patience_s=FIRST_PATIENCE_S)
    before = store.read(DESCRIPTION)
    if before is None:
        store.write(DESCRIPTION.written(description), PROBE.written(Requested.REQUESTED))
    else:
        was, now = (asdict(replace(one, threads=0, budgeted=True)) for one in (before, description))
        changes = list(dict.fromkeys(_changes(was, now)))
        if changes:
            raise InputError(
                f"dir {directory} holds a sweep of something else: {'; '.join(changes)}. Repeat its line or "
                "give another dir."
            )
    store.write(DIMENSIONS.written(list(space.dimensions)))
    store.release_all()  # the lock says that no coordinator is left, and its workers end with it
    store.close()


def _changes(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Yield what differs between two descriptions, in words."""
    in_memory = is_described(before) or is_described(now)
    if isinstance(before, dict) and isinstance(now, dict) and not in_memory:
        for key in sorted({*before, *now}):
            yield from _changes(before.get(key), now.get(key), key if key not in _GROUPS else "")
    elif before != now:
        was, become = (
            "not there" if value is None else in_words(value) if is_described(value) else str(value)
            for value in (before, now)
        )
        yield f"{name} was {was} and is now {become}"


def _in_json(content: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(content)))


@contextmanager
def recorded_folder(
    asked: str | os.PathLike[str] | None,
    description: SweepDescription,
    space: Space,
    recipe: PortableRecipe,
    content: Content | None,
) -> Iterator[tuple[Path, Store]]:
    """Hold the folder of a sweep with its recipe and its data in memory, and yield it with its record.

    Args:
        asked: Where it is to be; None: where its description says.
        description: Of the sweep.
        space: What is searched.
        recipe: As workers find it.
        content: Data in memory that trials are given, or None.

    Raises:
        InputError: The folder cannot be used, holds something else, or is held by another process.
    """
    with sweep_folder(folder_path(asked, description)) as directory, locked(directory):
        record(directory, description, space)
        recipe.write(directory)
        if content is not None:
            keep(content, data_folder(directory))
        with closing(Store(directory)) as store:
            yield directory, store
