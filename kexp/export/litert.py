"""The LiteRT exporter: the predictions of a model in one file, for phones and small devices."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.quiet_import import silent_errors
from kexp.export.exporter import Exporter, Smaller
from kexp.export.input_names import DEFAULT
from kexp.export.parity import Arrays, Runner
from kexp.export.plain_exporter import PlainExporter
from kexp.export.plain_graph import plain_function, quiet_conversion
from kexp.export.preprocessing_files import PARTS
from kexp.export.quantization import LARGEST_HALF, too_large_for_halves
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
    """LiteRT files, which hold what needs no draws or loops, of LiteRT's own operations alone."""

    format = "litert"
    artifact = "model.tflite"
    parts = PARTS | {"model.tflite"}
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
                with silent_errors():  # C++ lists arguments of the converter's own that it does without
                    content = bytes(converter.convert())
            except Exception as error:  # of several kinds, of which only one is the converter's own
                raise InputError(
                    f"litert cannot carry the model ({_reason(error)}); use saved_model."
                ) from error
            if smaller is not None and smaller.type == "float16":
                _check_halves(content, smaller)
            return content


def _check_halves(content: bytes, smaller: Smaller) -> None:
    """Refuse float16 where a number of the model is too large for it, as on the GPU of a phone.

    What attention masks out is a large negative number, which a softmax takes for minus infinity.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    run_signature = interpreter.get_signature_runner(DEFAULT)
    for batch in smaller.representatives():
        run_signature(**batch)
        for tensor in interpreter.get_tensor_details():
            # One without a name is memory that an operation works in, with anything in it.
            if not tensor["name"] or tensor["dtype"] not in (np.float16, np.float32):
                continue
            try:
                largest = float(np.max(interpreter.get_tensor(tensor["index"]), initial=0.0))
            except ValueError:  # one that is not computed, as within another operation
                continue
            if largest > LARGEST_HALF:
                raise too_large_for_halves(tensor["name"], largest)


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
