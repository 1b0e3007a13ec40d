"""Sample requests: what can be drawn from a model that makes samples, checked before it is loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kexp.core.constraints import SampleCount, SampleSeed, check_value
from kexp.core.errors import InputError
from kexp.core.images import to_uint8
from kexp.data.class_labels import resolve_class_indices
from kexp.data.dataset import DatasetSpec


def check_sample_request(
    n: int, seed: int, labels: Sequence[str | int] | None, classes: Sequence[str] | None
) -> list[str] | None:
    """Check what is asked of a model that makes samples, and return the names of the classes asked for.

    Args:
        n: How many samples, 1 or more, at most 100,000.
        seed: 0 or more, at most 2147483647.
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
    check_value("n", n, SampleCount)
    check_value("seed", seed, SampleSeed)
    if labels is None:
        return None
    return [classes[index] for index in resolve_class_indices(labels, n, classes)]


def images_from_unit(reconstructions: np.ndarray, spec: DatasetSpec) -> np.ndarray:
    """Return reconstructions as the data has its samples: numbers from 0 to 1 as bytes where that has bytes.

    Example:
        >>> spec = DatasetSpec("image", (1, 2, 1), "uint8", "reconstruction", 0)
        >>> images_from_unit(np.array([[0.0, 1.0]]), spec).tolist()
        [[0, 255]]
    """
    return to_uint8(reconstructions) if spec.dtype == "uint8" else reconstructions
