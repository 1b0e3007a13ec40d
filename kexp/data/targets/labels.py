"""Targets as a model wants them: class indices with names, or float32 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from kexp.core.errors import InputError

FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
KNOWN = {
    "fashion_mnist": FASHION,
    "fashion_mnist_small": FASHION,
    "cifar10": CIFAR10,
    "japanese_vowels": tuple("123456789"),  # the speakers, as published; stored as 0 to 8
}

Targets = dict[str, np.ndarray]  # by part


def encode(
    name: str, targets: Mapping[str, object], task: str | None, class_names: tuple[str, ...] = ()
) -> tuple[str, Targets, tuple[str, ...]]:
    """Turn the targets of all parts into class indices or numbers.

    Args:
        name: Name of the data, for messages.
        targets: By part: (samples,) or (samples, 1) labels, or (samples, outputs) numbers.
        task: None to read it off the type: floats are regression, everything else classification.
        class_names: What integer labels stand for; empty to take the labels themselves.

    Returns:
        The task, the targets by part, (samples,) int32 or (samples, outputs) float32, and the class
        names, empty for regression.

    Raises:
        InputError: For labels that are negative, out of range, missing or of no use as labels.
    """
    columns = {part: _column(name, part, values) for part, values in targets.items()}
    task = task or _task(name, columns["train"])
    if task == "regression":
        return task, {part: _numbers(name, part, values) for part, values in columns.items()}, ()
    labels = {part: _labels(name, part, values) for part, values in columns.items()}
    indices, names = _indices(name, labels, class_names or _known(name, labels))
    return task, indices, names


def require_classes_in_training(name: str, targets: Mapping[str, np.ndarray], names: tuple[str, ...]) -> None:
    """Refuse labels that training never sees, and data with a single class."""
    seen = np.unique(targets["train"])
    for part in sorted(targets.keys() - {"train"}):
        unseen = np.setdiff1d(targets[part], seen)
        if len(unseen):
            raise InputError(
                f"data {name!r}: the {part} part has the label {names[unseen[0]]!r}, which no training "
                f"sample has; remove those samples from it, or add some of that class to the training part."
            )
    if len(seen) < 2:
        raise InputError(
            f"data {name!r}: every label is {names[seen[0]]!r}, and a classification needs at least two "
            f"classes; check the labels, or pass task='regression' if they are quantities."
        )


def sort_names(names: Iterable[str]) -> list[str]:
    """Sort class names, as numbers when they all are whole numbers.

    Example:
        >>> sort_names(["10", "9", "-1"]), sort_names(["10", "9", "x"])
        (['-1', '9', '10'], ['10', '9', 'x'])
    """
    names = list(names)
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def _column(name: str, part: str, values: object) -> np.ndarray:
    """The targets of one part with their useless last axis removed and text as str objects."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise InputError(
            f"data {name!r}: expected {part} targets of shape (samples,) or (samples, outputs), received "
            f"{array.shape}; reshape them."
        )
    if array.dtype.kind == "b":
        return array.astype(str).astype(object)
    if array.dtype.kind in "UO":
        return _text(name, part, array)
    if array.dtype.kind not in "iuf":
        raise InputError(
            f"data {name!r}: expected {part} targets of integers, floats or strings, received "
            f"{array.dtype}; convert them with astype."
        )
    return array


def _text(name: str, part: str, array: np.ndarray) -> np.ndarray:
    objects = array.astype(object)
    for row, value in enumerate(objects.flat):
        if not isinstance(value, str):
            raise InputError(
                f"data {name!r}: expected {part} targets of one type, received a {type(value).__name__} "
                f"among objects at sample {row}; convert them with astype."
            )
    return objects


def _task(name: str, train: np.ndarray) -> str:
    if train.ndim == 2 and _one_hot(train):
        raise InputError(
            f"data {name!r}: the targets are one-hot vectors of shape {train.shape}, expected class indices; "
            f"pass y.argmax(axis=1), or task='regression' if they are quantities."
        )
    return "regression" if train.dtype.kind == "f" else "classification"


def _one_hot(values: np.ndarray) -> bool:
    return values.dtype.kind in "iuf" and bool(
        np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()
    )


def _numbers(name: str, part: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        raise InputError(
            f"data {name!r}: task='regression' needs numbers as targets, received text such as "
            f"{values.flat[0]!r}; leave task out, or pass task='classification'."
        )
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its row
        numbers = values.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1))
    if len(bad):
        raise InputError(
            f"data {name!r}: the {part} targets are NaN or infinite (in float32) for {len(bad)} samples, the "
            f"first is sample {bad[0]}; remove or mend them."
        )
    return numbers.reshape(len(numbers), -1)


def _labels(name: str, part: str, values: np.ndarray) -> np.ndarray:
    """(samples,) labels: str objects or integers from 0."""
    if values.ndim != 1:
        raise InputError(
            f"data {name!r}: expected {part} labels of shape (samples,), received {values.shape}; pass "
            f"y.argmax(axis=1) for one-hot labels, or task='regression' for quantities."
        )
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and (values == np.round(values)).all()):
            raise InputError(
                f"data {name!r}: task='classification' needs whole numbers or strings as {part} labels, "
                f"received fractions or NaN; pass task='regression' if they are quantities."
            )
        values = values.astype(np.int64)
    if values.dtype.kind != "O" and len(values) and values.min() < 0:
        raise InputError(
            f"data {name!r}: expected {part} labels from 0, received {values.min()} at sample "
            f"{int(values.argmin())}; renumber them, remove unlabelled samples, or pass task='regression' "
            f"if they are quantities."
        )
    return values


def _known(name: str, labels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The published names of a well-known data set, when its labels are all there."""
    names = KNOWN.get(name, ())
    same = all(values.dtype.kind != "O" for values in labels.values())
    return (
        names if same and len(np.unique(labels["train"])) == len(names) == labels["train"].max() + 1 else ()
    )


def _indices(
    name: str, labels: Mapping[str, np.ndarray], names: tuple[str, ...]
) -> tuple[Targets, tuple[str, ...]]:
    kinds = {values.dtype.kind == "O" for values in labels.values()}
    if len(kinds) > 1:
        raise InputError(
            f"data {name!r}: some parts have labels as text and some as integers; use one of them."
        )
    values = np.unique(np.concatenate(list(labels.values())))
    if kinds == {True}:
        return _named(labels, tuple(sort_names(values)))
    if not names:
        return _ranked(labels, values), tuple(str(value) for value in values)
    if values[-1] >= len(names):
        raise InputError(
            f"data {name!r}: expected labels from 0 to {len(names) - 1} for {len(names)} class names, "
            f"received {values[-1]}; correct the labels or the names."
        )
    return {part: array.astype(np.int32) for part, array in labels.items()}, names


def _ranked(labels: Mapping[str, np.ndarray], values: np.ndarray) -> Targets:
    """Labels that are not contiguous, such as 10 and 20, become 0 and 1; 0..k-1 stay what they are."""
    return {part: np.searchsorted(values, array).astype(np.int32) for part, array in labels.items()}


def _named(labels: Mapping[str, np.ndarray], names: tuple[str, ...]) -> tuple[Targets, tuple[str, ...]]:
    index = {name: number for number, name in enumerate(names)}
    return {
        part: np.array([index[label] for label in array], dtype=np.int32) for part, array in labels.items()
    }, names
