"""Names of tokens: what stands in the places of a text that a network sees as numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kexp.core.keras_private import all_layers
from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.models.layer_outputs import activations
from kexp.models.preprocessing.tokens import Tokenizer

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def token_names(explained: ExplainedModel, texts: Inputs) -> list[tuple[str, ...]] | None:
    """Return the tokens of each text, up to its padding.

    Args:
        explained: A model of texts whose tokens come from `kexp.models.tokenizer` or from Keras's
            `TextVectorization`.
        texts: (samples,) strings.

    Returns:
        The tokens by text; None for a model that makes numbers of them in another way.
    """
    layer = next(
        (
            one
            for one in all_layers(explained.model)
            if isinstance(one, Tokenizer | keras.layers.TextVectorization)
        ),
        None,
    )
    if layer is None:
        return None
    found = [
        value
        for place, value in activations(explained.model, explained.batch(texts))
        if place.layer is layer and place.side == "output"
    ]
    numbers: np.ndarray = np.asarray(found[0]) if found else np.zeros(0)
    if numbers.ndim != 2 or numbers.dtype.kind not in "iu":
        return None
    names = _names(layer)
    return [tuple(names[number] for number in row[: _length(row)]) for row in numbers]


def _names(layer: Any) -> list[str]:
    if isinstance(layer, Tokenizer):
        return ["", _UNKNOWN, "⟨start⟩", "⟨end⟩", *layer.vocabulary]
    return [str(word) for word in layer.get_vocabulary()]


def _length(row: np.ndarray) -> int:
    known = np.flatnonzero(row)
    return int(known[-1]) + 1 if len(known) else 0
