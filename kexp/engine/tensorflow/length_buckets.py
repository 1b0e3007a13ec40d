"""Length buckets: samples of about equal length make a batch, which is padded no longer than it has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.data import Split
from kexp.engine.tensorflow.forward_pass import forward_pass
from kexp.tasks import task_named

_ROUNDED_TO = 8  # steps, so that there are few different shapes
_POOLED = 32  # batches that are sorted by length together
_COMPARED = 8  # samples
_CLOSE = {"float32": 1e-4}
_HALF_PRECISION = 3e-2


@dataclass(frozen=True)
class Buckets:
    """The lengths of padded samples.

    Attributes:
        lengths: (samples,) int32 by the name of the input, "" where there is only one.
        with_targets: Whether the targets are as long as the input "previous", or the only one.
    """

    lengths: Mapping[str, np.ndarray]
    with_targets: bool

    @classmethod
    def of(cls, model: keras.Model, split: Split, task: str) -> Buckets | None:
        """Return the lengths of a part's samples, or None where it has no padding that can be left out.

        The padding is 0 at the end of tokens and NaN at the end of series. It can be left out if the model
        takes any number of steps and answers a few samples alike with less of it.

        Args:
            model: What is trained or measured, built.
            split: The samples as the model takes them.
            task: Name of the objective's task.
        """
        by_name = split.inputs if isinstance(split.inputs, Mapping) else {"": split.inputs}
        if not task_named(task).can_trim_padding:
            return None
        if any(_steps(model, name) is not None for name in by_name):
            return None
        texts = task_named(task).has_text_targets
        lengths = {
            # What stands before a padding target is of no consequence.
            name: _lengths(split.targets if texts and name in ("", "previous") else array)
            for name, array in by_name.items()
        }
        if any(length is None for length in lengths.values()):
            return None
        buckets = cls({name: length for name, length in lengths.items() if length is not None}, texts)
        shorter = any(length.max() < by_name[name].shape[1] for name, length in buckets.lengths.items())
        varied = any(len(np.unique(_rounded(length))) > 1 for length in buckets.lengths.values())
        return buckets if (shorter or varied) and buckets._ignored_by(model, split) else None

    @property
    def sizes(self) -> np.ndarray:
        """(samples,) steps that each sample takes."""
        return np.sum(list(self.lengths.values()), axis=0)

    def order(self, order: np.ndarray, batch_size: int, *seed: int) -> np.ndarray:
        """Return an order of samples with those of about equal length beside one another.

        Some batches are sorted at a time, and taken in a random order: Khomenko et al. 2016, "Accelerating
        recurrent neural network training using sequence bucketing and multi-GPU data parallelization".

        Args:
            order: (samples,) positions in a random order.
            batch_size: Samples of a step; what is left after the last full step stays at the end.
            seed: Numbers that the order of the batches follows from.

        Example:
            >>> lengths = np.array([2, 30, 3, 31])
            >>> Buckets({"": lengths}, False).order(np.array([1, 2, 3, 0]), 2, 0).tolist()
            [0, 2, 1, 3]
        """
        full = len(order) // batch_size * batch_size
        sizes, batches = self.sizes, []
        for first in range(0, full, _POOLED * batch_size):
            pool = order[first : min(first + _POOLED * batch_size, full)]
            batches.append(pool[np.argsort(sizes[pool], kind="stable")].reshape(-1, batch_size))
        if not batches:
            return order
        shuffled = np.random.default_rng(seed).permutation(np.concatenate(batches))
        return np.concatenate([shuffled.ravel(), order[full:]])

    def cutter(self) -> Cutter:
        """Return what cuts batches, with the lengths on the device."""
        return Cutter({name: tf.constant(array) for name, array in self.lengths.items()}, self.with_targets)

    def _ignored_by(self, model: keras.Model, split: Split) -> bool:
        rows = np.argsort(self.sizes, kind="stable")[:_COMPARED].astype(np.int32)
        inputs, targets = tf.nest.map_structure(
            lambda array: tf.constant(array[rows]), (plain(split.inputs), split.targets)
        )
        shorter, _ = self.cutter()(inputs, targets, rows)
        first, second = (np.asarray(forward_pass(model, batch), "float32") for batch in (inputs, shorter))
        if self.with_targets:
            first = first[:, : second.shape[1]]
        closeness = _CLOSE.get(keras.mixed_precision.dtype_policy().compute_dtype, _HALF_PRECISION)
        return bool(np.allclose(first, second, rtol=closeness, atol=closeness, equal_nan=False))


@dataclass(frozen=True)
class Cutter:
    """Cuts the padding of a batch, inside the compiled step."""

    lengths: Mapping[str, tf.Tensor]
    with_targets: bool

    def __call__(self, inputs: Any, targets: tf.Tensor, rows: Any) -> tuple[Any, tf.Tensor]:
        """Return inputs and targets of the (batch,) positions `rows`, as long as the longest of them."""
        by_name = inputs if isinstance(inputs, Mapping) else {"": inputs}
        steps = {name: _longest(tf.gather(self.lengths[name], rows)) for name in by_name}
        cut = {name: array[:, : steps[name]] for name, array in by_name.items()}
        if self.with_targets:
            targets = targets[:, : steps["previous" if "previous" in steps else ""]]
        return cut if isinstance(inputs, Mapping) else cut[""], targets


def plain(inputs: Any) -> Any:
    """Return inputs by name in a plain dict, and others as they are."""
    return dict(inputs) if isinstance(inputs, Mapping) else inputs  # tf.nest takes no other mapping


def _steps(model: keras.Model, name: str) -> int | None:
    """Return how many steps an input takes: None for any number, 0 if that is not to be known."""
    try:
        inputs = model.inputs if name == "" else [item for item in model.inputs if item.name == name]
        (shape,) = (item.shape for item in inputs)
    except (AttributeError, TypeError, ValueError):
        return 0
    steps: int | None = shape[1] if len(shape) > 1 else 0
    return steps


def _lengths(array: np.ndarray) -> np.ndarray | None:
    """Return (samples,) int32, the steps before the padding, at least 1."""
    if array.dtype.kind in "iu" and array.ndim == 2:
        real = array != 0  # (samples, steps)
    elif array.dtype.kind == "f" and array.ndim == 3:
        real = ~np.isnan(array).all(axis=2)
    else:
        return None
    steps = np.arange(1, array.shape[1] + 1, dtype=np.int32)
    return np.maximum((real * steps).max(axis=1, initial=1), 1).astype(np.int32)


def _rounded(lengths: Any) -> Any:
    return -(-lengths // _ROUNDED_TO) * _ROUNDED_TO


def _longest(lengths: tf.Tensor) -> tf.Tensor:
    return _rounded(tf.reduce_max(lengths))
