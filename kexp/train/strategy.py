"""The devices that a run trains on, and the number formats it computes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf


def scope(strategy: str) -> Any:
    """Return a context in which models are built and trained on the devices that `strategy` names.

    Args:
        strategy: "auto" for one device, "mirrored" for all GPUs, or all logical CPU devices where
            there is no GPU.

    Example:
        >>> with scope("auto"):
        ...     tf.distribute.get_strategy().num_replicas_in_sync
        1
    """
    if strategy == "auto":
        return nullcontext()
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    # Several steps to a call work on CPUs with this way of summing alone.
    sums = None if gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=sums).scope()


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build layers that compute in `name`, "float32", "float16" or "bfloat16", with weights in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name if name == "float32" else f"mixed_{name}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
