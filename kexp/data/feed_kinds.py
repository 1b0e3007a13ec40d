"""The kinds of feeds: a PyDataset, a DataLoader, a generator, datasets of batches."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Nest
from kexp.data.batch_feed import BatchFeed
from kexp.data.order import epoch_order
from kexp.data.sources.tf_data import INFINITE, UNKNOWN, is_dataset, is_endless


class PyDatasetFeed(BatchFeed):
    """A `keras.utils.PyDataset`, whose batches have numbers.

    Args:
        dataset: The PyDataset.
        shuffle: Whether each pass takes them in an order of its own.
        seed: Of that order.
    """

    noun = "PyDataset"

    def __init__(self, dataset: Any, *, shuffle: bool, seed: int) -> None:
        count = dataset.num_batches
        self._dataset, self.count = dataset, None if count is None else int(count)
        self._shuffle, self._seed = shuffle, seed
        self._passes_ended = 0

    def peek(self) -> list[Any]:
        return [] if self.count == 0 else [self._dataset[0], self._dataset[(self.count or 2) - 1]]

    def batches(self, number: int, first: int = 0) -> Iterator[Any]:
        while self._passes_ended < number:  # of a run that goes on in a new process, too
            self._dataset.on_epoch_end()
            self._passes_ended += 1
        if self.count is None:
            order: Any = itertools.count(first)
        else:
            order = epoch_order(self.count, self._seed, number, self._shuffle)[first:].tolist()
        for place in order:
            yield self._dataset[place]


class LoaderFeed(BatchFeed):
    """What can be iterated again and again, such as a PyTorch `DataLoader`.

    Args:
        loader: Gives a new iterator each time.
        seed: Of PyTorch's random numbers, by which it shuffles, in each pass.
    """

    noun = "DataLoader"

    def __init__(self, loader: Any, *, seed: int) -> None:
        self._loader, self._seed = loader, seed
        try:
            self.count = len(loader)
        except TypeError:  # of an IterableDataset
            self.count = None

    def peek(self) -> list[Any]:
        return list(itertools.islice(self.batches(0), 2))

    def batches(self, number: int, first: int = 0) -> Iterator[Any]:
        # Who has a DataLoader has imported it.
        sys.modules["torch"].manual_seed(int(np.random.default_rng([self._seed, number]).integers(2**31)))
        for batch in itertools.islice(self._loader, first, None):
            yield tuple(batch) if isinstance(batch, list) else batch


class DistributedFeed(BatchFeed):
    """A dataset that a strategy of TensorFlow's has distributed to one device.

    Args:
        dataset: Gives a new iterator each time.
    """

    noun = "distributed dataset"

    def __init__(self, dataset: Any) -> None:
        self._dataset, self.count = dataset, None

    def peek(self) -> list[Any]:
        return list(itertools.islice(self.batches(0), 2))

    def batches(self, number: int, first: int = 0) -> Iterator[Any]:
        for batch in itertools.islice(self._dataset, first, None):
            parts = batch if isinstance(batch, tuple) else (batch,)
            if any(type(part).__name__ == "PerReplica" for part in parts):
                raise InputError(
                    "x must be distributed to one device, or by kexp: give the dataset itself, and "
                    "strategy='mirrored'."
                )
            yield batch


class GeneratorFeed(BatchFeed):
    """A generator or iterator, which only goes forward.

    Args:
        generator: Gives batches, one after the other.
    """

    noun = "generator"
    passes = False

    def __init__(self, generator: Any) -> None:
        self._generator, self.count = iter(generator), None
        self._taken = 0
        self._kept: list[Any] = []

    def peek(self) -> list[Any]:
        if not self._kept:
            self._kept = list(itertools.islice(self._generator, 1))
        return self._kept[:1]

    def batches(self, number: int, first: int = 0) -> Iterator[Any]:
        if first < self._taken:
            raise InputError(
                "x must be data that can be read again to go back to an earlier step; a generator only goes "
                "forward, so give a PyDataset or a tf.data.Dataset, or begin a new process."
            )
        for batch in itertools.chain(self._kept, self._generator):
            self._kept = []
            self._taken += 1
            if self._taken > first:
                yield batch


class TfDataFeed(BatchFeed):
    """A `tf.data.Dataset` of batches.

    Args:
        dataset: The dataset.
    """

    noun = "tf.data.Dataset"

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        count = int(dataset.cardinality())
        self.count = None if count in (INFINITE, UNKNOWN) else count

    def peek(self) -> list[Any]:
        return list(self.dataset.take(2))

    def batches(self, number: int, first: int = 0) -> Iterator[Any]:
        return iter(self.dataset.skip(first))


def feed_of(x: Nest, *, shuffle: bool, seed: int) -> BatchFeed | None:
    """Return the feed of what is given in place of arrays, or None for arrays.

    Args:
        x: A PyDataset, tf.data.Dataset, DataLoader or generator.
        shuffle: Whether batches that have numbers are taken in an order of each pass's own.
        seed: Of the run.
    """
    import keras

    if isinstance(x, keras.utils.PyDataset):
        return PyDatasetFeed(x, shuffle=shuffle, seed=seed)
    if is_dataset(x):
        return TfDataFeed(x)
    if any(kind.__module__.startswith("torch.utils.data") for kind in type(x).__mro__):
        return LoaderFeed(x, seed=seed)
    if type(x).__module__.startswith("tensorflow.python.distribute"):
        return DistributedFeed(x)
    if hasattr(x, "__next__"):
        return GeneratorFeed(x)
    return None


def ends(feed: BatchFeed) -> bool:
    """Return whether a feed can be expected to end: of a generator that is not known, and taken to be so."""
    if isinstance(feed, TfDataFeed):
        return not is_endless(feed.dataset)
    return feed.count is not None or not isinstance(feed, PyDatasetFeed)
