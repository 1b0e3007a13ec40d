"""What this engine offers to the rest of kexp; see `kexp.engine.engine_choice.Backend`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.options import TrainOptions
from kexp.data import Dataset, Stream
from kexp.data.batch_feed import FedSplit
from kexp.data.feed_kinds import ends
from kexp.data.stored_arrays import is_stored
from kexp.engine.base import PREFERRED, Computation, EnginePhase
from kexp.engine.tensorflow.batch_augmentation import Augmentation
from kexp.engine.tensorflow.engine import TensorFlowEngine
from kexp.engine.tensorflow.evaluator import Evaluator as evaluator
from kexp.engine.tensorflow.feed_source import FeedBatchSource, OpenEndedSource
from kexp.engine.tensorflow.forward_pass import forward_pass
from kexp.engine.tensorflow.fused_updates import has_fused_updates
from kexp.engine.tensorflow.input_gradients import value_and_gradient
from kexp.engine.tensorflow.input_pipeline import ArrayBatchSource, StreamBatchSource, TensorSource
from kexp.engine.tensorflow.length_buckets import Buckets
from kexp.engine.tensorflow.metric_accumulator import measure_outputs
from kexp.engine.tensorflow.population import Population as population
from kexp.engine.tensorflow.replicas import Replicas
from kexp.engine.tensorflow.step_flops import device_peak_bytes, matmul_flops_per_s, step_flops
from kexp.engine.tensorflow.stored_source import StoredBatchSource
from kexp.engine.tensorflow.strategy import choose, strategy_scope
from kexp.engine.tensorflow.workers import TensorFlowWorkers as workers
from kexp.engine.tensorflow.workers import memory_checked
from kexp.train.objectives import Objective

__all__ = [
    "device_peak_bytes",
    "evaluator",
    "forward_pass",
    "has_fused_updates",
    "matmul_flops_per_s",
    "measure_outputs",
    "memory_checked",
    "population",
    "step_flops",
    "strategy_scope",
    "value_and_gradient",
    "workers",
]

INPUT_ERRORS = (ValueError, TypeError, NotImplementedError, tf.errors.InvalidArgumentError)
_NO_NEW_MEMORY = ("Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "ReadVariableOp", "Shape")
_STRATEGIES: Mapping[str, type[tf.distribute.Strategy]] = {
    "mirrored": tf.distribute.MirroredStrategy,
    "multiworker": tf.distribute.MultiWorkerMirroredStrategy,
    "tpu": tf.distribute.TPUStrategy,
}


def engine(
    model: keras.Model,
    objective: Objective,
    phases: Sequence[EnginePhase],
    data: Dataset,
    options: TrainOptions,
    batch_size: int,
    *,
    augmentation: Augmentation | None = None,
    sample_weight: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
    steps_before: int = 0,
    computation: Computation = PREFERRED,
) -> TensorFlowEngine:
    """Return an engine that trains on `data.train` and validates on `data.validation`."""
    source: TensorSource
    if isinstance(data.train, Stream):
        source = StreamBatchSource(data.train, batch_size)
    elif isinstance(data.train, FedSplit):
        known = data.train.feed.count is not None or not ends(data.train.feed)
        several = Replicas().distributed
        source = (
            FeedBatchSource(data.train, steps_before) if known or several else OpenEndedSource(data.train)
        )
    elif is_stored(data.train.inputs):
        source = StoredBatchSource(data.train, sample_weight)
    else:
        # What a model was compiled with takes the samples as they are, in the order of the epoch.
        as_they_are = Replicas().static or objective.takes_weights
        buckets = None if as_they_are else Buckets.of(model, data.train, objective.task)
        source = ArrayBatchSource(data.train, sample_weight, buckets)
    return TensorFlowEngine(
        model,
        objective,
        phases,
        source,
        data.validation,
        options,
        augmentation=augmentation,
        class_weights=class_weights,
        computation=computation,
    )


def augmentation(layers: Sequence[keras.layers.Layer], data: Dataset) -> Augmentation | None:
    """Return what changes training batches; None for no layers."""
    return Augmentation(layers, data.spec) if layers else None


def activation_bytes(model: keras.Model, inputs: Any, batch_size: int) -> int | None:
    """Return the size of what the operations of a forward pass give for a batch; None if it has no graph."""

    def described(array: np.ndarray) -> tf.TensorSpec:
        # Objects are strings, which the host keeps.
        dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
        return tf.TensorSpec((batch_size, *array.shape[1:]), dtype)

    forward = tf.function(lambda batch: model(batch, training=True), autograph=False)
    try:
        graph = forward.get_concrete_function(tf.nest.map_structure(described, inputs)).graph
    except (ValueError, TypeError, RuntimeError):
        return None
    outputs = [
        tensor
        for operation in graph.get_operations()
        if operation.type not in _NO_NEW_MEMORY
        for tensor in operation.outputs
    ]
    return sum(_batch_bytes(tensor, batch_size) for tensor in outputs)


def _batch_bytes(tensor: tf.Tensor, batch_size: int) -> int:
    shape = tensor.shape
    if not shape.is_fully_defined() or not shape.rank or shape[0] != batch_size or tensor.dtype.size is None:
        return 0
    return int(shape.num_elements()) * int(tensor.dtype.size)


def replicas() -> int:
    """Return the number of devices that share a batch."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def device_types() -> list[str]:
    """Return the type of each device of this machine."""
    return [device.device_type for device in tf.config.list_physical_devices()]


def misplaced_for(model: keras.Model, options: TrainOptions) -> str | None:
    """Return the arguments of the scope in which a model should have been built, if it was built elsewhere.

    Raises:
        InputError: A device that is asked for is not there.
    """
    current, strategy, devices = tf.distribute.get_strategy(), options["strategy"], options["devices"]
    if strategy in _STRATEGIES and not isinstance(current, _STRATEGIES[strategy]):
        return repr(strategy)
    if not all(current.extended.variable_created_in_scope(v.value) for v in model.variables):
        return "'mirrored'"
    if devices is None and strategy not in ("cpu", "gpu"):
        return None
    # Of a scope of one device nothing is left but where it puts what is made in it.
    here = current.extended.worker_devices if tf.distribute.has_strategy() else [tf.zeros(()).device]
    if {name.rpartition("device:")[2] for name in here} == set(choose(strategy, devices).devices):
        return None
    return repr(strategy) if devices is None else f"{strategy!r}, devices={devices!r}"
