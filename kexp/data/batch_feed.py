"""Feeds: training data that come in batches of their own, by number or one after the other."""

from __future__ import annotations

import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.structures import Structure, flat, leaves, mapped, structure_of
from kexp.core.types import Nest
from kexp.data.dataset import Split, sample_count
from kexp.data.given_arrays import as_array
from kexp.data.order import epoch_order
from kexp.data.sources.tf_data import INFINITE, UNKNOWN, is_dataset, is_endless

Batch = tuple[Any, Any, Any]  # inputs and targets, by name or single; weights or None


class BatchFeed(ABC):
    """Batches that are made while training.

    Attributes:
        noun: What it is, for messages.
        steps: Batches of an epoch.
    """

    noun: ClassVar[str]
    steps: int

    @abstractmethod
    def peek(self) -> list[Any]:
        """Return the first batch as it comes, and another if there is one, without moving on."""

    @abstractmethod
    def batches(self, epoch: int, step: int) -> Iterator[Any]:
        """Yield the batches of an epoch as they come, from a step on.

        Args:
            epoch: From 0; not before an epoch that was asked for already, where batches come one by one.
            step: In the epoch, from 0.
        """


class Conversion(NamedTuple):
    """What becomes of the values of a batch.

    Attributes:
        values: An array of inputs or targets as a model takes it.
        weights: An array of weights as float32.
        no_targets: By the inputs by name, (samples, 0) for a batch without targets.
    """

    values: Callable[[Any], Any]
    weights: Callable[[Any], Any]
    no_targets: Callable[[Any], Any]


_ARRAYS = Conversion(
    lambda values: as_array("x: a batch", values),
    lambda weights: np.asarray(weights, np.float32),
    lambda inputs: np.zeros((sample_count(inputs), 0), np.float32),
)


@dataclass(frozen=True)
class FedSplit(Split):
    """A part of which only a first batch is in memory; `inputs`, `targets` and weights are that.

    Attributes:
        feed: Gives all of it.
        another: Another batch, which shows the axes in which batches differ.
        input_structure: The nest in which inputs come, with their names.
        target_structure: That of the targets; None where there are none.
    """

    feed: Any = None
    another: Batch | None = None
    input_structure: Structure = None
    target_structure: Structure = None

    def __len__(self) -> int:
        return int(self.feed.steps)

    def named(self, batch: Nest, conversion: Conversion = _ARRAYS) -> Batch:
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
        if weights is None:
            return inputs, targets, None
        given = mapped(conversion.weights, weights)
        if isinstance(given, list | dict):
            return inputs, targets, flat(self.target_structure, given)
        if isinstance(targets, dict):
            return inputs, targets, dict.fromkeys(targets, given)
        return inputs, targets, given


def fed_split(feed: BatchFeed, input_names: Any = (), output_names: Any = ()) -> FedSplit:
    """Return the part that a feed gives, with its first batch in memory."""
    peeked = feed.peek()
    x, y, _ = unpacked(peeked[0])
    inputs = structure_of(x, tuple(input_names))
    targets = None if y is None else structure_of(y, tuple(output_names), stem="target")
    empty = FedSplit(np.zeros(0), None, feed=feed, input_structure=inputs, target_structure=targets)
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


class PyDatasetFeed(BatchFeed):
    """A `keras.utils.PyDataset`, whose batches have numbers.

    Args:
        dataset: The PyDataset.
        steps: Batches of an epoch; None: all of them.
        shuffle: Whether each epoch takes them in an order of its own.
        seed: Of that order.
    """

    noun = "PyDataset"

    def __init__(self, dataset: Any, steps: int | None, *, shuffle: bool, seed: int) -> None:
        count = dataset.num_batches
        if count is None and steps is None:
            raise InputError("steps_per_epoch must be given for a PyDataset without a number of batches.")
        self._dataset, self._count = dataset, count
        self.steps = int(steps or count)
        self._shuffle, self._seed = shuffle and count is not None, seed
        self._epochs_ended = 0

    def peek(self) -> list[Any]:
        return [self._dataset[0], self._dataset[(self._count or 2) - 1]]

    def batches(self, epoch: int, step: int) -> Iterator[Any]:
        while self._epochs_ended < epoch:  # of a run that goes on in a new process
            self._dataset.on_epoch_end()
            self._epochs_ended += 1
        for number in self._numbers(epoch)[step : self.steps]:
            yield self._dataset[number]

    def _numbers(self, epoch: int) -> list[int]:
        if self._count is None:
            return list(range(epoch * self.steps, (epoch + 1) * self.steps))
        rounds = -(-self.steps // self._count)
        orders = [
            epoch_order(self._count, self._seed, epoch * rounds + one, self._shuffle) for one in range(rounds)
        ]
        return np.concatenate(orders).tolist()


class LoaderFeed(BatchFeed):
    """What can be iterated again and again, such as a PyTorch `DataLoader`.

    Args:
        loader: Gives a new iterator each time.
        steps: Batches of an epoch; None: all of them.
        seed: Of PyTorch's random numbers, by which it shuffles, in each epoch.
    """

    noun = "DataLoader"

    def __init__(self, loader: Any, steps: int | None, *, seed: int) -> None:
        self._loader, self._seed = loader, seed
        self.steps = int(steps or len(loader))

    def peek(self) -> list[Any]:
        return [self._as_tuple(batch) for batch in itertools.islice(self._from(0), 2)]

    def batches(self, epoch: int, step: int) -> Iterator[Any]:
        rounds = itertools.chain.from_iterable(self._from(epoch) for _ in itertools.count())
        for batch in itertools.islice(rounds, step, self.steps):
            yield self._as_tuple(batch)

    def _from(self, epoch: int) -> Iterator[Any]:
        # Who has a DataLoader has imported it.
        sys.modules["torch"].manual_seed(int(np.random.default_rng([self._seed, epoch]).integers(2**31)))
        return iter(self._loader)

    @staticmethod
    def _as_tuple(batch: Nest) -> Any:
        return tuple(batch) if isinstance(batch, list) else batch


class GeneratorFeed(BatchFeed):
    """A generator or iterator, which only goes forward.

    Args:
        generator: Gives batches, one after the other.
        steps: Batches of an epoch.
    """

    noun = "generator"

    def __init__(self, generator: Any, steps: int | None) -> None:
        if steps is None:
            raise InputError(
                "steps_per_epoch must be given for a generator, which does not say how many batches an epoch "
                "has."
            )
        self._generator, self.steps = iter(generator), steps
        self._taken = 0
        self._kept: list[Any] = []

    def peek(self) -> list[Any]:
        if not self._kept:
            self._kept.append(self._next())
        return self._kept[:1]

    def batches(self, epoch: int, step: int) -> Iterator[Any]:
        wanted = epoch * self.steps + step
        if wanted < self._taken:
            raise InputError(
                "x must be data that can be read again to go back to an earlier step; a generator only goes "
                "forward, so give a PyDataset or a tf.data.Dataset, or begin a new process."
            )
        while self._taken < wanted:
            self._one()
        for _ in range(step, self.steps):
            yield self._one()

    def _one(self) -> Any:
        self._taken += 1
        return self._kept.pop(0) if self._kept else self._next()

    def _next(self) -> Any:
        try:
            return next(self._generator)
        except StopIteration:
            raise InputError(
                f"x must give batches for all epochs; the generator ended after {self._taken}, so let it go "
                "on without end, or give fewer epochs or steps_per_epoch."
            ) from None


class TfDataFeed(BatchFeed):
    """A `tf.data.Dataset` of batches.

    Args:
        dataset: The dataset.
        steps: Batches of an epoch; None: all of them.
    """

    noun = "tf.data.Dataset"

    def __init__(self, dataset: Any, steps: int | None) -> None:
        self.dataset = dataset
        if steps is None:
            steps = int(dataset.cardinality())
            if steps == INFINITE or (steps == UNKNOWN and is_endless(dataset)):
                raise InputError("steps_per_epoch must be given for a tf.data.Dataset without an end.")
            if steps == UNKNOWN:
                steps = sum(1 for _ in dataset)
        if steps < 1:
            raise InputError("x must have batches; received an empty tf.data.Dataset.")
        self.steps = steps

    def peek(self) -> list[Any]:
        found = list(self.dataset.take(2))
        if not found:
            raise InputError("x must have batches; received an empty tf.data.Dataset.")
        return found

    def batches(self, epoch: int, step: int) -> Iterator[Any]:
        """Yield the batches from a place on, which are read up to there."""
        return iter(self.dataset.repeat().skip(epoch * self.steps + step).take(self.steps - step))


def feed_of(x: Nest, steps: int | None, *, shuffle: bool, seed: int) -> BatchFeed | None:
    """Return the feed of what is given in place of arrays, or None for arrays.

    Args:
        x: A PyDataset, tf.data.Dataset, DataLoader or generator.
        steps: Batches of an epoch, where the caller says so.
        shuffle: Whether batches that have numbers are taken in an order of each epoch's own.
        seed: Of the run.

    Raises:
        InputError: It does not say how long an epoch is.
    """
    import keras

    if isinstance(x, keras.utils.PyDataset):
        return PyDatasetFeed(x, steps, shuffle=shuffle, seed=seed)
    if is_dataset(x):
        return TfDataFeed(x, steps)
    if any(kind.__module__.startswith("torch.utils.data") for kind in type(x).__mro__):
        return LoaderFeed(x, steps, seed=seed)
    if hasattr(x, "__next__"):
        return GeneratorFeed(x, steps)
    return None


def described(feed: BatchFeed, split: FedSplit) -> str:
    """Return what tells a feed from others, as far as that can be known without reading it."""
    arrays = [
        leaves(list(part.values()) if isinstance(part, dict) else part)
        for part in (split.inputs, split.targets)
    ]
    shapes = [(str(array.dtype), array.shape[1:]) for part in arrays for array in part]
    return f"{feed.noun} of {feed.steps} batches like {shapes} {shown(split.target_structure)}"
