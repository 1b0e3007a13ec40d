"""Feeds: training data that come in batches of their own, by number or one after the other."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.structures import Structure, flat, leaves, mapped, structure_of
from kexp.core.types import Nest
from kexp.data.dataset import Split, sample_count
from kexp.data.given_arrays import as_array, is_sparse

Batch = tuple[Any, Any, Any]  # inputs and targets, by name or single; weights or None


class BatchFeed(ABC):
    """Batches that are made while training.

    Attributes:
        noun: What it is, for messages.
        count: Batches of a pass; None: as many as there turn out to be.
        passes: Whether it can be read again.
    """

    noun: ClassVar[str]
    count: int | None
    passes: bool = True

    @abstractmethod
    def peek(self) -> list[Any]:
        """Return the first batch as it comes, and another if there is one, without moving on."""

    @abstractmethod
    def batches(self, number: int, first: int = 0) -> Iterator[Any]:
        """Yield the batches of a pass as they come.

        Args:
            number: Of the pass, from 0.
            first: The batch to begin with, from 0.
        """

    def all_batches(self, number: int = 0, first: int = 0) -> Iterator[tuple[Any, bool]]:
        """Yield the batches of one pass after the other, and after each pass its last batch again.

        Args:
            number: Of the pass to begin with, from 0.
            first: Of its batches the one to begin with, from 0.

        Returns:
            Batches, each with whether it only says that a pass has ended.
        """
        batch = None
        for one in itertools.count(number) if self.passes else [0]:
            for batch in self.batches(one, first if one == number else 0):
                yield batch, False
            if batch is None:
                return
            yield batch, True


class Conversion(NamedTuple):
    """What becomes of the values of a batch.

    Attributes:
        values: An array of inputs or targets as a model takes it.
        weights: An array of weights as float32.
        no_targets: By the inputs by name, (samples, 0) for a batch without targets.
        by_class: By (classes + 1,) weights, of which the last is that of other classes, and targets that are
            class indices or one-hot: weights of the samples.
    """

    values: Callable[[Any], Any]
    weights: Callable[[Any], Any]
    no_targets: Callable[[Any], Any]
    by_class: Callable[[np.ndarray, Any], Any]


def weights_by_class(table: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return (samples,) weights of targets that are class indices or one-hot.

    Args:
        table: (classes + 1,) weights; the last is that of all other classes.
        targets: (samples,), (samples, 1) or (samples, classes).

    Example:
        >>> weights_by_class(np.array([0.5, 2.0, 1.0]), np.array([1, 0, 7])).tolist()
        [2.0, 0.5, 1.0]
    """
    one_hot = targets.ndim == 2 and targets.shape[1] > 1
    labels = targets.argmax(axis=1) if one_hot else targets.reshape(len(targets))
    return np.asarray(table, np.float32)[np.clip(labels.astype(np.int64), 0, len(table) - 1)]


ARRAYS = Conversion(
    lambda values: as_array("x: a batch", values),
    lambda weights: np.asarray(weights, np.float32),
    lambda inputs: np.zeros((sample_count(inputs), 0), np.float32),
    weights_by_class,
)


@dataclass(frozen=True)
class FedSplit(Split):
    """A part of which only a first batch is in memory; `inputs`, `targets` and weights are that.

    Attributes:
        feed: Gives all of it.
        another: Another batch, which shows the axes in which batches differ.
        input_structure: The nest in which inputs come, with their names.
        target_structure: That of the targets; None where there are none.
        class_weights: (classes + 1,) weights of the samples by class, of which the last is that of other
            classes, or such by output; None: all alike, or as the feed gives them.
        sparse: Whether the inputs are sparse, by name; the first batch in memory is not.
    """

    feed: Any = None
    another: Batch | None = None
    class_weights: Any = None
    sparse: Any = False
    input_structure: Structure = None
    target_structure: Structure = None

    def __len__(self) -> int:
        """Batches of a pass, or 1 where that is not known."""
        return int(self.feed.count or 1)

    def named(self, batch: Nest, conversion: Conversion = ARRAYS) -> Batch:
        """Return a batch by the names of its arrays.

        Args:
            batch: As the feed gives it.
            conversion: What its values become; default: NumPy arrays.

        Raises:
            InputError: It has another structure than the first one.
        """
        x, y, weights = unpacked(batch)
        inputs = flat(self.input_structure, mapped(conversion.values, x))
        if self.target_structure is None:
            targets: Any = conversion.no_targets(inputs)
        else:
            targets = flat(self.target_structure, mapped(conversion.values, y))
        if self.class_weights is not None:
            if weights is not None:
                raise InputError("sample_weight and class_weight exclude each other; give one of them.")
            return inputs, targets, self._weights_by_class(targets, conversion)
        if weights is None:
            return inputs, targets, None
        given = mapped(conversion.weights, weights)
        if isinstance(given, list | dict):
            return inputs, targets, flat(self.target_structure, given)
        if isinstance(targets, dict):
            return inputs, targets, dict.fromkeys(targets, given)
        return inputs, targets, given

    def _weights_by_class(self, targets: Any, conversion: Conversion) -> Any:
        if isinstance(targets, dict):
            tables = self.class_weights
            return {name: conversion.by_class(tables[name], one) for name, one in targets.items()}
        return conversion.by_class(self.class_weights, targets)


def fed_split(feed: BatchFeed, input_names: Any = (), output_names: Any = ()) -> FedSplit:
    """Return the part that a feed gives, with its first batch in memory.

    Raises:
        InputError: The feed is empty, or what it gives are no batches.
    """
    peeked = feed.peek()
    if not peeked:
        raise InputError(f"x must have batches; received an empty {feed.noun}.")
    x, y, _ = unpacked(peeked[0])
    inputs = structure_of(x, tuple(input_names))
    targets = None if y is None else structure_of(y, tuple(output_names), stem="target")
    sparse = flat(inputs, mapped(is_sparse, x))
    empty = FedSplit(
        np.zeros(0), None, feed=feed, input_structure=inputs, target_structure=targets, sparse=sparse
    )
    first, *others = [empty.named(batch) for batch in peeked]
    return replace(
        empty,
        inputs=first[0],
        targets=first[1],
        sample_weight=first[2],
        another=others[0] if others else None,
    )


def unpacked(batch: Nest) -> tuple[Any, Any, Any]:
    """Return inputs, targets and weights of a batch; what it lacks is None.

    Raises:
        InputError: It is none.

    Example:
        >>> unpacked((1, 2)), unpacked(1)
        ((1, 2, None), (1, None, None))
    """
    if not isinstance(batch, tuple | list):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise InputError(
            f"x must give batches (inputs, targets, weights); received {len(batch)} items in one."
        )
    return (*batch, None, None)[:3]


def described(feed: BatchFeed, split: FedSplit) -> str:
    """Return what tells a feed from others, as far as that can be known without reading it."""
    arrays = [
        leaves(list(part.values()) if isinstance(part, dict) else part)
        for part in (split.inputs, split.targets)
    ]
    shapes = [(str(array.dtype), array.shape[1:]) for part in arrays for array in part]
    return f"{feed.noun} of {feed.count} batches like {shapes} {shown(split.target_structure)}"
