"""A finite tf.data.Dataset of (x, y) as a source, read into memory."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded
from kexp.core.keras_private import datasets_before
from kexp.core.memory_budget import Meter
from kexp.data.dataset import Source
from kexp.data.sources.base import DataSource, ReadOptions

INFINITE, UNKNOWN = -1, -2  # of tf.data, as cardinalities
MOST_UNKNOWN = 100_000  # elements of a dataset that may have no end
_MAY_END = {"TakeDataset", "TakeWhileDataset", "ZipDataset", "DirectedInterleaveDataset"}
_ELEMENT_BYTES = 100  # of the array or the bytes around a sample
_PLACE, _PAIRS, _MEND = "data: the tf.data.Dataset", "pairs of tensors", "mend it"


class TfDatasets(DataSource):
    """A tf.data.Dataset in memory."""

    name: ClassVar[str] = "tf_data"

    def accepts(self, value: object) -> bool:
        return is_dataset(value)

    def take(self, value: Any, options: ReadOptions) -> Source:
        return from_dataset(value)


def is_dataset(source: object) -> bool:
    """Whether something is a tf.data.Dataset, without importing TensorFlow: who has one has imported it."""
    data = getattr(sys.modules.get("tensorflow"), "data", None)
    return data is not None and isinstance(source, data.Dataset)


def from_dataset(dataset: Any) -> Source:
    """Read all elements of a dataset, which should give the same order every time.

    Elements are samples, or batches of them: batches when, in every element, the targets are at least
    a vector and as long as the inputs. Batch a dataset in which that may be so by chance.

    Raises:
        InputError: When it is infinite, empty, or its elements are not pairs of dense tensors.
    """
    if is_endless(dataset):
        raise InputError(
            "data: the tf.data.Dataset is infinite and is read into memory; pass it without repeat()."
        )
    pairs = _is_pairs(dataset.element_spec)
    elements = list(_elements(dataset)) if pairs else []
    if not elements:
        raise InputError(
            f"data: expected a tf.data.Dataset of pairs of tensors (x, y), received "
            f"{'an empty one' if pairs else dataset.element_spec}; map it to such pairs."
        )
    batched = all(np.ndim(y) >= 1 and np.ndim(x) >= 1 and len(x) == len(y) for x, y in elements)
    inputs, targets = zip(*elements, strict=True)
    try:
        join = np.concatenate if batched else np.stack
        joined = join(inputs), join(targets)
    except ValueError:
        raise InputError(
            "data: the samples of the tf.data.Dataset differ in shape, expected one; pad, cut or resize them."
        ) from None
    return Source("tf.data", {"train": (decode(_PLACE, joined[0]), decode(_PLACE, joined[1]))})


def is_endless(dataset: Any) -> bool:
    """Return whether a dataset is infinite, or made of an infinite one that nothing in between ends."""
    cardinality = int(dataset.cardinality())
    if cardinality == INFINITE or type(dataset).__name__.strip("_") in _MAY_END:
        return cardinality == INFINITE
    return cardinality == UNKNOWN and any(map(is_endless, datasets_before(dataset)))


def _elements(dataset: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the elements of a dataset, as far as they fit into memory."""
    meter, unknown = Meter("the tf.data.Dataset"), int(dataset.cardinality()) == UNKNOWN
    with guarded(_PLACE, _PAIRS, _MEND):
        elements = dataset.as_numpy_iterator()
    for number in itertools.count(1):
        with guarded(_PLACE, _PAIRS, _MEND):
            element = next(elements, None)
        if element is None:
            return
        if unknown and number > MOST_UNKNOWN:
            raise InputError(
                f"{_PLACE} does not know its length and has not ended after {MOST_UNKNOWN:,} elements; say "
                "its length with assert_cardinality, cut it with take, or batch it."
            )
        meter.add(sum(_ELEMENT_BYTES + np.asarray(part).nbytes for part in element))
        yield element


def _is_pairs(spec: object) -> bool:
    from tensorflow import TensorSpec

    return isinstance(spec, tuple) and len(spec) == 2 and all(isinstance(part, TensorSpec) for part in spec)


def decode(place: str, values: np.ndarray) -> np.ndarray:
    """Text as TensorFlow gives it, as bytes, becomes str objects; numbers stay.

    Args:
        place: What has them, for messages.
        values: Numbers, or objects.

    Raises:
        InputError: Bytes are no UTF-8.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "OS":
        return values
    with guarded(place, "UTF-8 text", "decode it first"):
        text = [value.decode() if isinstance(value, bytes) else value for value in values.ravel().tolist()]
    return np.array(text, dtype=object).reshape(values.shape)
