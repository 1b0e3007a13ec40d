"""What can be drawn from a model that makes samples, known before it is loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.images import to_uint8
from kexp.data.class_labels import resolve_class_indices
from kexp.data.dataset import DatasetSpec


def sampleable_classes(model_file: Path, spec: DatasetSpec) -> tuple[str, ...] | None:
    """Return the classes that a recorded model draws by name: none for some, None if it draws nothing.

    Keras is not asked, whose import takes seconds.

    Args:
        model_file: The model.keras of a run.
        spec: Of the run.

    Raises:
        InputError: The file is absent or damaged.
    """
    if spec.task not in ("generation", "reconstruction"):
        return None
    try:
        with zipfile.ZipFile(model_file) as archive:
            config = json.loads(archive.read("config.json"))["config"]
        if spec.task == "generation":
            return tuple(config["class_names"])
        return () if _variational(config["autoencoder"]["config"]) else None
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{model_file} cannot be read ({error}); the run is damaged, train it again."
        ) from error


def _variational(config: dict[str, Any]) -> bool:
    """Return whether the encoder gives two outputs, a mean and a variance."""
    encoder = next(layer for layer in config["layers"] if layer["name"] == "encoder")
    outputs = encoder["config"]["output_layers"]
    return len(outputs) == 2 and all(isinstance(output, list) for output in outputs)


def check_sample_request(
    n: int, seed: int, labels: Sequence[str | int] | None, classes: Sequence[str] | None
) -> list[str] | None:
    """Check what is asked of a model that makes samples, and return the names of the classes asked for.

    Args:
        n: How many samples, 1 or more.
        seed: 0 or more.
        labels: A name or index for each sample, or None.
        classes: What the model draws by name; empty: it has no classes; None: it draws nothing.

    Raises:
        InputError: An argument cannot be used.

    Example:
        >>> check_sample_request(2, 0, ["dog", 0], ("cat", "dog"))
        ['dog', 'cat']
        >>> check_sample_request(1, 0, ["dig"], ("cat", "dog"))
        Traceback (most recent call last):
        kexp.InputError: labels must be names of classes, cat, dog, or their indices; received 'dig'
        (did you mean 'dog'?).
    """
    if classes is None:
        raise InputError(
            "sample draws from models that make samples (generation, or a variational autoencoder), and this "
            "is none of them; use predict."
        )
    check_value("n", n, Annotated[int, AtLeast(1)])
    check_value("seed", seed, Annotated[int, AtLeast(0)])
    if labels is None:
        return None
    return [classes[index] for index in resolve_class_indices(labels, n, classes)]


def as_data(reconstructions: np.ndarray, spec: DatasetSpec) -> np.ndarray:
    """Return reconstructions as the data has its samples: numbers from 0 to 1 as bytes where that has bytes.

    Example:
        >>> spec = DatasetSpec("image", (1, 2, 1), "uint8", "reconstruction", 0)
        >>> as_data(np.array([[0.0, 1.0]]), spec).tolist()
        [[0, 255]]
    """
    return to_uint8(reconstructions) if spec.dtype == "uint8" else reconstructions
