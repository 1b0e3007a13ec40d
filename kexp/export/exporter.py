"""The exporter protocol: one file of this folder per format, found by scanning."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.core.name_lists import named
from kexp.core.scan import modules_of
from kexp.data.dataset import DatasetSpec
from kexp.export.parity import ParityCase, Runner
from kexp.export.serving_signatures import ServedSignature

if TYPE_CHECKING:
    import keras

DEFAULT_FORMAT = "saved_model"


class Smaller(NamedTuple):
    """A smaller type of weights, and representative samples of each input by key, a batch of one each."""

    type: str
    representatives: Callable[[], Iterator[dict[str, np.ndarray]]]


class Exporter(Protocol):
    """A format in which a trained model is written, as the `EXPORTER` of its file.

    What all formats share is `kexp.export.export_model`'s: the place, `kexp.json`, the check of model and
    samples, and the parity check in a fresh process.

    Attributes:
        format: Its name, as "saved_model".
        artifact: The file in a version's folder by which the format is known to be there.
        parts: Names of all that it may write into that folder; the artifact's is among them.
        packages: Names of the modules that it needs beside TensorFlow, of the extra with the format's name.
        quantized_types: The smaller types that it can hold weights in.
    """

    format: str
    artifact: str
    parts: frozenset[str]
    packages: Sequence[str]
    quantized_types: Sequence[str]

    @property
    def load(self) -> Callable[[str], Runner]:
        """The function from a version's folder to what runs the signatures in it.

        Its source is run in a fresh process, without kexp or Keras: it imports all that it needs.
        """
        ...

    def refusal(
        self, model: keras.Model, spec: DatasetSpec, signatures: Sequence[ServedSignature]
    ) -> str | None:
        """Return the sentence that says why the format cannot hold this model, or None where it can."""
        ...

    def write(
        self,
        model: keras.Model,
        signatures: Sequence[ServedSignature],
        folder: Path,
        smaller: Smaller | None = None,
    ) -> Sequence[ParityCase]:
        """Write the model into a version's folder, and return what a fresh process has to compute from it.

        Args:
            model: The trained model.
            signatures: What is served of it, the predictions first.
            folder: Exists only if another format is in it.
            smaller: The type of its weights, of `quantized_types`, with samples to choose ranges by; default:
                as they are. What comes of it is measured rather than compared.
        """
        ...


@cache
def exporters() -> dict[str, Exporter]:
    """Return the exporter of each format, of which the first that is in a folder answers `kexp predict`.

    Example:
        >>> exporters()["saved_model"].artifact
        'saved_model.pb'
    """
    modules = modules_of("kexp.export")
    found: list[Exporter] = [module.EXPORTER for module in modules if hasattr(module, "EXPORTER")]
    found.sort(key=lambda exporter: exporter.format != DEFAULT_FORMAT)
    return {exporter.format: exporter for exporter in found}


def exporters_of(formats: str | Sequence[str], quantize: str | None = None) -> list[Exporter]:
    """Return the exporters of some formats, each once; the packages that they need are not imported.

    Args:
        formats: Names, also with commas between them.
        quantize: A type that each has to hold weights in, default None: that of the model.

    Raises:
        InputError: There is none of that name, or no format at all, its packages are not installed, or it
            does not hold weights in the type.

    Example:
        >>> exporters_of(["savedmodel"])
        Traceback (most recent call last):
        kexp.InputError: formats must name formats of an export, of saved_model, litert, onnx; received
        'savedmodel' (did you mean 'saved_model'?).
    """
    known = exporters()
    asked = named(formats)
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        received = f"{shown(unknown[0])}{nearest(unknown[0], known)}" if unknown else "none"
        raise InputError(
            f"formats must name formats of an export, of {', '.join(known)}; received {received}."
        )
    for name in asked:
        if quantize is not None and quantize not in known[name].quantized_types:
            able = " and ".join(one.format for one in known.values() if quantize in one.quantized_types)
            raise InputError(
                f"quantize: {name} is not written in {quantize}, but {able or 'no format'} can be; leave "
                f"{name} out of formats."
            )
        _require_packages(known[name])
    return [known[name] for name in asked]


def _require_packages(exporter: Exporter) -> None:
    name = exporter.format
    for package in exporter.packages:
        if importlib.util.find_spec(package) is None:
            raise InputError(
                f"formats: {name} needs the package {package}, which is not installed; run pip install "
                f"'kexp[{name}]', or leave {name} out."
            )
