"""The ONNX exporter: the predictions of a model in one file, for ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.export.exporter import Exporter, Smaller
from kexp.export.onnx_quantization import quantized
from kexp.export.parity import Arrays, Runner
from kexp.export.plain_exporter import PlainExporter
from kexp.export.plain_graph import plain_function, quiet_conversion
from kexp.export.preprocessing_files import PARTS
from kexp.export.serving_signatures import ServedSignature

if TYPE_CHECKING:
    import keras

OPSET = 18  # the newest that tf2onnx 1.17 writes


def load_onnx(folder: str) -> Runner:
    """Return what runs the predictions of an ONNX file, with ONNX Runtime alone."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(signature: str, inputs: Arrays) -> Arrays:
        found = dict(zip(names, session.run(names, dict(inputs)), strict=True))
        return {
            name: np.vectorize(str.encode, otypes=[object])(array) if array.dtype == object else array
            for name, array in found.items()
        }

    return run


class OnnxExporter(PlainExporter):
    """ONNX files, which hold what needs no draws or loops."""

    format = "onnx"
    artifact = "model.onnx"
    parts = PARTS | {"model.onnx"}
    packages: Sequence[str] = ("onnx", "onnxruntime", "tf2onnx")
    quantized_types: Sequence[str] = ("float16", "int8")
    load = staticmethod(load_onnx)

    def content(self, model: keras.Model, served: ServedSignature, smaller: Smaller | None) -> bytes:
        import onnx
        import tf2onnx

        with quiet_conversion():
            function = plain_function(model, served)
            found, _ = tf2onnx.convert.from_function(function, list(served.inputs), opset=OPSET)
            _fill_in_constants(found.graph, function.get_concrete_function())
            _write_out(found.graph)
            unknown = {
                node.op_type for node in found.graph.node if not onnx.defs.has(node.op_type, node.domain)
            }
            if unknown:
                raise InputError(
                    f"onnx has none of the model's operations {', '.join(sorted(unknown))}; use saved_model."
                )
            foreign = {given.name for given in found.graph.input} - {spec.name for spec in served.inputs}
            if foreign:
                raise InputError(
                    f"onnx cannot carry the model's {', '.join(sorted(foreign))}; use saved_model."
                )
            if smaller is not None:
                found = quantized(found, smaller)
        return bytes(found.SerializeToString())


def _fill_in_constants(graph: Any, function: Any) -> None:
    """Give an ONNX graph the arrays that a layer holds, such as a mean, of which tf2onnx makes inputs."""
    from onnx.numpy_helper import from_array

    count = len(function.captured_inputs)
    captured = zip(function.inputs[-count:], function.captured_inputs, strict=True) if count else ()
    values = {place.name: value for place, value in captured if value.dtype.name != "resource"}
    used = {name for node in graph.node for name in node.input}
    for given in [given for given in graph.input if given.name in values]:
        graph.input.remove(given)
        if given.name in used:
            graph.initializer.append(from_array(values[given.name].numpy(), given.name))


def _write_out(graph: Any) -> None:
    """Write erfc, of an exact GELU, which tf2onnx leaves as it is, by operations that ONNX has."""
    import numpy as np
    from onnx import helper
    from onnx.numpy_helper import from_array

    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type != "Erfc":
            graph.node.append(node)
            continue
        one, erf = f"{node.output[0]}/one", f"{node.output[0]}/erf"
        graph.initializer.append(from_array(np.array(1, np.float32), one))
        graph.node.append(helper.make_node("Erf", list(node.input), [erf], name=erf))
        graph.node.append(helper.make_node("Sub", [one, erf], list(node.output), name=node.name))


EXPORTER: Exporter = OnnxExporter()
