"""A trained encoder and decoder as one model from texts to texts."""

from __future__ import annotations

from typing import Annotated, Any

import keras

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor
from kexp.models.preprocessing.tokens import tokens_of
from kexp.models.seq2seq.beam_search import scored_beam_search

__all__ = ["Transcriber", "transcriber"]


def transcriber(model: keras.Model, source: keras.Model, target: keras.Model, beam: int = 1) -> keras.Model:
    """Build the model that predicts texts from texts, by a beam search with a model that may still learn.

    Args:
        model: From `seq2seq`; it is not copied, so that what it learns later shows in the outputs.
        source: From `tokenizer`, for the texts that come in.
        target: From `tokenizer` with `ends`, for the texts that go out, which are no longer than its steps.
        beam: Candidates that the search keeps, 1 or more; default 1.

    Returns:
        A model from (batch,) strings to {"text": (batch,) strings, "log_probability": (batch,) float32}, the
        natural logarithm of the probability that the model gives the text.

    Raises:
        InputError: The models do not belong together, or the beam is out of range.

    Example:
        >>> import kexp
        >>> import numpy as np
        >>> source = kexp.models.tokenizer(["cat", "act"], split="character")
        >>> target = kexp.models.tokenizer(["K AE T", "AE K T"], split="space", ends=True)
        >>> model = kexp.models.seq2seq(7, 7, units=8, embedding=4)
        >>> answers = transcriber(model, source, target)(np.array(["cat"], object))
        >>> sorted(answers), answers["text"].shape
        (['log_probability', 'text'], TensorShape([1]))
    """
    check_value("beam", beam, Annotated[int, AtLeast(1)])
    found = {layer.name: layer for layer in model.layers}
    for name, tokens in (("source", tokens_of(source)), ("target", tokens_of(target))):
        if f"{name}_tokens" not in found:
            raise InputError(f"model must be one that kexp.models.seq2seq built; received {model.name!r}.")
        known = found[f"{name}_tokens"].input_dim
        if known != tokens.size:
            raise InputError(
                f"{name} must have the {known} tokens that the model was built for; received {tokens.size}."
            )
    if not tokens_of(target).ends:
        raise InputError("target must put a start and an end around its texts; build it with ends=True.")
    raw = keras.Input((), dtype="string")
    return keras.Model(raw, Transcriber(model, source, target, beam, name="answers")(raw), name="transcriber")


@keras.saving.register_keras_serializable(package="kexp")
class Transcriber(keras.layers.Layer):
    """What a model of `transcriber` consists of: from texts to texts and the logarithm of their probability.

    Args:
        model: As in `transcriber`, as are all other arguments.
        source: A model from texts to tokens.
        target: Another one, whose way back is used.
        beam: Candidates that the search keeps. Default 1.
    """

    def __init__(
        self, model: keras.Model, source: keras.Model, target: keras.Model, beam: int = 1, **options: Any
    ) -> None:
        super().__init__(**options)
        self.model, self.source, self.target, self.beam = model, source, target, beam

    def build(self, input_shape: Shape | None = None) -> None:
        self.built = True  # its parts are

    def call(self, texts: Tensor) -> dict[str, Any]:
        tokens = tokens_of(self.target)
        found, log_probability = scored_beam_search(
            self.model,
            self.source(texts),
            start=tokens.START,
            end=tokens.END,
            steps=tokens.steps - 1,  # the start is not searched for
            beam=self.beam,
        )
        return {"text": tokens.strings(found), "log_probability": log_probability}

    def compute_output_spec(self, texts: Tensor) -> dict[str, Any]:
        dtypes = {"text": "string", "log_probability": "float32"}
        return {name: keras.KerasTensor(texts.shape, dtype=dtype) for name, dtype in dtypes.items()}

    def get_config(self) -> dict[str, Any]:
        parts = {"model": self.model, "source": self.source, "target": self.target}
        saved = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **saved, "beam": self.beam}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Transcriber:
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("model", "source", "target")
        }
        return cls(**{**config, **parts})
