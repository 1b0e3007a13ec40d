"""What is to be said of the parts of a data set: how they were drawn, and what own parts share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kexp.core.errors import shown
from kexp.data.dataset import Split
from kexp.data.split_ways import SplitWay
from kexp.data.splits import RowFacts
from kexp.data.table_options import TableOptions


def split_notes(
    way: SplitWay, table: TableOptions, drawn: Mapping[str, Split], rows: Mapping[str, RowFacts]
) -> tuple[str, ...]:
    """Return what is to be said of parts that are not drawn as usual, sentences.

    Args:
        way: How parts were drawn.
        table: Which columns they go by.
        drawn: All parts.
        rows: What is known of the rows of the parts that the source has.
    """
    own = [part for part in rows if part != "train"]
    notes = list(_way_notes(way, table, drawn, own))
    for number, part in enumerate(own):
        for earlier in ("train", *own[:number]):
            notes += _group_notes(table, rows, earlier, part)
        notes += _time_notes(table, rows, part)
    return tuple(notes)


def _way_notes(
    way: SplitWay, table: TableOptions, drawn: Mapping[str, Split], own: list[str]
) -> tuple[str, ...]:
    sizes = ", ".join(f"{len(split):,} {part}" for part, split in drawn.items())
    column = {"group": table.group, "time": table.time}.get(way.name)
    if column is None:
        return ()
    if own:
        made = [part for part in drawn if part not in ("train", *own)]
        whole = "groups" if way.name == "group" else "the latest rows"
        said = f"{whole} of the training table by {shown(column)} are the {made[0]} part" if made else ""
        nothing = f"the source has the {' and the '.join(own)} part, and nothing is drawn by {shown(column)}"
        return (f"{said or nothing}: {sizes}.",)
    if way.name == "group":
        return (f"no group of {column!r} is in two parts: {sizes}.",)
    note = f"the parts follow each other by {column!r}, the latest rows are tested on: {sizes}."
    inputs = drawn["train"].inputs
    if not isinstance(inputs, Mapping) or column not in inputs:
        return (note,)
    beyond = (
        f"column {shown(column)} is an input, of which later parts have what training never had; "
        f"columns={{{shown(column)}: 'ignore'}} leaves it out."
    )
    return (note, beyond)


def _group_notes(
    table: TableOptions, rows: Mapping[str, RowFacts], earlier: str, part: str
) -> tuple[str, ...]:
    """Return what is to be said of groups that are in two parts of the source."""
    known, groups = rows[earlier].groups, rows[part].groups
    if known is None or groups is None:
        return ()
    shared = np.intersect1d(known, groups)
    if not len(shared):
        return ()
    count = int(np.isin(groups, shared).sum())
    return (
        f"{len(shared):,} of the {len(np.unique(groups)):,} groups of {table.group!r} in the {part} part, "
        f"with {count:,} of its {len(groups):,} rows, are in the {earlier} part too, such as "
        f"{shown(shared[0])}.",
    )


def _time_notes(table: TableOptions, rows: Mapping[str, RowFacts], part: str) -> tuple[str, ...]:
    """Return what is to be said of rows of a part that are older than rows that are trained on."""
    known, times = rows["train"].times, rows[part].times
    if known is None or times is None:
        return ()
    older = int((times < known.max()).sum())
    if not older:
        return ()
    return (
        f"{older:,} of the {len(times):,} rows of the {part} part are older by {table.time!r} than the "
        "latest row of the train part.",
    )
