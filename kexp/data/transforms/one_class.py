"""One class against the rest: what is trained on is normal, and what is tested on is not always."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.data.dataset import Dataset, Split, class_names, require_dataset
from kexp.data.splits import read_only, taken
from kexp.data.targets import has_labels


def one_class(data: Dataset, normal: str | None = None) -> Dataset:
    """Return a data set whose training and validation parts are of one class, and whose test part is of all.

    Ruff et al. 2018, "Deep one-class classification", section 4.

    Args:
        data: For classification.
        normal: Name of the class that is normal; None (default): the first one.

    Returns:
        Data of two classes: 0, the normal one, and 1, anything else.

    Raises:
        InputError: The data are for another task, or have no such class.

    Example:
        >>> import kexp
        >>> data = one_class(kexp.data.load("digits"), "3")
        >>> data.spec.class_names, set(data.train.targets.tolist()), data.test.targets.mean().round(2).item()
        (('3', 'not 3'), {0}, 0.9)
    """
    require_dataset(data)
    if not has_labels(data.spec.task):
        raise InputError(
            f"data must have classes, one of which is normal; {data.name} is for {data.spec.task}, so give "
            "other data."
        )
    names = class_names(data.spec)
    normal = names[0] if normal is None else normal
    if not isinstance(normal, str) or normal not in names:
        hint = nearest(str(normal), names)
        raise InputError(
            f"normal must be a class of {data.name}, {', '.join(names[:12])}; received {shown(normal)}{hint}."
        )
    index = names.index(normal)
    validation = data.validation
    if validation is not None and not (validation.targets == index).any():
        validation = None
    return replace(
        data,
        train=_only(data.train, index),
        validation=None if validation is None else _only(validation, index),
        test=data.test and replace(data.test, targets=_is_other(data.test.targets, index)),
        spec=replace(data.spec, outputs=2, class_names=(normal, f"not {normal}")),
        fingerprint=hashlib.sha256(f"{data.fingerprint} one class {normal!r}".encode()).hexdigest(),
    )


def _is_other(targets: np.ndarray, index: int) -> np.ndarray:
    other = (targets != index).astype(np.int32)
    other.setflags(write=False)
    return other


def _only(split: Split, index: int) -> Split:
    """Return the samples of a class, as class 0."""
    found = taken(split, np.flatnonzero(split.targets == index))
    kept = read_only(found.inputs, np.zeros(len(found), np.int32), found.sample_weight)
    return replace(kept, rows=found.rows)
