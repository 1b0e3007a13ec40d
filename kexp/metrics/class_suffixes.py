"""Class suffixes: what names of metrics of single classes, labels or targets end in."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["class_suffixes"]


def class_suffixes(names: Iterable[object]) -> list[str]:
    """Return the names in lower case, with "_" for what is no letter or digit.

    Where two would be the same, or one would be empty, they have their index.

    Args:
        names: Of classes, labels or targets, in their order.

    Example:
        >>> class_suffixes(["T-shirt/top", "Cat", "cat!", "?"])
        ['t_shirt_top', 'cat_1', 'cat_2', '3']
    """
    safe = [re.sub(r"[\W_]+", "_", str(name).lower()).strip("_") for name in names]
    indexed = [f"{name}_{index}".strip("_") for index, name in enumerate(safe)]
    unique = [bool(name) and safe.count(name) == 1 for name in safe]
    return [name if alone else number for name, number, alone in zip(safe, indexed, unique, strict=True)]
