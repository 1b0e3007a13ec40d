"""A trained network of sounds as one model from sounds to texts."""

from __future__ import annotations

from typing import Annotated, Any

import keras
from keras import ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor
from kexp.models.preprocessing.tokens import tokens_of

__all__ = ["SoundTranscriber", "sound_transcriber"]


def sound_transcriber(model: keras.Model, target: keras.Model, beam: int = 1) -> keras.Model:
    """Build the model that writes down sounds, from the tokens that a network gives to each frame.

    With a beam of 1 the likeliest token of each frame is taken, those that repeat are joined, and blanks left
    out. A wider one looks for the likeliest text, whose tokens may be at many places (Graves, Fernández,
    Gomez and Schmidhuber 2006, "Connectionist temporal classification").

    Args:
        model: From sounds to (batch, frames, tokens) logits, token 0 being the blank, such as
            `crnn(answers="frame")`; it is not copied, so that what it learns later shows in the outputs.
        target: From `tokenizer` without ends, for the texts.
        beam: Candidates that the search keeps, 1 or more; default 1.

    Returns:
        A model from sounds as `model` takes them to {"text": (batch,) strings, "log_probability": (batch,)
        float32}, the natural logarithm of the probability of the text, with a beam of 1 of the likeliest
        tokens of all frames.

    Raises:
        InputError: The models do not belong together, or the beam is out of range.

    Example:
        >>> import kexp
        >>> target = kexp.models.tokenizer(["1 2", "3"], split="space")
        >>> model = kexp.models.crnn((4000, 1), 7, sample_rate=8000, answers="frame")
        >>> sounds = keras.random.normal((2, 4000, 1))
        >>> answers = sound_transcriber(model, target, beam=3)(sounds)
        >>> sorted(answers), answers["text"].shape
        (['log_probability', 'text'], TensorShape([2]))
    """
    check_value("beam", beam, Annotated[int, AtLeast(1)])
    tokens, shape = tokens_of(target), tuple(model.output_shape)
    if tokens.ends:
        raise InputError("target must put no start and end around its texts; build it without ends.")
    if len(shape) != 3 or shape[2] != tokens.size:
        raise InputError(
            f"model must give (batch, frames, {tokens.size}), a logit for each token of the target; received "
            f"{shape}, so build it with {tokens.size} outputs for each frame."
        )
    raw = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    layer = SoundTranscriber(model, target, beam, name="answers")
    return keras.Model(raw, layer(raw), name="sound_transcriber")


@keras.saving.register_keras_serializable(package="kexp")
class SoundTranscriber(keras.layers.Layer):
    """What a model of `sound_transcriber` consists of: from sounds to texts and the logarithm of their
    probability.

    Args:
        model: As in `sound_transcriber`, as are all other arguments.
        target: A model from texts to tokens, whose way back is used.
        beam: Candidates that the search keeps. Default 1.
    """

    def __init__(self, model: keras.Model, target: keras.Model, beam: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.model, self.target, self.beam = model, target, beam

    def build(self, input_shape: Shape | None = None) -> None:
        self.built = True  # its parts are

    def call(self, sounds: Tensor) -> dict[str, Any]:
        logits = ops.cast(self.model(sounds, training=False), "float32")
        logs = ops.log_softmax(logits, axis=-1)
        frames = ops.zeros_like(logs[:, 0, 0], dtype="int32") + logs.shape[1]
        if self.beam == 1:
            found, scores = ops.ctc_decode(logs, frames, strategy="greedy", mask_index=0)
            log_probability = -scores[:, 0]
        else:
            found, scores = ops.ctc_decode(
                logs, frames, strategy="beam_search", beam_width=self.beam, top_paths=1, mask_index=0
            )
            log_probability = scores[:, 0]
        text = tokens_of(self.target).strings(ops.maximum(found[0], 0))
        return {"text": text, "log_probability": log_probability}

    def compute_output_spec(self, sounds: Tensor) -> dict[str, Any]:
        dtypes = {"text": "string", "log_probability": "float32"}
        return {name: keras.KerasTensor(sounds.shape[:1], dtype=dtype) for name, dtype in dtypes.items()}

    def get_config(self) -> dict[str, Any]:
        parts = {"model": self.model, "target": self.target}
        saved = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **saved, "beam": self.beam}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SoundTranscriber:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("model", "target")}
        return cls(**{**config, **parts})
