"""Two encoders, of images and of texts, into one space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import keras
from keras import initializers, ops

from kexp.core.constraints import Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor

__all__ = ["DualEncoder"]

LARGEST_SCALE = 100.0  # of similarities: "clipped to prevent scaling the logits by more than 100"


@keras.saving.register_keras_serializable(package="kexp")
class DualEncoder(keras.Model):
    """An encoder of images beside one of texts: `kexp.objectives.contrastive` brings what fits together.

    Radford et al. 2021, "Learning transferable visual models from natural language supervision" (CLIP).
    Called with images it gives their embeddings, vectors of length 1, as `encode_tokens` does of texts.

    Args:
        image_encoder: From (batch, height, width, channels) images to (batch, width), such as `cnn`.
        text_encoder: From (batch, steps) int32 tokens, 0 being padding, to (batch, width) of the same width,
            such as `transformer_encoder` with a vocabulary.
        temperature: What similarities are divided by before training, which learns it; default 0.07, from
            0.01, below which it never falls, to 1.

    Raises:
        InputError: The encoders are of different widths, or the temperature is out of range.

    Example:
        >>> import kexp
        >>> import numpy as np
        >>> images = kexp.models.cnn((8, 8, 3), 16, filters=(4,))
        >>> texts = kexp.models.transformer_encoder((None,), 16, width=8, depth=1, vocabulary=30)
        >>> model = DualEncoder(images, texts)
        >>> model(np.zeros((2, 8, 8, 3), "uint8")).shape, model.encode_tokens(np.array([[4, 5, 0]])).shape
        (TensorShape([2, 16]), TensorShape([1, 16]))
    """

    def __init__(
        self,
        image_encoder: keras.Model,
        text_encoder: keras.Model,
        *,
        temperature: float = 0.07,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        check_value("temperature", temperature, Annotated[float, Between(1 / LARGEST_SCALE, 1.0)])
        shapes = [tuple(one.output_shape) for one in (image_encoder, text_encoder)]
        if any(len(shape) != 2 for shape in shapes) or shapes[0] != shapes[1]:
            raise InputError(
                "image_encoder and text_encoder must give (batch, width) each, of one width; received "
                f"{shapes[0]} and {shapes[1]}, so build both with the same outputs."
            )
        self.image_encoder, self.text_encoder, self.temperature = image_encoder, text_encoder, temperature
        start = initializers.Constant(-math.log(temperature))
        self.log_scale = self.add_weight(shape=(), initializer=start, name="log_scale", dtype="float32")
        self.built = True  # its parts are

    def call(self, images: Tensor, training: bool = False) -> Any:
        """Return (batch, width) float32 of length 1 of images."""
        return _unit(self.image_encoder(images, training=training))

    def encode_tokens(self, tokens: Tensor, training: bool = False) -> Any:
        """Return (batch, width) float32 of length 1 of the tokens of texts."""
        return _unit(self.text_encoder(tokens, training=training))

    def scale(self) -> Any:
        """Return what similarities are multiplied by to be logits, 100 at most."""
        return ops.exp(ops.minimum(ops.convert_to_tensor(self.log_scale), math.log(LARGEST_SCALE)))

    def get_config(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in ("image_encoder", "text_encoder")}
        saved = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **saved, "temperature": self.temperature}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> DualEncoder:
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("image_encoder", "text_encoder")
        }
        return cls(**{**config, **parts})


def _unit(x: Tensor) -> Any:
    return ops.normalize(ops.cast(x, "float32"), axis=-1)
