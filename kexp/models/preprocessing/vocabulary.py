"""A vocabulary of words or characters: texts to the numbers of their tokens, fitted on training data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.data.dataset import Inputs, single_array
from kexp.data.lengths import longest_kept
from kexp.models.preprocessing.tokens import Tokenizer, tokens_in

__all__ = ["text_preprocessing", "vocabulary_size"]

_TEXTS_AT_ONCE = 1024
_COVERED = 0.95  # share of the training texts that a default number of words does not cut
_LOOKUP = "tokens"


def text_preprocessing(
    texts: Inputs | Sequence[str],
    *,
    split: Literal["character", "word", "subword"],
    vocabulary: int = 20_000,
    steps: int | None = None,
    pieces: Sequence[str] | None = None,
) -> keras.Model:
    """Build a model from texts to numbers of their tokens; 0 is padding, 1 a token not in the vocabulary.

    The tokens of the training texts are numbered from 2 on, the frequent ones first and equally frequent
    ones in alphabetical order. Characters are Unicode's, as they are. Words are what white space
    separates, without the punctuation of ASCII and with its letters in lower case ("Don't" is "dont",
    "Öl" stays "Öl").

    Args:
        texts: The training inputs, (samples,) strings; nothing else may be given, or the words of
            other data would leak into the model.
        split: What a token is; a "subword" is one of `pieces`.
        vocabulary: Most tokens to number, 1 or more, default 20,000; the rarest have the number 1. Of no use
            with `pieces`, which are all numbered.
        steps: Tokens that are kept of a text, 1 or more, the first ones; default: as many as the longest
            training text has characters, those far longer than the others aside (`kexp.fit` names them), or
            as 95 % of the training texts do not exceed in words or subwords.
        pieces: The subwords, in the order of their numbers from 4 on, 2 and 3 being unused: those of
            `kexp.models.pretrained_tokens`, whose `table` has a row for each number. A space is put before
            each text, and the longest piece is taken from the left of each word on.

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
    if (pieces is None) == (split == "subword"):
        raise InputError("pieces and split='subword' belong together; give both of them, or neither.")
    if pieces is not None:
        return _of_pieces(np.asarray(single_array(texts), dtype=object), pieces, steps)
    tokens, lengths = _tokens(np.asarray(single_array(texts), dtype=object), split)
    if not tokens:
        raise InputError("texts must have a token to learn, received only empty ones; give other texts.")
    if steps is None:
        words = split == "word"
        longest = np.ceil(np.quantile(lengths, _COVERED)) if words else longest_kept(lengths)
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
    layer = preprocessing.get_layer(_LOOKUP)
    return layer.size if isinstance(layer, Tokenizer) else int(layer.vocabulary_size())


def _of_pieces(texts: np.ndarray, pieces: Sequence[str], steps: int | None) -> keras.Model:
    """Return the preprocessing whose tokens are given."""
    if not len(pieces):
        raise InputError("pieces must be texts, one or more; received none.")
    if steps is None:
        layer = Tokenizer(pieces, "subword", 1, lead=True)
        batches = (texts[first : first + _TEXTS_AT_ONCE] for first in range(0, len(texts), _TEXTS_AT_ONCE))
        lengths = np.concatenate([tokens_in(layer, batch).row_lengths().numpy() for batch in batches])
        steps = max(1, int(np.ceil(np.quantile(lengths, _COVERED))))
    layer = Tokenizer(pieces, "subword", steps, lead=True, name=_LOOKUP)
    raw = keras.Input((), dtype="string")
    return keras.Model(raw, layer(raw), name="preprocessing")


def _require_text_arguments(split: object, vocabulary: object, steps: object) -> None:
    if split not in ("character", "word", "subword"):
        raise InputError(f"split={split!r}: expected 'character', 'word' or 'subword'; pass one.")
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
    layer = _vectorization(split, ragged=True)  # one long text does not fill the rows of the others
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
        numbers = layer(batch)
        counts += np.bincount(numbers.flat_values.numpy(), minlength=len(counts))
        lengths.append(numbers.row_lengths().numpy())
    ordered = sorted(zip(-counts[2:], found, strict=True))
    return [token for _, token in ordered], np.concatenate(lengths)
