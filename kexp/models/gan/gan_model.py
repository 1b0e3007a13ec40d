"""A generator and a discriminator as one model, which makes images once they have been trained together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor, TensorLike
from kexp.models.image_generator import FIRST_DRAW, ImageGenerator, normal, with_networks

__all__ = ["GAN"]


@keras.saving.register_keras_serializable(package="kexp")
class GAN(ImageGenerator):
    """A generative adversarial network: `kexp.objectives.adversarial` trains it, `sample` makes images.

    Goodfellow et al. 2014, "Generative adversarial nets". Called with what the generator takes it gives what
    the generator gives.

    Args:
        generator: From `gan_generator`, or another one with its inputs and output.
        discriminator: From `gan_discriminator`, for the same shape and classes.
        class_names: Of the classes that both were built with, in the order of their indices; empty
            (default) for none.

    Raises:
        InputError: Generator, discriminator and classes do not fit each other.

    Example:
        >>> import kexp
        >>> generator = kexp.models.gan_generator((8, 8, 1), latent=4, classes=2)
        >>> discriminator = kexp.models.gan_discriminator((8, 8, 1), classes=2)
        >>> gan = GAN(generator, discriminator, class_names=("cat", "dog"))
        >>> gan.sample(3, seed=1, labels=["dog", "cat", "dog"]).shape
        (3, 8, 8, 1)
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        class_names: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(class_names, **options)
        inputs = 2 if self.class_names else 1
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            if len(network.inputs) != inputs:
                raise InputError(
                    f"{name} must be built with classes if and only if there are class_names; received "
                    f"{len(network.inputs) - 1} inputs for classes and {len(self.class_names)} class_names."
                )
        made, seen = generator.output_shape[1:], discriminator.inputs[0].shape[1:]
        if made != seen:
            raise InputError(
                f"discriminator must take the images that the generator makes, {made} each; it takes {seen}."
            )
        self.generator, self.discriminator = generator, discriminator
        self.latent = generator.inputs[0].shape[1]
        self.built = True  # its parts are

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return (batch, height, width, channels) float32 from -1 to 1."""
        return self.generator(inputs, training=training)

    def made(self, noise: TensorLike, labels: TensorLike, *, training: bool = False) -> Any:
        """Return the images of (n, latent) noise and, where there are classes, (n,) int32 labels."""
        return self.generator(self._with(labels, noise), training=training)

    def scores(self, images: TensorLike, labels: TensorLike, *, training: bool = False) -> Any:
        """Return (n,) logits, higher for what looks real, of images from -1 to 1 and int32 labels."""
        return self.discriminator(self._with(labels, images), training=training)[:, 0]

    def _with(self, labels: Tensor, inputs: Tensor) -> Any:
        inputs = ops.convert_to_tensor(inputs)
        return [inputs, ops.convert_to_tensor(labels, "int32")] if self.class_names else inputs

    def drawn(self, labels: Tensor, seed: Tensor) -> Any:
        """Return images for random codes and classes."""
        noise = normal((ops.shape(labels)[0], self.latent), seed, FIRST_DRAW)
        return self.made(noise, labels)

    def get_config(self) -> dict[str, Any]:
        parts = ("generator", "discriminator")
        networks = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in parts}
        return {**super().get_config(), **networks}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> GAN:
        return cls(**with_networks(config, "generator", "discriminator"))
