"""Language models: how probable a text is, and how it may go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.language.text_generation import check_drawing, from_token, generate, gumbel_noise, narrowed
from kexp.models.preprocessing.tokens import Tokenizer, tokenizer, tokens_of
from kexp.models.signatures import Signature

__all__ = ["LanguageModel", "language_tokens", "token_counts"]

_FIRST = Tokenizer.END + 1  # the tokens below are no text
_FAR = 1e9  # a margin that nothing reaches


def language_tokens(
    texts: Sequence[str] | np.ndarray,
    *,
    split: Literal["character", "subword"],
    vocabulary: int,
    context: int,
) -> keras.Model:
    """Build a model from texts to what a language model learns from: a start token, then their tokens.

    There is no end: a passage of a longer text ends anywhere.

    Args:
        texts: The training texts; nothing else may be given.
        split: What a token is, a Unicode "character" or a "subword".
        vocabulary: Most tokens to tell apart, 1 or more.
        context: Most tokens of a text, 1 or more; longer ones are cut.

    Returns:
        A model from (batch,) strings to (batch, context + 1) int32, 0 for padding; `tokens_of` gives its
        `Tokenizer`.

    Raises:
        InputError: An argument is out of range.

    Example:
        >>> tokens = language_tokens(["abba"], split="character", vocabulary=10, context=4)
        >>> np.asarray(tokens(np.array(["ab", "baabaa"], object))).tolist()
        [[2, 4, 5, 0, 0], [2, 5, 4, 4, 5]]
    """
    check_value("context", context, Annotated[int, AtLeast(1)])
    found = tokenizer(texts, split=split, vocabulary=vocabulary, steps=context + 2, ends=True)
    return keras.Model(found.input, WithoutEnd(name="without_end")(found.output), name="language_tokens")


def token_counts(tokens: keras.Model) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from texts to how many tokens each has, which `kexp.data.passages` takes.

    Args:
        tokens: From `language_tokens`; it counts no more than its context.

    Example:
        >>> tokens = language_tokens(["abba"], split="character", vocabulary=10, context=4)
        >>> token_counts(tokens)(["ab", "", "bab"]).tolist()
        [2, 0, 3]
    """

    def count(texts: Sequence[str]) -> np.ndarray:
        batches = [np.array(texts[first : first + 4096], object) for first in range(0, len(texts), 4096)]
        return np.concatenate([np.count_nonzero(tokens(batch), axis=1) - 1 for batch in batches])

    return count


@keras.saving.register_keras_serializable(package="kexp")
class WithoutEnd(keras.layers.Layer):
    """Takes the end token from texts that a `Tokenizer` has put between start and end.

    Example:
        >>> WithoutEnd()(np.array([[2, 7, 8, 3], [2, 9, 3, 0]])).numpy().tolist()
        [[2, 7, 8], [2, 9, 0]]
    """

    def call(self, tokens: Tensor) -> Any:
        """Return (batch, steps - 1) of (batch, steps)."""
        return ops.where(ops.equal(tokens, Tokenizer.END), Tokenizer.PADDING, tokens)[:, :-1]


@keras.saving.register_keras_serializable(package="kexp")
class LanguageModel(keras.Model):
    """A decoder with its tokens: from texts to their log probability, and from prompts to longer texts.

    Called with (batch,) strings it gives {"log_probability": (batch,) float32}, the natural logarithm of the
    probability of all tokens of each text after the start token; that of a text of more tokens than the
    decoder's context is NaN. A character that was not in the training texts counts as the unknown token.

    Args:
        decoder: From `transformer_decoder`, for the numbers of `tokens`.
        tokens: From `language_tokens`, with the decoder's context.
        sample_tokens: Tokens that the served endpoint "generate" adds to a prompt, below the context,
            default 32.
        temperature: Of its draws, default 1; see `generate`.
        top_k: Of its draws, default None.
        top_p: Of its draws, default None.

    Raises:
        InputError: An argument is out of range, or decoder and tokens do not fit each other.

    Example:
        >>> import kexp
        >>> tokens = language_tokens(["so be it"], split="character", vocabulary=50, context=16)
        >>> decoder = kexp.models.transformer_decoder(16, tokens_of(tokens).size, width=16, depth=1)
        >>> model = LanguageModel(decoder, tokens, sample_tokens=8)
        >>> model(np.array(["so", "be it"], object))["log_probability"].shape
        TensorShape([2])
        >>> len(model.generate(["so"], tokens=5)[0])
        7
    """

    def __init__(
        self,
        decoder: keras.Model,
        tokens: keras.Model,
        *,
        sample_tokens: int = 32,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        context, layer = decoder.input_shape[1], tokens_of(tokens)
        largest = decoder.output_shape[-1]
        if tokens.output_shape[1] != context + 1 or layer.size > largest:
            raise InputError(
                f"tokens must be {context + 1} numbers below {largest}, for the decoder; received "
                f"{tokens.output_shape[1]} below {layer.size}, so make both for the same context."
            )
        check_value("sample_tokens", sample_tokens, Annotated[int, Between(1, context - 1)])
        check_drawing(temperature, top_k, top_p)
        self.decoder, self.tokens, self.context = decoder, tokens, context
        self.sample_tokens, self.temperature = sample_tokens, temperature
        self.top_k, self.top_p = top_k, top_p
        self.built = True  # its parts are

    def call(self, texts: Tensor) -> Any:
        """Return {"log_probability": (batch,) float32} of (batch,) strings."""
        tokens = self.tokens(texts)  # (batch, context + 1)
        targets = tokens[:, 1:]
        logits = self.decoder(tokens[:, :-1], training=False)  # (batch, context, vocabulary)
        taken = ops.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        gained = ops.where(targets > 0, taken - ops.logsumexp(logits, axis=-1), 0.0)
        total = ops.sum(gained, axis=1)
        return {"log_probability": ops.where(self._whole(texts, targets), total, np.nan)}

    def _whole(self, texts: Tensor, tokens: Tensor) -> Any:
        """Return (batch,) bool, whether the tokens are all of the texts."""
        import tensorflow as tf

        kept = tokens_of(self.tokens).strings(tokens)
        return tf.equal(*(tf.strings.length(strings, unit="UTF8_CHAR") for strings in (texts, kept)))

    def compute_output_spec(self, texts: Tensor) -> Any:
        return {"log_probability": keras.KerasTensor(texts.shape, dtype="float32")}

    def generate(
        self,
        prompts: Sequence[str],
        tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> list[str]:
        """Continue each prompt by so many tokens, drawn as `kexp.models.generate` does.

        Args:
            prompts: Texts, of which the decoder sees as much of the end as its context holds beside the
                new tokens, and no more characters than its context has steps.
            tokens: How many to add, below the context.
            temperature: What logits are divided by, default 1; at 0 the most likely token is taken.
            top_k: Draw among so many most likely tokens; None (default) among all.
            top_p: Draw among the fewest tokens whose probabilities reach this; None (default) among all.
            seed: Of the draws, default 0.

        Returns:
            The prompts, each with what follows it.

        Raises:
            InputError: An argument is out of range.
        """
        check_value("tokens", tokens, Annotated[int, Between(1, self.context - 1)])
        numbers, counts = map(np.asarray, self._begun(np.asarray(prompts, object), tokens))
        options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        groups = defaultdict(list)  # rows by length: a prompt has no padding
        for row, count in enumerate(counts):
            groups[int(count)].append(row)
        texts = [""] * len(prompts)
        for count, rows in groups.items():
            drawn = generate(self.decoder, numbers[rows, :count], tokens=tokens, lowest=_FIRST, **options)
            added = tokens_of(self.tokens).strings(drawn[:, count:]).numpy()
            for row, text in zip(rows, added, strict=True):
                texts[row] = prompts[row] + text.decode()
        return texts

    def signatures(self) -> dict[str, Signature]:
        """Return what an export serves besides: "generate", which continues texts by `sample_tokens`.

        It takes "inputs", (n,) strings, and a "seed", int64. It gives "text", (n,) strings that begin with
        the inputs, and "margin", (n,) float32: by how much the token that was taken was ahead of the next
        one, at the step where it was least. The draws depend on seed and step alone, so that a text is the
        same whatever else is in the batch.
        """
        import tensorflow as tf

        inputs = {
            "inputs": tf.TensorSpec((None,), tf.string, name="inputs"),
            "seed": tf.TensorSpec((), tf.int64, name="seed"),
        }
        pieces = tokens_of(self.tokens).vocabulary
        prompts = ["", pieces[0], "".join(pieces[:9]), "".join(pieces[: self.context])]
        examples = {"inputs": np.array(prompts, object), "seed": np.array(1, "int64")}
        return {"generate": Signature(self._continued, inputs, examples)}

    def _begun(self, prompts: Any, tokens: int) -> tuple[Any, Any]:
        """Return (batch, context), start and last tokens of prompts, and (batch,), how many these are."""
        import tensorflow as tf

        # A token has a character or more, so that none of so few is cut off.
        first = ops.maximum(tf.strings.length(prompts, unit="UTF8_CHAR") - self.context, 0)
        sizes = ops.full_like(first, self.context)
        ends = tf.strings.substr(prompts, first, sizes, unit="UTF8_CHAR")
        found = self.tokens(ends)  # (batch, context + 1)
        count = ops.sum(ops.cast(found > 0, "int32"), axis=1)
        kept = ops.minimum(count, self.context - tokens)
        place = ops.arange(self.context)[None]  # (1, context)
        source = ops.where(place == 0, 0, place + (count - kept)[:, None])
        taken = ops.take_along_axis(found, ops.minimum(source, self.context), axis=1)
        return ops.where(place < kept[:, None], taken, 0), kept

    def _continued(self, inputs: Tensor, seed: Tensor) -> dict[str, Any]:
        import tensorflow as tf

        text, begun = self._begun(inputs, self.sample_tokens)
        place = ops.arange(self.context)[None]

        def body(step: Tensor, text: Tensor, margin: Tensor) -> Any:
            # Without a cache: rows stand at different places.
            logits = self.decoder(text, training=False)  # (batch, context, vocabulary)
            at = (begun + step)[:, None]  # (batch, 1)
            last = ops.take_along_axis(logits, at[..., None] - 1, axis=1)[:, 0]
            best, tokens = ops.top_k(self._perturbed(last, step, seed), 2)  # (batch, 2)
            text = ops.where(place == at, tokens[:, :1], text)
            return step + 1, text, ops.minimum(margin, best[:, 0] - best[:, 1])

        margin = ops.full(ops.shape(inputs), _FAR, dtype="float32")
        state = (ops.convert_to_tensor(0), text, margin)
        _, text, margin = ops.while_loop(lambda *_: True, body, state, maximum_iterations=self.sample_tokens)
        added = ops.take_along_axis(text, begun[:, None] + ops.arange(self.sample_tokens), axis=1)
        strings = tokens_of(self.tokens).strings(added)
        return {"text": tf.strings.join([inputs, strings]), "margin": margin}

    def _perturbed(self, logits: Tensor, step: Tensor, seed: Tensor) -> Any:
        """Return (batch, vocabulary) logits, the largest of which is drawn."""
        logits = from_token(logits, _FIRST)
        if not self.temperature:
            return logits
        logits = logits / self.temperature
        if self.top_k or self.top_p:
            logits = narrowed(logits, self.top_k or logits.shape[-1], self.top_p or np.inf)
        return logits + gumbel_noise(logits.shape[-1:], seed, step)  # the same for all rows

    def get_config(self) -> dict[str, Any]:
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("decoder", "tokens")
        }
        drawing = {name: getattr(self, name) for name in ("sample_tokens", "temperature", "top_k", "top_p")}
        return {**super().get_config(), **parts, **drawing}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LanguageModel:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("decoder", "tokens")}
        return cls(**{**config, **parts})
