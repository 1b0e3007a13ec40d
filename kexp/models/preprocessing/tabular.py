"""Preprocessing that travels with the model: fitted on training data, made of Keras layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Column
from kexp.data.dataset import Inputs, single_array

__all__ = ["series_preprocessing", "tabular_preprocessing", "text_preprocessing", "vocabulary_size"]

_TEXTS_AT_ONCE = 1024
_COVERED = 0.95  # share of the training texts that a default number of words does not cut
_MOST_CATEGORIES = 256
_LOOKUP = "tokens"
_UNSEEN = "(never seen in training)"  # Keras's own "[UNK]" may well stand in a table


def tabular_preprocessing(
    columns: Mapping[str, np.ndarray] | np.ndarray, kinds: Sequence[Column]
) -> keras.Model:
    """Build a model from the columns of a table to one vector of features.

    Numbers are shifted and scaled to mean 0 and deviation 1; a missing one becomes 0, the mean, with
    a flag of its own when the training data had any. Categories become one-hot; the missing one and
    those never seen in training have places of their own, and of more than 256 the rarest share it.

    Args:
        columns: The training inputs by name, (samples,) each, or (samples, columns) of numbers;
            nothing else may be given, or the statistics of other data would leak into the model.
        kinds: The named columns to use, in order.

    Returns:
        A model from a mapping of (batch,) tensors, or from (batch, columns), to (batch, features)
        float32, computed in float32 under any dtype policy.

    Example:
        >>> age = np.array([20.0, np.nan, 40.0], "float32")
        >>> town = np.array(["Ulm", "Jena", ""], object)
        >>> kinds = [Column("age", "number"), Column("town", "category")]
        >>> tabular_preprocessing({"age": age, "town": town}, kinds).output_shape
        (None, 6)
    """
    if isinstance(columns, np.ndarray):
        vector = keras.Input(columns.shape[1:], dtype="float32")
        return keras.Model(vector, _joined(_numbers(vector, columns)), name="preprocessing")
    inputs = {
        column.name: keras.Input(
            (), dtype="float32" if column.kind == "number" else "string", name=column.name
        )
        for column in kinds
    }
    numbers = [column.name for column in kinds if column.kind == "number"]
    features = []
    if numbers:
        stacked = ops.stack([inputs[name] for name in numbers], axis=-1)  # (batch, numbers)
        features += _numbers(stacked, np.stack([columns[name] for name in numbers], axis=-1))
    for column in kinds:
        if column.kind == "category":
            features.append(_category(inputs[column.name], columns[column.name]))
    return keras.Model(inputs, _joined(features), name="preprocessing")


def series_preprocessing(inputs: Inputs) -> keras.Model:
    """Build a model that brings every channel of a series to mean 0 and deviation 1.

    The statistics are those of the real steps of the training series. Steps of NaN, the padding of series
    that are shorter than others, stay NaN; a constant channel becomes 0.

    Args:
        inputs: The training inputs, (samples, steps, channels) float32.

    Returns:
        A model from (batch, steps, channels) to the same shape, computed in float32 under any dtype policy.

    Raises:
        InputError: The inputs have another rank, or are columns of a table.

    Example:
        >>> series = np.array([[[1.0], [3.0], [np.nan]]], "float32")
        >>> np.asarray(series_preprocessing(series)(series)).ravel().tolist()
        [-1.0, 1.0, nan]
    """
    inputs = single_array(inputs)
    if inputs.ndim != 3:
        raise InputError(
            f"inputs must have the shape (samples, steps, channels), received {inputs.shape}; give the "
            "training inputs of data of the kind 'series'."
        )
    mean, variance = _moments(inputs.reshape(-1, inputs.shape[-1]))
    raw = keras.Input(inputs.shape[1:], dtype="float32")
    normalized = layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")(raw)
    return keras.Model(raw, normalized, name="preprocessing")


def text_preprocessing(
    texts: Inputs | Sequence[str],
    *,
    split: Literal["character", "word"],
    vocabulary: int = 20_000,
    steps: int | None = None,
) -> keras.Model:
    """Build a model from texts to numbers of their tokens; 0 is padding, 1 a token not in the vocabulary.

    The tokens of the training texts are numbered from 2 on, the frequent ones first and equally frequent
    ones in alphabetical order. Characters are Unicode's, as they are. Words are what white space
    separates, without the punctuation of ASCII and with its letters in lower case ("Don't" is "dont",
    "Öl" stays "Öl").

    Args:
        texts: The training inputs, (samples,) strings; nothing else may be given, or the words of
            other data would leak into the model.
        split: What a token is.
        vocabulary: Most tokens to number, 1 or more, default 20,000; the rarest have the number 1.
        steps: Tokens that are kept of a text, 1 or more, the first ones; default: as many as the longest
            training text has characters, or as 95 % of the training texts do not exceed in words.

    Returns:
        A model from (batch,) strings to (batch, steps) int32, with its vocabulary; `vocabulary_size` gives
        how many numbers there are.

    Raises:
        InputError: An argument is out of range, the texts are columns of a table, or they have no token.

    Example:
        >>> texts = np.array(["to be", "or not", "to be or"], object)
        >>> preprocessing = text_preprocessing(texts, split="word")
        >>> np.asarray(preprocessing(texts)).tolist()  # be, or, to, not
        [[4, 2, 0], [3, 5, 0], [4, 2, 3]]
        >>> vocabulary_size(preprocessing)
        6
    """
    _require_text_arguments(split, vocabulary, steps)
    tokens, lengths = _tokens(np.asarray(single_array(texts), dtype=object), split)
    if not tokens:
        raise InputError("texts must have a token to learn, received only empty ones; give other texts.")
    if steps is None:
        longest = lengths.max() if split == "character" else np.ceil(np.quantile(lengths, _COVERED))
        steps = max(1, int(longest))
    lookup = _vectorization(split, vocabulary=tokens[:vocabulary], output_sequence_length=steps, name=_LOOKUP)
    raw = keras.Input((), dtype="string")
    return keras.Model(raw, ops.cast(lookup(raw), "int32"), name="preprocessing")


def vocabulary_size(preprocessing: keras.Model) -> int:
    """Return how many token numbers a text preprocessing gives, padding and the unknown token included.

    Args:
        preprocessing: A model from `text_preprocessing`.

    Returns:
        What an embedding of the tokens takes as `input_dim`.

    Example:
        >>> vocabulary_size(text_preprocessing(["abba"], split="character"))
        4
    """
    return int(preprocessing.get_layer(_LOOKUP).vocabulary_size())


def _require_text_arguments(split: object, vocabulary: object, steps: object) -> None:
    if split not in ("character", "word"):
        raise InputError(f"split={split!r}: expected 'character' or 'word'; pass one.")
    for argument, count in (("vocabulary", vocabulary), ("steps", 1 if steps is None else steps)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{argument}={count!r}: expected a whole number, 1 or more; pass one.")


def _vectorization(split: str, **options: Any) -> layers.TextVectorization:
    if split == "character":
        return layers.TextVectorization(standardize=None, split="character", **options)
    return layers.TextVectorization(**options)


def _tokens(texts: np.ndarray, split: str) -> tuple[list[str], np.ndarray]:
    """Return the tokens, frequent ones first, and how many of them each of the (samples,) texts has.

    The layer itself finds them, so that they are what it will find in what comes later; it does not
    say how often, and puts equally frequent ones in no order to rely on, so that they are counted here.
    """
    layer = _vectorization(split)
    batches = [texts[first : first + _TEXTS_AT_ONCE] for first in range(0, len(texts), _TEXTS_AT_ONCE)]
    for batch in batches:
        layer.update_state(batch)
    layer.finalize_state()
    found = [str(token) for token in layer.get_vocabulary(include_special_tokens=False)]
    if not found:
        return [], np.zeros(len(texts), int)
    counts = np.zeros(len(found) + 2, int)
    lengths = []
    for batch in batches:
        numbers = np.asarray(layer(batch))
        counts += np.bincount(numbers.ravel(), minlength=len(counts))
        lengths.append((numbers > 0).sum(axis=1))
    ordered = sorted(zip(-counts[2:], found, strict=True))
    return [token for _, token in ordered], np.concatenate(lengths)


def _joined(features: Sequence[Any]) -> Any:
    return ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (columns,) means and variances of the known ones among the (rows, columns) values."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0, dtype="float64") / count
    variance = np.where(known, values - mean, 0.0).__pow__(2).sum(axis=0) / count
    # A constant column has no scale of its own; it becomes 0.
    return mean, np.where(variance > 0, variance, 1.0)


def _numbers(stacked: Tensor, values: np.ndarray) -> list[Any]:
    mean, variance = _moments(values)
    # Raw numbers may have more digits than a mixed precision policy keeps, or be too large for it.
    normalized = layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")(stacked)
    missing = ops.isnan(stacked)
    features = [ops.where(missing, 0.0, normalized)]
    flagged = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if flagged.size:
        flags = ops.take(ops.cast(missing, "float32"), flagged.tolist(), axis=-1)
        features.append(flags)
    return features


def _category(column: Any, values: np.ndarray) -> Any:
    seen, counts = np.unique(values.astype(str), return_counts=True)
    kept = sorted(seen[np.argsort(-counts, kind="stable")][:_MOST_CATEGORIES].tolist())
    lookup = layers.StringLookup(vocabulary=kept, oov_token=_UNSEEN)
    return ops.one_hot(lookup(column), len(kept) + 1, dtype="float32")  # (batch, categories + 1)
