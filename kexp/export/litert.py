"""The LiteRT exporter: the predictions of a model in one file, for phones and small devices."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.export.exporter import Exporter, Smaller
from kexp.export.input_names import DEFAULT
from kexp.export.parity import Arrays, Runner
from kexp.export.plain_exporter import PlainExporter
from kexp.export.plain_graph import plain_function, quiet_conversion
from kexp.export.serving_signatures import ServedSignature

if TYPE_CHECKING:
    import keras


def load_litert(folder: str) -> Runner:
    """Return what runs the predictions of a LiteRT file, with its interpreter alone."""
    from ai_edge_litert.interpreter import Interpreter

    run_signature = Interpreter(model_path=f"{folder}/model.tflite").get_signature_runner("serving_default")

    def run(signature: str, inputs: Arrays) -> Arrays:
        return dict(run_signature(**inputs))

    return run


class LiteRTExporter(PlainExporter):
    """LiteRT files, which hold what needs no strings, draws or loops, of LiteRT's own operations alone."""

    format = "litert"
    artifact = "model.tflite"
    parts = frozenset({"model.tflite"})
    packages: Sequence[str] = ("ai_edge_litert",)
    quantized_types: Sequence[str] = ("float16", "int8")
    load = staticmethod(load_litert)

    def content(self, model: keras.Model, served: ServedSignature, smaller: Smaller | None) -> bytes:
        import tensorflow as tf

        function = plain_function(model, served).get_concrete_function()
        # Of a concrete function the converter loses the variables, and the file computes NaN.
        saved = tf.Module()
        saved.variables_of_graph = list(function.graph.variables)
        with tempfile.TemporaryDirectory(prefix="kexp-litert-") as place, quiet_conversion():
            tf.saved_model.save(saved, place, signatures={DEFAULT: function})
            converter = tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=[DEFAULT])
            if smaller is not None:
                _quantize(converter, smaller)
            try:
                return bytes(converter.convert())
            except Exception as error:  # of several kinds, of which only one is the converter's own
                raise InputError(
                    f"litert cannot carry the model ({_reason(error)}); use saved_model."
                ) from error


def _quantize(converter: Any, smaller: Smaller) -> None:
    """Have a converter make weights smaller, as TensorFlow's guide "Post-training quantization" says."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if smaller.type == "float16":
        converter.target_spec.supported_types = [tf.float16]
    else:
        converter.representative_dataset = lambda: ((DEFAULT, one) for one in smaller.representatives())


def _reason(error: Exception) -> str:
    """Return which operations LiteRT has not, of what may be many pages."""
    text = str(error)
    named = re.search(r"(?:TF Select|Custom) ops: (.+)", text)
    if named:
        return f"it has no operation {named[1].strip()}"
    return (text.strip().splitlines() or [type(error).__name__])[0][:200]


EXPORTER: Exporter = LiteRTExporter()
