"""The LiteRT exporter: the predictions of a model in one file, for phones and small devices."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export.exporter import Exporter, Smaller
from kexp.export.input_names import DEFAULT
from kexp.export.parity import Arrays, ParityCase, Runner
from kexp.export.plain_graph import plain_function, plain_refusal, predictions_of, quiet_conversion
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


class LiteRTExporter:
    """LiteRT files, which hold what needs no strings, draws or loops, of LiteRT's own operations alone."""

    format = "litert"
    artifact = "model.tflite"
    parts = frozenset({"model.tflite"})
    packages: Sequence[str] = ("ai_edge_litert",)
    quantized_types: Sequence[str] = ("float16", "int8")
    load = staticmethod(load_litert)

    def refusal(
        self, model: keras.Model, spec: DatasetSpec, signatures: Sequence[ServedSignature]
    ) -> str | None:
        """Return the sentence that says why LiteRT cannot hold the model, or None where it can."""
        return plain_refusal(model, signatures, self.format)

    def write(
        self,
        model: keras.Model,
        signatures: Sequence[ServedSignature],
        folder: Path,
        smaller: Smaller | None = None,
    ) -> list[ParityCase]:
        """Write the predictions as `model.tflite`."""
        import tensorflow as tf

        served = predictions_of(signatures)
        assert served is not None
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
                content = converter.convert()
            except Exception as error:  # of several kinds, of which only one is the converter's own
                raise InputError(
                    f"litert cannot carry the model ({_reason(error)}); use saved_model."
                ) from error
        (folder / self.artifact).write_bytes(content)
        return [served.case]


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
