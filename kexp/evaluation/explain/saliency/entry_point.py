"""The entry point of a model: the first place where its input is made of floating-point numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kexp.core.structures import is_nested
from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel, is_float, only_images
from kexp.models.layer_outputs import Place


def entry_point(explained: ExplainedModel, inputs: Inputs) -> tuple[Place | None, Any] | None:
    """Return where a gradient with respect to the input is taken, and what stands there for some inputs.

    It is the input itself where that is an array of floating point, else the first tensor of such within the
    model: of bytes the pixels as the network sees them, of texts the vectors of their tokens.

    Args:
        explained: The model.
        inputs: Samples; of several inputs it is a place of the images among them.

    Returns:
        The place, None for the input itself, and a tensor of (samples, ...); None where there is no place.
    """
    batch = explained.batch(inputs)
    if not is_nested(batch) and is_float(batch):
        # NaN is the padding of series, which no gradient knows.
        return (None, batch) if bool(np.isfinite(np.asarray(batch)).all()) else _first(explained, inputs)
    return _first(explained, inputs)


def _first(explained: ExplainedModel, inputs: Inputs) -> tuple[Place, Any] | None:
    least = 4 if only_images(inputs) is not None else 3
    for place, value in explained.activations(inputs):
        if np.isfinite(np.asarray(value, np.float32)).all() and len(value.shape) >= least:
            return place, ops.convert_to_tensor(value)
    return None
