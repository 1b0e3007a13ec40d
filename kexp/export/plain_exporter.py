"""The base of exporters for runtimes without TensorFlow: one file with the predictions alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.data.dataset import DatasetSpec
from kexp.export.exporter import Smaller
from kexp.export.numeric_core import numeric_core
from kexp.export.parity import ParityCase
from kexp.export.plain_graph import plain_refusal, predictions_of
from kexp.export.preprocessing_files import write_preprocessing
from kexp.export.serving_signatures import ServedSignature

if TYPE_CHECKING:
    import keras


class PlainExporter(ABC):
    """Writes the file of a format that holds what needs no draws or loops, from the numbers of strings on."""

    format: str
    artifact: str

    def refusal(
        self, model: keras.Model, spec: DatasetSpec, signatures: Sequence[ServedSignature]
    ) -> str | None:
        """Return the sentence that says why the format cannot hold the model, or None where it can."""
        return plain_refusal(model, signatures, self.format)

    def write(
        self,
        model: keras.Model,
        signatures: Sequence[ServedSignature],
        folder: Path,
        smaller: Smaller | None = None,
    ) -> list[ParityCase]:
        """Write the predictions, and beside them what turns strings into the numbers that they take."""
        served = predictions_of(signatures)
        assert served is not None
        core = numeric_core(model, served)
        content = self.content(core.model, core.served, core.prepared(smaller))
        (folder / self.artifact).write_bytes(content)
        if core.settings:
            write_preprocessing(folder, core.settings)
        return [served.case]

    @abstractmethod
    def content(self, model: keras.Model, served: ServedSignature, smaller: Smaller | None) -> bytes:
        """Return the content of the file."""
