"""Quantization of ONNX graphs, by ONNX Runtime's own tools."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.export.exporter import Smaller
from kexp.export.quantization import LARGEST_HALF, too_large_for_halves

# Those with weights. What is left in float32, as a softmax, costs little space and much precision.
_OPERATIONS = ["Conv", "ConvTranspose", "Gemm", "MatMul"]


def quantized(model: Any, smaller: Smaller) -> Any:
    """Return an ONNX `ModelProto` with its weights in a smaller type; its inputs and outputs stay.

    Args:
        model: The one with all weights in float32.
        smaller: int8 in weights and in the sums of products, as pairs of QuantizeLinear and DequantizeLinear
            with ranges from the samples; or float16 throughout.

    Raises:
        InputError: ONNX Runtime comes without the tool, there is nothing to quantize, or a number of the
            model is too large for float16.
    """
    return _in_integers(model, smaller) if smaller.type == "int8" else _in_halves(model, smaller)


class _Representatives:
    """What ONNX Runtime's calibration asks for a batch after the other."""

    def __init__(self, batches: Iterator[dict[str, np.ndarray]]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


def _in_integers(model: Any, smaller: Smaller) -> Any:
    import onnx

    try:
        from onnxruntime.quantization import QuantFormat, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise _without_tool("int8", "onnxruntime.quantization", error) from error
    with tempfile.TemporaryDirectory(prefix="kexp-onnx-") as folder:
        given, prepared, found = (
            str(Path(folder, f"{step}.onnx")) for step in ("given", "prepared", "found")
        )
        onnx.save(model, given)
        # Symbolic shapes would need SymPy, and serve models that ONNX's own inference cannot follow.
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            found,
            _Representatives(smaller.representatives()),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_OPERATIONS,
            per_channel=True,
            # Weights of 7 bits: of 8, sums of pairs overflow on processors with AVX2 and no VNNI. An error of
            # 0.113 of a probability came to 0.010.
            reduce_range=True,
        )
        result = onnx.load(found)
    if not any(node.op_type == "QuantizeLinear" for node in result.graph.node):
        raise InputError(
            "quantize: onnx holds weights of convolutions and products of matrices in int8, and the model "
            "has none; leave quantize out."
        )
    return result


def _in_halves(model: Any, smaller: Smaller) -> Any:
    import onnx

    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise _without_tool("float16", "onnxruntime.transformers.float16", error) from error
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            largest = float(np.max(onnx.numpy_helper.to_array(weight), initial=0.0))
            if largest > LARGEST_HALF:
                raise too_large_for_halves(weight.name, largest)
    model = onnx.shape_inference.infer_shapes(model)
    found = convert_float_to_float16(
        onnx.ModelProto.FromString(model.SerializeToString()), keep_io_types=True
    )
    _check_overflow(model, found, smaller)
    return found


def _check_overflow(model: Any, halves: Any, smaller: Smaller) -> None:
    """Refuse float16 where a number of the model becomes infinite by it.

    On a CPU, ONNX Runtime computes chains of operations in float32, so the answers alone may not show it.
    """
    tensors = smaller.representatives(), _tensors(model, smaller), _tensors(halves, smaller)
    for batch, exact, rounded in zip(*tensors, strict=True):
        numbers = {name: array for name, array in batch.items() if array.dtype == np.float32}
        for name, array in (numbers | exact).items():
            other = rounded.get(name)
            # What attention masks out is a large negative number, which a softmax takes for minus infinity.
            lost = np.isfinite(array) & (array > LARGEST_HALF if other is None else np.isposinf(other))
            if np.any(lost):
                raise too_large_for_halves(name, float(array[lost].max()))


def _tensors(model: Any, smaller: Smaller) -> Iterator[dict[str, np.ndarray]]:
    """Yield the numbers in the middle of a graph for each of the samples, in the order of its operations."""
    import onnx
    import onnxruntime

    exposed = onnx.ModelProto.FromString(model.SerializeToString())
    del exposed.graph.output[:]
    given = {one.name: one for one in onnx.shape_inference.infer_shapes(model).graph.value_info}
    given.update({one.name: one for one in model.graph.output})
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    produced = [name for node in model.graph.node for name in node.output if name in given]
    names = [name for name in produced if given[name].type.tensor_type.elem_type in kinds]
    exposed.graph.output.extend(given[name] for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for batch in smaller.representatives():
        yield dict(zip(names, session.run(names, batch), strict=True))


def _without_tool(kind: str, module: str, error: ImportError) -> InputError:
    return InputError(
        f"quantize: onnx in {kind} needs the module {module}, which does not load here ({error}); install "
        "the package onnxruntime anew, or leave quantize out."
    )
