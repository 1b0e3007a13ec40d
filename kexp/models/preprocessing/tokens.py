"""Texts as numbers of their tokens and back, in a layer that travels with the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

import keras
import numpy as np
from keras import layers

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor, TensorLike
from kexp.data.dataset import Inputs, single_array
from kexp.data.lengths import longest_kept

__all__ = ["Tokenizer", "tokenizer", "tokens_of"]

Pieces = Literal["character", "space", "subword"]

_TEXTS_AT_ONCE = 1024
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@keras.saving.register_keras_serializable(package="kexp")
class Tokenizer(layers.Layer):
    """Numbers of the tokens of texts: 0 padding, 1 unknown, 2 start, 3 end, the vocabulary from 4 on.

    Args:
        vocabulary: The tokens, the first of which has the number 4; all different, none empty.
        split: What a token is: a Unicode "character", what stands between "space" (ASCII's white space), or a
            "subword" of the vocabulary.
        steps: Most numbers of a text, 1 or more; longer ones are cut at their end.
        ends: Whether a start and an end stand around each text, and count among its steps. Default False.
        reverse: Whether the last token comes first, after the cut (Sutskever, Vinyals and Le 2014). Default
            False.
        lead: Whether a space is put before each text, so that its first word is cut as all others are.
            Default False.

    Attributes:
        size: How many numbers there are, what an embedding takes as `input_dim`.

    Raises:
        InputError: An argument is out of range.

    Example:
        >>> layer = Tokenizer(["a", "b"], "character", steps=5, ends=True)
        >>> np.asarray(layer(np.array(["ab", "c", ""], object))).tolist()
        [[2, 4, 5, 3, 0], [2, 1, 3, 0, 0], [2, 3, 0, 0, 0]]
    """

    PADDING, UNKNOWN, START, END = range(4)

    def __init__(
        self,
        vocabulary: Sequence[str],
        split: Pieces,
        steps: int,
        ends: bool = False,
        reverse: bool = False,
        lead: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        _check(vocabulary, split, steps, ends)
        self.vocabulary = tuple(vocabulary)
        self.split, self.steps, self.ends, self.reverse, self.lead = split, steps, ends, reverse, lead
        self.size = 4 + len(self.vocabulary)
        # Number 0 of both is what is not in the vocabulary.
        tokens = list(self.vocabulary)
        self.numbers = layers.StringLookup(vocabulary=tokens, mask_token=None, oov_token=_UNKNOWN)
        self.tokens = layers.StringLookup(vocabulary=tokens, mask_token=None, oov_token=_UNKNOWN, invert=True)

    def build(self, input_shape: Shape | None = None) -> None:
        self.numbers.build(None)
        self.tokens.build(None)
        self.built = True

    def call(self, texts: Tensor) -> Any:
        """Return (batch, steps) int32 of (batch,) strings."""
        import tensorflow as tf

        pieces = tokens_in(self, texts)
        found = tf.cast(self.numbers(pieces.flat_values), tf.int32)
        numbers = tf.where(found == 0, self.UNKNOWN, found + self.END)
        room = self.steps - 2 * self.ends
        dense = pieces.with_flat_values(numbers).to_tensor(shape=(None, room))
        lengths = tf.minimum(tf.cast(pieces.row_lengths(), tf.int32), room)
        if self.reverse:
            dense = tf.reverse_sequence(dense, lengths, seq_axis=1)
        if not self.ends:
            return dense
        places = tf.range(self.steps)
        ended = tf.where(places == lengths[:, None] + 1, self.END, tf.pad(dense, ((0, 0), (1, 1))))
        return tf.where(places == 0, self.START, ended)

    def strings(self, tokens: TensorLike) -> Any:
        """Return the texts that tokens stand for, up to their end.

        Args:
            tokens: (batch, any steps) of numbers, with a start or without.

        Returns:
            (batch,) strings up to the end token or the padding, with U+FFFD for an unknown token.

        Example:
            >>> Tokenizer(["b", "a"], "space", steps=5).strings([[2, 5, 4, 1, 3, 5]]).numpy()[0].decode()
            'a b �'
        """
        import tensorflow as tf

        tokens = tf.cast(tokens, tf.int32)
        over = tf.cumsum(tf.cast((tokens == self.END) | (tokens == self.PADDING), tf.int32), axis=1) > 0
        pieces = self.tokens(tf.maximum(tokens - self.END, 0))
        if self.split == "space":
            pieces = tf.strings.join([" ", pieces])
        kept = tf.where(over | (tokens == self.START), "", pieces)
        texts = tf.strings.reduce_join(kept[:, ::-1] if self.reverse else kept, axis=1)
        if self.lead:
            texts = tf.strings.regex_replace(texts, "^ ", "")
        return tf.strings.strip(texts) if self.split == "space" else texts

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:1], self.steps)

    def compute_output_spec(self, texts: Tensor) -> Any:
        return keras.KerasTensor(self.compute_output_shape(texts.shape), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary": list(self.vocabulary),
            "split": self.split,
            "steps": self.steps,
            "ends": self.ends,
            "reverse": self.reverse,
            **({"lead": True} if self.lead else {}),  # others are described as they always were
        }


def tokenizer(
    texts: Inputs | Sequence[str],
    *,
    split: Pieces,
    vocabulary: int = 20_000,
    steps: int | None = None,
    ends: bool = False,
    reverse: bool = False,
) -> keras.Model:
    """Build a model from texts to numbers of their tokens, learned from the training texts.

    Tokens are as they stand in the texts: letters keep their case, words their punctuation. Characters and
    words are numbered from 4 on, the frequent ones first and equally frequent ones in alphabetical order.

    Args:
        texts: The training texts, (samples,) strings; nothing else may be given, or the words of other data
            would leak into the model.
        split: What a token is, see `Tokenizer`; "subword" learns the parts that words have in common.
        vocabulary: Most tokens to number, 1 or more, default 20,000; the rarest have the number 1.
        steps: Most numbers of a text, with its ends; default: as many as the longest training text needs,
            those far longer than the others aside (`kexp.fit` names them).
        ends: Whether a start and an end stand around each text. Default False.
        reverse: Whether the last token comes first. Default False.

    Returns:
        A model from (batch,) strings to (batch, steps) int32; `tokens_of` gives its `Tokenizer`.

    Raises:
        InputError: An argument is out of range, the texts are columns of a table, or they have no token.

    Example:
        >>> model = tokenizer(["to be", "or not", "to be or"], split="space")
        >>> np.asarray(model(np.array(["to be", "or not to be"], object))).tolist()  # be, or, to, not
        [[6, 4, 0], [5, 7, 6]]
        >>> tokens_of(model).strings([[6, 4, 0]]).numpy().tolist()
        [b'to be']
    """
    check_value("vocabulary", vocabulary, Annotated[int, AtLeast(1)])
    _check(["any"], split, 3 if steps is None else steps, ends)
    known, longest = _learned(np.asarray(single_array(texts), dtype=object), split, vocabulary)
    if not known:
        raise InputError("texts must have a token to learn, received only empty ones; give other texts.")
    layer = Tokenizer(known, split, steps or longest + 2 * ends, ends, reverse, name="tokens")
    raw = keras.Input((), dtype="string")
    return keras.Model(raw, layer(raw), name="tokenizer")


def tokens_of(model: keras.Model) -> Tokenizer:
    """Return the layer of a model from `tokenizer`, which knows its vocabulary and the way back.

    Args:
        model: From `tokenizer`, or such a one loaded from a file.

    Raises:
        InputError: The model is another one.

    Example:
        >>> tokens_of(tokenizer(["abba"], split="character")).size
        6
    """
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, Tokenizer):
            return layer
    raise InputError(f"model must be one that kexp.models.tokenizer built; received {model!r}.")


def tokens_in(layer: Tokenizer, texts: TensorLike) -> Any:
    """Return (batch, None) strings, ragged: the tokens of texts before they are cut.

    Args:
        layer: As `tokens_of` gives it.
        texts: (batch,) strings.

    Example:
        >>> tokens_in(Tokenizer(["b"], "character", steps=1), ["ab"]).to_list()
        [[b'a', b'b']]
    """
    import tensorflow as tf

    texts = tf.convert_to_tensor(texts, tf.string)
    if layer.lead:
        texts = tf.where(tf.strings.length(texts) > 0, tf.strings.join([" ", texts]), texts)
    return _pieces(texts, layer.split, layer.vocabulary, layer.numbers)


def _check(vocabulary: Sequence[str], split: object, steps: object, ends: bool) -> None:
    if split not in get_args(Pieces):
        raise InputError(f"split must be 'character', 'space' or 'subword'; received {split!r}.")
    check_value("steps", steps, Annotated[int, AtLeast(3 if ends else 1)])
    if len(set(vocabulary)) != len(vocabulary) or not set(vocabulary).isdisjoint(("", _UNKNOWN)):
        raise InputError(
            "vocabulary must be different tokens, none of them empty or U+FFFD, which stands for what is "
            f"unknown; received {len(vocabulary)} with such among them."
        )


def _pieces(texts: Tensor, split: str, vocabulary: Sequence[str], numbers: layers.StringLookup) -> Any:
    """Return (batch, None) strings, ragged: what each of the (batch,) texts is made of."""
    import tensorflow as tf

    if split == "character":
        return tf.strings.unicode_split(texts, "UTF-8")
    if split == "space":
        return tf.strings.split(texts)
    from kexp.models.preprocessing.subwords import split_subwords

    return split_subwords(texts, numbers, max(map(len, vocabulary)))


def _learned(texts: np.ndarray, split: Pieces, size: int) -> tuple[list[str], int]:
    """Return the tokens in their order, and how many of them the longest of the texts that are kept has."""
    if split == "subword":
        from kexp.models.preprocessing.subwords import learn_subwords

        known = [token for token in learn_subwords(texts.tolist(), size) if token != _UNKNOWN]
        if not known:
            return [], 0
        layer = Tokenizer(known, split, 1)
        counted = [batch.row_lengths().numpy() for batch in _batches(texts, layer)]
        return known, longest_kept(np.concatenate(counted))
    # TensorFlow itself finds them, so that they are what it will find in what comes later.
    counts: Counter[bytes] = Counter()
    lengths = []
    for batch in _batches(texts, Tokenizer(["any"], split, 1)):
        counts.update(batch.flat_values.numpy().tolist())
        lengths.append(batch.row_lengths().numpy())
    ordered = sorted((-count, token.decode(errors="replace")) for token, count in counts.items())
    known = [token for _, token in ordered if token != _UNKNOWN][:size]
    return known, longest_kept(np.concatenate(lengths)) if known else 0


def _batches(texts: np.ndarray, layer: Tokenizer) -> Iterator[Any]:
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        yield tokens_in(layer, texts[first : first + _TEXTS_AT_ONCE])
