"""Encoders of texts over pretrained vectors of their tokens."""

from __future__ import annotations

from typing import Annotated

import keras
import numpy as np
from keras import layers, ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.models.layers.attention import blocks
from kexp.models.layers.masking import masked_mean
from kexp.models.layers.rotary_positions import check_width

__all__ = ["text_encoder"]


def text_encoder(
    vectors: np.ndarray, *, depth: int = 0, heads: int = 4, expansion: int = 2, dropout: float = 0.1
) -> keras.Model:
    """Build an encoder of texts that begins with vectors of tokens that were learned elsewhere.

    The vectors of a text's tokens go through the blocks of a Transformer, if there are any; the features are
    their mean over all tokens, normalised by batch. Padding changes nothing.

    Args:
        vectors: (numbers, width) float32, a row for each number of a token, of which 0 is padding, such as
            the `table` of `kexp.models.pretrained_tokens`.
        depth: Blocks, default 0: the order of the tokens is not seen.
        heads: Heads of each block's attention, default 4.
        expansion: Units between a block's two dense layers, as a multiple of the width, default 2.
        dropout: Share dropped of what each branch of a block adds, default 0.1, below 1.

    Returns:
        An uncompiled model, (batch, steps) int32 of any number of steps to (batch, width) float32. Its layer
        "embedding" has the vectors.

    Raises:
        InputError: The vectors are no matrix, or their width does not fit the heads.

    Source:
        Shen et al. 2018, "Baseline Needs More Love: On Simple Word-Embedding-Based Models and Associated
        Pooling Mechanisms", for the mean of vectors.

    Example:
        >>> encoder = text_encoder(np.zeros((10, 8), "float32"))
        >>> encoder.output_shape, encoder(np.array([[3, 4, 0]])).shape
        ((None, 8), TensorShape([1, 8]))
    """
    depth = check_value("depth", depth, Annotated[int, AtLeast(0)])
    if np.ndim(vectors) != 2:
        raise InputError(f"vectors must be (numbers, width); received shape {np.shape(vectors)}.")
    numbers, width = vectors.shape
    if depth:
        check_width(width, heads, rotary=True)
    tokens = keras.Input((None,), dtype="int32")
    embedding = layers.Embedding(numbers, width, name="embedding")
    x = embedding(tokens)  # (batch, steps, width)
    embedding.set_weights([np.asarray(vectors, np.float32)])
    valid = ops.not_equal(tokens, 0)  # (batch, steps)
    if depth:
        options = {"heads": heads, "expansion": expansion, "rotary": True}
        x = blocks(x, depth, valid=valid, dropout=dropout, **options)
    # Means over many tokens lie close together; each feature is to have a spread of 1.
    features = layers.BatchNormalization(momentum=0.9, name="feature_norm")(masked_mean(x, valid))
    return keras.Model(tokens, features, name="text_encoder")
