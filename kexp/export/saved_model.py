"""The SavedModel exporter: what TensorFlow Serving, `tf.saved_model.load` and `saved_model_cli` read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.core.keras_private import all_layers
from kexp.data.dataset import DatasetSpec
from kexp.export.exporter import Exporter, Smaller
from kexp.export.parity import Arrays, ParityCase, Runner
from kexp.export.serving_signatures import ServedSignature

if TYPE_CHECKING:
    import keras


def load_saved_model(folder: str) -> Runner:
    """Return what runs the signatures of a SavedModel, with TensorFlow alone."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)

    def run(signature: str, inputs: Arrays) -> Arrays:
        outputs = loaded.signatures[signature](**{key: tf.constant(value) for key, value in inputs.items()})
        return {name: output.numpy() for name, output in outputs.items()}

    return run


class SavedModelExporter:
    """SavedModels, which hold every model that Keras can trace, preprocessing and strings within."""

    format = "saved_model"
    artifact = "saved_model.pb"
    parts = frozenset({"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"})
    packages: Sequence[str] = ()
    quantized_types: Sequence[str] = ()
    load = staticmethod(load_saved_model)

    def refusal(self, model: keras.Model, spec: DatasetSpec, signatures: Sequence[ServedSignature]) -> None:
        """Return None: no model is refused."""

    def write(
        self,
        model: keras.Model,
        signatures: Sequence[ServedSignature],
        folder: Path,
        smaller: Smaller | None = None,
    ) -> list[ParityCase]:
        """Write the model with all its signatures."""
        import keras

        archive = keras.export.ExportArchive()
        archive.track(model)
        for layer in all_layers(model):
            # Not a variable, and Keras 3.12 finds it in some models only. A TextVectorization does not build
            # the layer within it, but is found with its table.
            if hasattr(layer, "lookup_table") and layer.built:
                archive.track(layer)
        for served in signatures:
            archive.add_endpoint(served.case.signature, served.function, input_signature=list(served.inputs))
        with _quiet_tensorflow():
            archive.write_out(str(folder), verbose=False)
        return [served.case for served in signatures]


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keep "Assets written to" and the like off the terminal."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


EXPORTER: Exporter = SavedModelExporter()
