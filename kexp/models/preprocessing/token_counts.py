"""Counts of the tokens of texts, before a preprocessing cuts them."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

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
        if isinstance(layer, Tokenizer):
            return TokenLimit(layer.steps - 2 * layer.ends, _NOUNS.get(layer.split, "words"), layer)
        if isinstance(layer, layers.TextVectorization):
            config = layer.get_config()
            steps, split = config["output_sequence_length"], config["split"]
            if steps and config["output_mode"] == "int" and split in ("character", "whitespace"):
                return TokenLimit(steps, _NOUNS.get(split, "words"), layer)
    return None
