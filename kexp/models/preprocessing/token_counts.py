"""Counts of the tokens of texts, before a preprocessing cuts them."""

from __future__ import annotations

from itertools import chain
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from kexp.core.errors import shown
from kexp.core.keras_private import all_layers
from kexp.models.preprocessing.tokens import Tokenizer, tokens_in

_TEXTS_AT_ONCE = 1024
_NOUNS = {"character": "characters", "subword": "subwords"}  # all else are words


class TokenLimit(NamedTuple):
    """How much of a text a preprocessing keeps.

    Attributes:
        tokens: How many.
        noun: What they are, in the plural.
        layer: Makes them.
    """

    tokens: int
    noun: str
    layer: Tokenizer | layers.TextVectorization

    def counts(self, texts: np.ndarray) -> np.ndarray:
        """Return (samples,) numbers of tokens of texts, at most the true ones where none is cut.

        Args:
            texts: (samples,) str objects.

        Example:
            >>> import kexp
            >>> model = kexp.models.text_preprocessing(["ab", "abc"], split="character")
            >>> token_limit(model).counts(np.array(["a", "abcd"], object)).tolist()
            [0, 4]
        """
        # No token has less than a character, and between words is white space.
        most = np.array([len(text) if self.noun in _NOUNS.values() else len(text) // 2 + 1 for text in texts])
        counts = np.zeros(len(texts), np.int64)
        longer = np.flatnonzero(most > self.tokens)
        for first in range(0, len(longer), _TEXTS_AT_ONCE):
            rows = longer[first : first + _TEXTS_AT_ONCE]
            counts[rows] = self._pieces(texts[rows]).row_lengths().numpy()
        return counts

    @property
    def last_special(self) -> int:
        """The last number that stands for no token of the vocabulary."""
        return Tokenizer.END if isinstance(self.layer, Tokenizer) else Tokenizer.UNKNOWN

    def unknown_part(self, text: str) -> str | None:
        """Return the first word or character of a text that is not in the vocabulary by itself."""
        parts = np.array(text.split() if self.noun == "words" else list(text), object)
        unknown = (np.asarray(self.layer(parts)) == Tokenizer.UNKNOWN).any(axis=1)
        return str(parts[unknown.argmax()]) if unknown.any() else None

    def _pieces(self, texts: np.ndarray) -> Any:
        if isinstance(self.layer, Tokenizer):
            return tokens_in(self.layer, texts)
        config = self.layer.get_config()
        asked = {name: config[name] for name in ("standardize", "split")}
        return layers.TextVectorization(**asked, vocabulary=["any"], ragged=True)(texts)


def token_limit(preprocessing: keras.Model) -> TokenLimit | None:
    """Return how much of a text a model of `text_preprocessing` or `tokenizer` keeps; None of another one.

    Example:
        >>> import kexp
        >>> found = token_limit(kexp.models.text_preprocessing(["to be", "or"], split="word", steps=2))
        >>> found.tokens, found.noun
        (2, 'words')
    """
    for layer in getattr(preprocessing, "layers", ()):
        limit = _limit_of(layer)
        if limit is not None:
            return limit
    return None


def _limit_of(layer: keras.layers.Layer) -> TokenLimit | None:
    if isinstance(layer, Tokenizer):
        return TokenLimit(layer.steps - 2 * layer.ends, _NOUNS.get(layer.split, "words"), layer)
    if isinstance(layer, layers.TextVectorization):
        config = layer.get_config()
        steps, split = config["output_sequence_length"], config["split"]
        if steps and config["output_mode"] == "int" and split in ("character", "whitespace"):
            return TokenLimit(steps, _NOUNS.get(split, "words"), layer)
    return None


def unknown_tokens(model: keras.Model, texts: np.ndarray) -> tuple[str, ...]:
    """Return what is to be said of tokens of texts that are not in the vocabulary of a model.

    Args:
        model: One with a text preprocessing in it.
        texts: (samples,) str objects.

    Example:
        >>> import kexp
        >>> model = kexp.models.text_preprocessing(["to be", "or"], split="word")
        >>> unknown_tokens(model, np.array(["to see", "or not"], object))
        ("2 of 4 words are not in the vocabulary of training, such as 'see'.",)
    """
    # What answers with texts has tokens of two kinds: those of the source are asked for.
    parts = [getattr(layer, "source", layer) for layer in model.layers]
    limit = next(filter(None, map(_limit_of, chain.from_iterable(map(all_layers, parts)))), None)
    if limit is None:
        return ()
    count = known = 0
    example: str | None = None
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        some = texts[first : first + _TEXTS_AT_ONCE]
        numbers = np.asarray(limit.layer(some))
        unknown = numbers == Tokenizer.UNKNOWN
        count += int(unknown.sum())
        known += int((numbers > limit.last_special).sum())
        if example is None and unknown.any():
            example = limit.unknown_part(str(some[unknown.any(axis=1).argmax()]))
    if not count:
        return ()
    such = "" if example is None else f", such as {shown(example)}"
    verb = "is" if count == 1 else "are"
    return (f"{count:,} of {count + known:,} {limit.noun} {verb} not in the vocabulary of training{such}.",)
