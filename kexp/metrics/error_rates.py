"""How far texts are from the ones expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Split

__all__ = ["error_rates", "text_error_rate", "token_error_rate"]

KNOWN_LOWER = ("error_rate",)
NOT_NEGATIVE = ("error_rate",)

Texts = Sequence[str] | np.ndarray


def token_error_rate(expected: Texts, answered: Texts, split: Literal["character", "space"]) -> float:
    """Return how many tokens must be inserted, left out or replaced for each one that is expected.

    Edits and tokens are summed over all texts before one is divided by the other, so that long texts count
    more (Yao and Zweig 2015, "Sequence-to-sequence neural net models for grapheme-to-phoneme conversion").
    Of phonemes it is the phoneme error rate, of the words of a sentence the word error rate. It is above 1
    where predictions are much too long.

    Args:
        expected: (samples,) texts.
        answered: (samples,) predicted texts.
        split: What a token is: a "character" or what stands between "space".

    Raises:
        InputError: There is no token to expect, or not a prediction for each text.

    Example:
        >>> token_error_rate(["K AE T", "D AO G"], ["K AE T S", "D AA G"], split="space")
        0.3333333333333333
    """
    # NumPy, SciPy and scikit-learn have no edit distance.
    import tensorflow as tf

    _check(expected, answered)
    if split not in ("character", "space"):
        raise InputError(f"split must be 'character' or 'space'; received {split!r}.")
    tokens = [
        [list(text) if split == "character" else text.split() for text in texts]
        for texts in (expected, answered)
    ]
    count = sum(map(len, tokens[0]))
    if not count:
        raise InputError("expected must have a token; received only empty texts.")
    numbers: dict[str, int] = {}
    sparse = [_sparse(rows, numbers, tf) for rows in tokens]
    return float(tf.reduce_sum(tf.edit_distance(sparse[1], sparse[0], normalize=False))) / count


def text_error_rate(expected: Texts, answered: Texts) -> float:
    """Return the share of texts that are not exactly the ones expected.

    Of words that are spelt or pronounced it is what is called the word error rate there.

    Args:
        expected: (samples,) texts.
        answered: (samples,) predicted texts.

    Raises:
        InputError: There is no text, or not a prediction for each.

    Example:
        >>> text_error_rate(["168", "7"], ["168", "8"])
        0.5
    """
    _check(expected, answered)
    return float(np.mean([one != other for one, other in zip(expected, answered, strict=True)]))


def error_rates(
    split: Literal["character", "space"], token: str = "token", text: str = "text"
) -> dict[str, Callable[[Split, Mapping[str, np.ndarray]], float]]:
    """Return both rates as `kexp.fit` takes `scores`.

    Args:
        split: What a token is, as in `token_error_rate`.
        token: What it is called, for the name of its rate. Default "token".
        text: What a whole text is called. Default "text".

    Returns:
        The functions "text_error_rate" and "token_error_rate", from a split and its predictions.

    Example:
        >>> part, predictions = Split(np.array(["cat"]), np.array(["K AE T"])), {"text": np.array(["K AE D"])}
        >>> rates = error_rates("space", token="phoneme", text="word")
        >>> {name: rate(part, predictions) for name, rate in rates.items()}
        {'word_error_rate': 1.0, 'phoneme_error_rate': 0.3333333333333333}
    """
    return {
        f"{text}_error_rate": lambda part, answers: text_error_rate(part.targets, answers["text"]),
        f"{token}_error_rate": lambda part, answers: token_error_rate(part.targets, answers["text"], split),
    }


def _check(expected: Texts, answered: Texts) -> None:
    if not len(expected) or len(expected) != len(answered):
        raise InputError(
            "answered must be a text for each one that is expected, and these 1 or more; received "
            f"{len(answered)} for {len(expected)}."
        )


def _sparse(rows: list[list[str]], numbers: dict[str, int], tf: Any) -> Any:
    """Return the tokens as TensorFlow compares them, each new one with a number of its own."""
    flat = [numbers.setdefault(token, len(numbers)) for row in rows for token in row]
    ragged = tf.RaggedTensor.from_row_lengths(tf.constant(flat, tf.int64), [len(row) for row in rows])
    return ragged.to_sparse()
