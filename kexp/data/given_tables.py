"""Tables that a caller gives by part: (train, test), or a mapping such as {"train": …, "validation": …}."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError, shown

# What folders, files and keys of a mapping call the parts, in lower case.
PART_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def is_frame(value: object) -> bool:
    """Return whether a value is a DataFrame of pandas.

    Example:
        >>> is_frame([[1]])
        False
    """
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    return pandas is not None and isinstance(value, pandas.DataFrame)


def given_tables(value: object) -> dict[str, Any] | None:
    """Return the tables that data in memory are, by part, without looking into them; None for other data.

    Args:
        value: A pair of DataFrames with most columns in common, or of a DataFrame and the name or path of a
            file; or a mapping whose keys all are names of parts.

    Raises:
        InputError: Two keys of a mapping are the same part, or none is the training part.

    Example:
        >>> given_tables({"train": "a.csv", "val": "b.csv"})
        {'train': 'a.csv', 'validation': 'b.csv'}
        >>> given_tables(("a.csv", "b.csv")) is None  # names, of which each is data
        True
    """
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, tuple | list) and len(value) == 2 and _is_pair(value):
        return dict(zip(("train", "test"), value, strict=True))
    return None


def _of_mapping(value: Mapping[Any, Any]) -> dict[str, Any] | None:
    names = [PART_NAMES.get(key.lower()) if isinstance(key, str) else None for key in value]
    if not names or None in names:
        return None
    parts = dict(zip(map(str, names), value.values(), strict=True))
    if len(parts) < len(names) or "train" not in parts:
        raise InputError(
            f"data: expected a table of each part once, one of them of 'train', received {shown(list(value))}"
            "; rename the keys."
        )
    return parts


def _is_pair(value: Sequence[Any]) -> bool:
    frames = [one for one in value if is_frame(one)]
    if len(frames) < 2:
        return bool(frames) and all(is_frame(one) or isinstance(one, str | Path) for one in value)
    # Inputs and targets as two DataFrames have other columns each.
    first, second = (set(map(str, one.columns)) for one in frames)
    return 2 * len(first & second) > len(first)
