"""Training data that is read while training: a tf.data.Dataset in place of the training part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.dataset import Dataset, Split
from kexp.data.sources.tf_data import is_dataset


@dataclass(frozen=True)
class Stream(Split):
    """A training part that goes on and on; `inputs` and `targets` are a sample of it in memory.

    Attributes:
        dataset: A tf.data.Dataset of single samples, (inputs, target).
        epoch_samples: How many of them count as an epoch.
    """

    dataset: Any = None
    epoch_samples: int = 0

    def __len__(self) -> int:
        return self.epoch_samples


def stream(dataset: Any, data: Dataset, *, epoch_samples: int) -> Dataset:
    """Return data whose training part is read from a tf.data.Dataset while training.

    The dataset is repeated without end and batched by the run. Its iterator is part of every checkpoint,
    shuffle buffers included, so that a run goes on with the very sample that was next. That takes
    TensorFlow's own operations, and for anything random a seed: `shuffle(…, seed=…)`, and stateless draws
    by the numbers of a zipped `tf.data.Dataset.random(seed)`.

    Args:
        dataset: A tf.data.Dataset of (inputs, target): inputs as `data.spec` has them for one sample, the
            target a class index, or a vector of numbers for regression.
        data: What the samples are like; its validation and test parts stay, and its training part is
            the sample that checks and statistics are made on.
        epoch_samples: Samples that count as an epoch, 1 or more; a whole number of steps of it is taken.

    Raises:
        InputError: The dataset's elements are not like the data.

    Example:
        >>> import tensorflow as tf
        >>> from kexp.data import load
        >>> digits = load("digits")
        >>> images = tf.data.Dataset.from_tensor_slices((digits.train.inputs, digits.train.targets))
        >>> len(stream(images.shuffle(1000, seed=0), digits, epoch_samples=640).train)
        640
    """
    if not is_dataset(dataset):
        raise InputError(f"dataset must be a tf.data.Dataset; received {type(dataset).__name__}.")
    if not isinstance(epoch_samples, int) or epoch_samples < 1:
        raise InputError(f"epoch_samples must be a whole number, 1 or more; received {shown(epoch_samples)}.")
    _require_alike(dataset.element_spec, data)
    like = f"{data.fingerprint} {dataset.element_spec} {epoch_samples}"
    train = Stream(data.train.inputs, data.train.targets, dataset=dataset, epoch_samples=epoch_samples)
    return replace(data, train=train, fingerprint=hashlib.sha256(like.encode()).hexdigest())


def _require_alike(element: Any, data: Dataset) -> None:
    expected = _of_sample(data.train.inputs), _of_sample(data.train.targets)
    received: Any
    try:
        received = _of_tensor(element[0]), _of_tensor(element[1])
    except (TypeError, IndexError, AttributeError, KeyError):
        received = (element,)
    if received != expected:
        raise InputError(
            f"dataset must have samples (inputs, target) like {expected} as {data.name} has; received "
            f"{received}, so map, cast or unbatch it."
        )


def _of_sample(arrays: Any) -> Any:
    if isinstance(arrays, np.ndarray):
        name = "string" if arrays.dtype == object else arrays.dtype.name
        return name, tuple(arrays.shape[1:])
    return {name: _of_sample(column) for name, column in arrays.items()}


def _of_tensor(spec: Any) -> Any:
    if isinstance(spec, dict):
        return {name: _of_tensor(part) for name, part in spec.items()}
    return spec.dtype.name, tuple(spec.shape)
