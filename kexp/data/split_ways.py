"""The ways to draw parts: each class in proportion, at random, whole groups, or the latest rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError, nearest, shown
from kexp.data.table_options import TableOptions

SplitName = Literal["stratified", "random", "group", "time"]


@dataclass(frozen=True)
class SplitWay:
    """How parts are drawn.

    Attributes:
        name: "stratified", "random", "group" or "time".
        gap: Of a split by time, how much later a part begins than the one before it ends.
    """

    name: SplitName = "stratified"
    gap: float = 0.0


def chosen_way(split: object, table: TableOptions, gap: object) -> SplitWay:
    """Return the way that a caller asks for, or that follows from the columns that are named.

    Raises:
        InputError: It is unknown, or lacks the column that it goes by.

    Example:
        >>> chosen_way(None, TableOptions(group="patient"), 0).name, chosen_way(None, TableOptions(), 0).name
        ('group', 'stratified')
    """
    known = get_args(SplitName)
    if split is not None and split not in known:
        raise InputError(
            f"split={shown(split)}: expected {', '.join(map(repr, known))}{nearest(str(split), known)}; pass "
            "one or leave it out."
        )
    named = {"group": table.group, "time": table.time}
    implied = [way for way, column in named.items() if column is not None]
    if split is None and len(implied) > 1:
        raise InputError("split: expected 'group' or 'time' where both columns are named; pass one of them.")
    name: SplitName = split or (implied[0] if implied else "stratified")  # type: ignore[assignment]
    if named.get(name, "") is None:
        raise InputError(f"split={name!r}: expected the column {name}= that it goes by; name it.")
    length: float = check_value("gap", gap, Annotated[float, AtLeast(0.0)])
    if length and name != "time":
        raise InputError(f"gap={shown(gap)}: only a split by time has a gap; leave it out, or name time=.")
    return SplitWay(name, length)


def held_groups(
    groups: np.ndarray, fraction: float, seed: int, keep: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows by whole groups, about a share of the rows held out.

    Args:
        groups: (rows,) what each row belongs to.
        fraction: Share of the rows to hold out, above 0 and below 1.
        seed: Seed of the draw, 0 or more.
        keep: Groups that stay, whatever the fraction; default 1.

    Returns:
        The rows that are kept and those held out, both ascending.

    Raises:
        InputError: There are too few groups.

    Example:
        >>> kept, held = held_groups(np.array(["a", "a", "b", "b", "c", "c"]), fraction=0.3, seed=0)
        >>> len(held), {"a", "a", "b", "b", "c", "c"} >= set(np.array(list("aabbcc"))[held])
        (2, True)
    """
    names, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) <= keep:
        raise InputError(
            f"group: expected {keep + 1} groups or more to draw parts of, received {len(names)}; pass "
            "validation=0 or test=0, or another column."
        )
    drawn = np.random.default_rng(seed).permutation(len(names))
    sizes = np.cumsum(counts[drawn])
    wanted = int(np.abs(sizes - fraction * len(groups)).argmin()) + 1
    held = np.isin(inverse, drawn[: min(wanted, len(names) - keep)])
    return np.flatnonzero(~held), np.flatnonzero(held)


def latest(times: np.ndarray, fraction: float, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows by time, about a share of them, the latest, held out; equal times stay together.

    Args:
        times: (rows,) of each row.
        fraction: Share of the rows to hold out, above 0 and below 1.
        gap: By how much more than none the held rows are later than all that are kept.

    Returns:
        The rows that are kept and those held out, each by time; rows of the gap are in neither.

    Raises:
        InputError: All rows are of one time, or none would be kept.

    Example:
        >>> latest(np.array([3.0, 1.0, 2.0, 3.0]), fraction=0.25)[1].tolist()
        [0, 3]
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    first = ordered[len(times) - max(1, round(fraction * len(times)))]
    if first == ordered[0]:  # the part would be all there is
        later = ordered[ordered > first]
        first = later[0] if later.size else first
    kept = order[ordered < first - gap] if gap else order[ordered < first]
    if not len(kept):
        raise InputError(
            f"time: expected rows of several times to draw parts of, received {len(times)} rows of "
            f"{np.unique(times).size}; pass validation=0 or test=0, a smaller gap, or another column."
        )
    return kept, order[ordered >= first]
