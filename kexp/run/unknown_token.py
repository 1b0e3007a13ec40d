"""The vector of the unknown token, where no training text has one that would train it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kexp.core.keras_private import all_layers
from kexp.data import Split
from kexp.models.layers.embeddings import TokenEmbedding
from kexp.models.preprocessing.token_counts import token_limit
from kexp.models.preprocessing.tokens import Tokenizer
from kexp.run.training_setup import TrainingSetup

_UNKNOWN = Tokenizer.UNKNOWN  # as of Keras's TextVectorization


def settle_unknown_token(setup: TrainingSetup) -> bool:
    """Give the unknown token the mean vector of the tokens of the training texts, weighted by their number.

    Where the vocabulary has all tokens of training, no step changes the vector of what is none of them: it
    would stay as random as it began, and what a model answers to new words would depend on the seed. What is
    known is answered as before, to the bit.

    Source: Hewitt 2021, "Initializing new word embeddings for pretrained language models", for the mean.

    Args:
        setup: Of a run that is trained; its model has the chosen weights.

    Returns:
        Whether validation texts have such tokens, so that what was measured on them has to be measured again.
    """
    tables, tokens = token_tables(setup.model), _tokens(setup)
    if not tables or tokens is None:
        return False
    for table in tables:
        counts = np.bincount(tokens.ravel(), minlength=table.shape[0])
        counts[0] = 0  # padding
        if counts[_UNKNOWN] or len(counts) > table.shape[0] or not counts.any():
            return False
        vectors = keras.ops.convert_to_numpy(table)
        vectors[_UNKNOWN] = counts @ vectors.astype(np.float64) / counts.sum()
        table.assign(vectors)
    held = setup.data.validation
    return held is not None and bool((_source(held) == _UNKNOWN).any())


def _tokens(setup: TrainingSetup) -> np.ndarray | None:
    """Return (samples, steps) numbers of the tokens of the training texts; None: there are none."""
    if setup.preprocessing is None or token_limit(setup.preprocessing) is None:
        return None
    if type(setup.data.train) is not Split:
        return None
    tokens = _source(setup.data.train)
    return (
        tokens if isinstance(tokens, np.ndarray) and tokens.dtype.kind == "i" and tokens.ndim == 2 else None
    )


def _source(split: Split) -> Any:
    return split.inputs["source"] if isinstance(split.inputs, Mapping) else split.inputs


def token_tables(model: keras.Model) -> list[Any]:
    """Return the trained tables of the vectors that a model makes of its first input."""
    if not isinstance(getattr(model, "inputs", None), list):
        return []
    source = model.inputs[0]
    embeddings = [
        one for one in all_layers(model) if isinstance(one, keras.layers.Embedding | TokenEmbedding)
    ]
    found = [layer for layer in embeddings if _input_of(layer) is source]
    return [layer.trainable_weights[0] for layer in found if len(layer.trainable_weights) == 1]


def _input_of(layer: keras.layers.Layer) -> Any:
    try:
        return layer.input
    except (AttributeError, ValueError):  # it is in no graph, or in several
        return None
