"""Classes that are asked for by name or by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.data.strings import is_unicode

_SHOWN = 12  # names in a message


def resolve_class_indices(labels: Sequence[Any] | np.ndarray, n: int, names: Sequence[str]) -> list[int]:
    """Return the indices of the classes that n samples are asked to be of.

    Args:
        labels: (n,) names or indices.
        n: How many there must be.
        names: Of the classes, in the order of their indices; empty where there are none.

    Raises:
        InputError: There are no classes, not n labels, or one is no class.

    Example:
        >>> resolve_class_indices(["dog", 0], 2, ("cat", "dog"))
        [1, 0]
        >>> resolve_class_indices(["dig"], 1, ("cat", "dog"))
        Traceback (most recent call last):
        kexp.InputError: labels must be names of classes, cat, dog, or their indices; received 'dig'
        (did you mean 'dog'?).
    """
    if not names:
        raise InputError("labels must be left out for a model that was trained without classes.")
    indexed = isinstance(labels, Sequence) or hasattr(labels, "dtype")
    if not indexed or isinstance(labels, str | bytes) or not getattr(labels, "ndim", 1):
        raise InputError(f"labels must be a list of names or indices of classes; received {shown(labels)}.")
    if len(labels) != n:
        raise InputError(f"labels must be {n}, one for each sample; received {len(labels)}.")
    return [_index(label, names) for label in labels]


def require_class_names(place: str, names: Sequence[str]) -> None:
    """Refuse names of classes that stand there twice, or that no file can hold.

    Args:
        place: What has them, for messages.
        names: In the order of the indices of the classes.

    Raises:
        InputError: It names the first of them.

    Example:
        >>> require_class_names("data 'pets'", ("cat", "dog", "cat"))
        Traceback (most recent call last):
        ...
        kexp.InputError: data 'pets': expected every class name once, received 'cat' for the classes 0 and
        2; rename one.
    """
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if not is_unicode(name):
            raise InputError(
                f"{place}: expected class names that UTF-8 can say, without NUL characters, received "
                f"{shown(name)}; rename it."
            )
        if first.setdefault(name, index) != index:
            raise InputError(
                f"{place}: expected every class name once, received {shown(name)} for the classes "
                f"{first[name]} and {index}; rename one."
            )


def _index(label: Any, names: Sequence[str]) -> int:
    whole = isinstance(label, int | np.integer) and not isinstance(label, bool)
    if whole and 0 <= int(label) < len(names):
        return int(label)
    if isinstance(label, str) and label in names:
        return list(names).index(label)
    known = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    raise InputError(
        f"labels must be names of classes, {known}, or their indices; received {shown(label)}"
        f"{nearest(str(label), names)}."
    )
