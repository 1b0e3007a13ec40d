"""The arithmetic of a step: floating-point operations, counted in its graph, and what the device can do."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.core.trainer_private import function_graph
from kexp.engine.base import StepFlops
from kexp.engine.tensorflow.engine import TensorFlowEngine

_FIRST_SIZE, _LARGEST_SIZE = 512, 8192  # of the matrices whose product is timed
_LONG_ENOUGH_S = 0.02
_PRODUCTS = 5
# Products of matrices that are known to be none of those that are counted.
_OTHER_PRODUCTS = ("CudnnRNN", "SparseTensorDenseMatMul", "SparseMatMul", "Cholesky", "Qr", "Svd", "FFT")


def step_flops(engine: TensorFlowEngine, rows: np.ndarray, batch_size: int) -> StepFlops:
    """Return the floating-point operations of the forward and backward pass of a step.

    A multiplication and the addition of what it gives are two. Those of matrix products and convolutions are
    counted, which are nearly all; what is done number by number is not. The body of a loop is counted as
    often as it runs, and of two branches the larger one. The profiler of TensorFlow (`float_operation`) knows
    neither loops nor `einsum`, and so little of recurrent and attention layers.

    Args:
        engine: Whose steps are of gradients.
        rows: (steps, samples) positions; of their batches that of middle size is counted.
        batch_size: Samples per forward pass.
    """
    batches = [engine.batch_source(tf.constant(row[:batch_size])) for row in rows]
    batch = sorted(batches, key=_size)[len(batches) // 2]
    row = tf.constant(rows[0])
    partial = engine.until("backward", _SameBatch(batch, feeds=engine.batch_source.feeds))
    traced = tf.function(lambda: partial.step(row, batch_size), autograph=False).get_concrete_function()
    not_counted: Counter[str] = Counter()
    return StepFlops(_of_graph(traced.graph, not_counted), tuple(sorted(not_counted)))


class _SameBatch:
    """Gives one batch at every place, so that the shapes of a step are known."""

    def __init__(self, batch: Any, *, feeds: bool) -> None:
        self.feeds = feeds
        self._batch = batch

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        inputs, targets, weights = self._batch
        return inputs, targets, weights


def _size(batch: Any) -> int:
    return sum(
        int(tf.size(tensor))
        for tensor in tf.nest.flatten(batch, expand_composites=True)
        if tensor is not None
    )


def _of_graph(graph: Any, not_counted: Counter[str]) -> int:
    """Return the operations that what a graph gives needs; others are named in `not_counted`."""
    # Gradients of inputs that nobody asked for are in the graph, too, and TensorFlow leaves them out.
    left = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs]
    needed: dict[str, tf.Operation] = {}
    while left:
        operation = left.pop()
        if operation.name not in needed:
            needed[operation.name] = operation
            left += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return sum(_of_operation(operation, not_counted) for operation in needed.values())


def _of_operation(operation: tf.Operation, not_counted: Counter[str]) -> int:
    kind = operation.type.removeprefix("Stateless").removeprefix("Stateful")

    def inside(attribute: str) -> int:
        return _of_graph(function_graph(operation.graph, operation.get_attr(attribute).name), not_counted)

    if kind == "While":
        body, times = inside("body"), _times(operation)
        if body and times is None:
            not_counted["loops of unknown length, counted once"] += 1
        return body * (1 if times is None else times)
    if kind == "If":
        return max(inside("then_branch"), inside("else_branch"))
    if kind == "PartitionedCall":
        return inside("f")
    if kind.startswith(_OTHER_PRODUCTS):
        not_counted[kind] += 1
    if kind not in _COUNTS:
        return 0
    try:
        return _COUNTS[kind](operation)
    except ValueError:  # a shape that is not known
        not_counted[f"{kind} of unknown shape"] += 1
        return 0


def _times(loop: tf.Operation) -> int | None:
    """Return how often a loop runs at most, which is its second input; of a gradient the loop's own count."""
    tensor = loop.inputs[1]
    while tensor.op.type in ("Identity", "Max"):  # of Keras's recurrent layers, the longest series
        tensor = tensor.op.inputs[0]
    if tensor.op.type.endswith("While"):
        return _times(tensor.op)
    known = tf.get_static_value(tensor)
    return None if known is None or np.max(known) < 0 else int(np.max(known))


def _shape(tensor: tf.Tensor) -> list[int]:
    """Return the shape of a tensor.

    Raises:
        ValueError: It is not known.
    """
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"the shape of {tensor.name} is not known")
    return [int(size) for size in tensor.shape]


def _matmul(operation: tf.Operation) -> int:
    rows, columns = _shape(operation.inputs[0])
    inner = rows if operation.get_attr("transpose_a") else columns
    return 2 * inner * math.prod(_shape(operation.outputs[0]))


def _batch_matmul(operation: tf.Operation) -> int:
    inner = _shape(operation.inputs[0])[-2 if operation.get_attr("adj_x") else -1]
    return 2 * inner * math.prod(_shape(operation.outputs[0]))


def _einsum(operation: tf.Operation) -> int:
    if len(operation.inputs) < 2:
        return 0
    terms = operation.get_attr("equation").decode().partition("->")[0].split(",")
    if any("." in term for term in terms):
        raise ValueError("an ellipsis")
    sizes = {
        letter: size
        for term, tensor in zip(terms, operation.inputs, strict=True)
        for letter, size in zip(term, _shape(tensor), strict=True)
    }
    return 2 * math.prod(sizes.values())


def _convolution(operation: tf.Operation) -> int:
    *kernel, _ = _shape(operation.inputs[1])  # (…, channels in, channels out)
    return 2 * math.prod(kernel) * math.prod(_shape(operation.outputs[0]))


def _input_gradient(operation: tf.Operation) -> int:
    *kernel, _ = _shape(operation.inputs[1])
    return 2 * math.prod(kernel) * math.prod(_shape(operation.inputs[2]))


def _filter_gradient(operation: tf.Operation) -> int:
    *kernel, _ = _shape(operation.outputs[0])
    return 2 * math.prod(kernel) * math.prod(_shape(operation.inputs[2]))


def _depthwise(
    kernel: Callable[[tf.Operation], tf.Tensor], result: Callable[[tf.Operation], tf.Tensor]
) -> Any:
    # (height, width, channels, multiplier): every channel has filters of its own.
    return lambda operation: (
        2 * math.prod(_shape(kernel(operation))[:2]) * math.prod(_shape(result(operation)))
    )


_COUNTS: dict[str, Callable[[tf.Operation], int]] = {
    "MatMul": _matmul,
    "BatchMatMul": _batch_matmul,
    "BatchMatMulV2": _batch_matmul,
    "BatchMatMulV3": _batch_matmul,
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "Conv2DBackpropInput": _input_gradient,
    "Conv3DBackpropInputV2": _input_gradient,
    "Conv2DBackpropFilter": _filter_gradient,
    "Conv3DBackpropFilterV2": _filter_gradient,
    "DepthwiseConv2dNative": _depthwise(lambda one: one.inputs[1], lambda one: one.outputs[0]),
    "DepthwiseConv2dNativeBackpropInput": _depthwise(lambda one: one.inputs[1], lambda one: one.inputs[2]),
    "DepthwiseConv2dNativeBackpropFilter": _depthwise(lambda one: one.outputs[0], lambda one: one.inputs[2]),
}


def matmul_flops_per_s() -> float:
    """Return the floating-point operations a second of a large product of float32 matrices, on one device.

    The matrices are doubled until their product takes 20 ms, and the fastest of five products counts.
    """
    size = _FIRST_SIZE
    while _product_s(size) < _LONG_ENOUGH_S and size < _LARGEST_SIZE:
        size *= 2
    return 2 * size**3 / min(_product_s(size) for _ in range(_PRODUCTS))


def _product_s(size: int) -> float:
    matrix = tf.fill([size, size], 1e-3)
    float(tf.matmul(matrix, matrix)[0, 0])
    started_s = time.perf_counter()
    float(tf.matmul(matrix, matrix)[0, 0])  # which waits for a device that computes by itself
    return time.perf_counter() - started_s


def device_peak_bytes() -> int | None:
    """Return the most memory that was in use on a GPU since the process began; None: there is no GPU."""
    gpus = tf.config.list_logical_devices("GPU")
    return (
        max(int(tf.config.experimental.get_memory_info(one.name)["peak"]) for one in gpus) if gpus else None
    )
