"""Targets that are a class for each sample: indices, with names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.targets.base import TargetKind, Targets
from kexp.data.targets.columns import column, is_one_hot

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


class Labels(TargetKind):
    """(samples,) int32 class indices, with names of the classes."""

    name: ClassVar[str] = "labels"
    task: ClassVar[str] = "classification"
    is_fallback: ClassVar[bool] = True
    has_labels: ClassVar[bool] = True

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        columns = {split: column(name, split, values) for split, values in targets.items()}
        if not asked and is_one_hot(columns["train"]):
            raise InputError(
                f"data {name!r}: the targets are one-hot vectors of shape {columns['train'].shape}, "
                "expected class indices; pass y.argmax(axis=1), task='multilabel' if a sample may have "
                "several labels, or task='regression' if they are quantities."
            )
        labels = {split: _labels(name, split, values) for split, values in columns.items()}
        return _indices(name, labels, class_names or _known(name, labels))

    def check(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        require_classes_in_training(name, targets, class_names)

    def strata(self, targets: np.ndarray) -> np.ndarray:
        return targets

    def of_column(self, numbers: np.ndarray) -> np.ndarray:
        """Return truth values and whole numbers as strings, and fractions as they are, to be refused."""
        if numbers.dtype != bool and (numbers == np.round(numbers)).all():
            return np.array([str(int(number)) for number in numbers], dtype=object)
        return super().of_column(numbers)


def require_classes_in_training(name: str, targets: Mapping[str, np.ndarray], names: tuple[str, ...]) -> None:
    """Refuse labels that training never sees, and data with a single class."""
    seen = np.unique(targets["train"])
    for part in sorted(targets.keys() - {"train"}):
        unseen = np.setdiff1d(targets[part], seen)
        if len(unseen):
            raise InputError(
                f"data {name!r}: the {part} part has the label {shown(names[unseen[0]])}, which no training "
                f"sample has; remove those samples from it, or add some of that class to the training part."
            )
    if len(seen) < 2:
        raise InputError(
            f"data {name!r}: every label is {shown(names[seen[0]])}, and a classification needs at least two "
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


def _labels(name: str, part: str, values: np.ndarray) -> np.ndarray:
    """(samples,) labels: str objects or integers from 0."""
    if values.ndim != 1:
        raise InputError(
            f"data {name!r}: expected {part} labels of shape (samples,), received {values.shape}; pass "
            "y.argmax(axis=1) for one-hot labels, task='multilabel' for several labels of a sample, or "
            "task='regression' for quantities."
        )
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values)) & (abs(values) < 2**63)
        if not whole.all():
            row = int(whole.argmin())
            raise InputError(
                f"data {name!r}: task='classification' needs whole numbers or strings as {part} labels, "
                f"received {values[row]} at sample {row}; pass task='regression' if they are quantities."
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
        _require_named(name, values, names)
        return _named(labels, tuple(sort_names(values)))
    if not names:
        return _ranked(labels, values), tuple(str(value) for value in values)
    if values[-1] >= len(names):
        raise InputError(
            f"data {name!r}: expected labels from 0 to {len(names) - 1} for {len(names)} class names, "
            f"received {values[-1]}; correct the labels or the names."
        )
    return {part: array.astype(np.int32) for part, array in labels.items()}, names


def _require_named(name: str, labels: np.ndarray, names: tuple[str, ...]) -> None:
    unnamed = [label for label in labels if names and label not in names]
    if unnamed:
        raise InputError(
            f"data {name!r}: expected labels among the class names {', '.join(map(shown, names[:12]))}, "
            f"received {shown(unnamed[0])}; correct the labels or the names."
        )


def _ranked(labels: Mapping[str, np.ndarray], values: np.ndarray) -> Targets:
    """Labels that are not contiguous, such as 10 and 20, become 0 and 1; 0..k-1 stay what they are."""
    return {part: np.searchsorted(values, array).astype(np.int32) for part, array in labels.items()}


def _named(labels: Mapping[str, np.ndarray], names: tuple[str, ...]) -> tuple[Targets, tuple[str, ...]]:
    index = {name: number for number, name in enumerate(names)}
    return {
        part: np.array([index[label] for label in array], dtype=np.int32) for part, array in labels.items()
    }, names
