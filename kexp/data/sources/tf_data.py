"""A finite tf.data.Dataset of (x, y) as a source, read into memory."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Source
from kexp.data.sources.base import DataSource, ReadOptions


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
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise InputError(
            "data: the tf.data.Dataset is infinite and is read into memory; pass it without repeat()."
        )
    pairs = _is_pairs(dataset.element_spec)
    elements = list(dataset.as_numpy_iterator()) if pairs else []
    if not elements:
        raise InputError(
            f"data: expected a tf.data.Dataset of pairs of tensors (x, y), received "
            f"{'an empty one' if pairs else dataset.element_spec}; map it to such pairs."
        )
    batched = all(np.ndim(y) >= 1 and np.ndim(x) >= 1 and len(x) == len(y) for x, y in elements)
    inputs, targets = zip(*elements, strict=True)
    try:
        join = np.concatenate if batched else np.stack
        return Source("tf.data", {"train": (decode(join(inputs)), decode(join(targets)))})
    except ValueError:
        raise InputError(
            "data: the samples of the tf.data.Dataset differ in shape, expected one; pad, cut or resize them."
        ) from None


def _is_pairs(spec: object) -> bool:
    from tensorflow import TensorSpec

    return isinstance(spec, tuple) and len(spec) == 2 and all(isinstance(part, TensorSpec) for part in spec)


def decode(values: np.ndarray) -> np.ndarray:
    """Text as TensorFlow gives it, as bytes, becomes str objects; numbers stay."""
    values = np.asarray(values)
    if values.dtype.kind not in "OS":
        return values
    text = [value.decode() if isinstance(value, bytes) else value for value in values.ravel().tolist()]
    return np.array(text, dtype=object).reshape(values.shape)
