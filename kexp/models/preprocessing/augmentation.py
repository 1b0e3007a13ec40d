"""Image augmentation as Keras layers, to be given to `kexp.fit` as `augmentation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kexp.core.constraints import InputType
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

__all__ = ["MixUpOrCutMix", "RandomOperations", "image_augmentation"]


def image_augmentation(
    dtype: InputType,
    *,
    shift: float = 0.0,
    flip: bool = False,
    randaugment: int = 0,
    randaugment_strength: float = 0.5,
    erasing: float = 0.0,
    mixup: float = 0.0,
    cutmix: float = 0.0,
    seed: int | None = None,
) -> list[keras.layers.Layer]:
    """Build the layers that change a batch of training images: moved, altered, erased, then mixed.

    Args:
        dtype: Of the images: "uint8" has values from 0 to 255, "float32" from 0 to 1.
        shift: Farthest move by whole pixels, up, down, left or right, as a fraction of the size,
            default 0, at most 1; what comes in is black (He et al. 2015 use 4 of 32 pixels, 0.125).
        flip: Whether half of the images are mirrored left to right, default False.
        randaugment: Operations on each image, default 0 (Cubuk et al. 2020). See `RandomOperations`.
        randaugment_strength: How far they go, default 0.5, from 0 to 1.
        erasing: Share of images with a patch of 2 to 33 % replaced by noise, default 0 (Zhong et al. 2020).
        mixup: alpha of the Beta distribution of the shares of two images, default 0, which is off, at most 1
            (Zhang et al. 2018).
        cutmix: alpha of the Beta distribution of the area taken from a second image, default 0, which is off,
            at most 1 (Yun et al. 2019). With `mixup` too, each batch has one of the two.
        seed: Of all draws; None (default) follows `keras.utils.set_random_seed`.

    Returns:
        Layers of (batch, height, width, channels) images; `MixUp`, `CutMix` and `MixUpOrCutMix`
        take and return a mapping of "images" and one-hot "labels".

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> [layer.__class__.__name__ for layer in image_augmentation("uint8", shift=0.1, cutmix=1.0)]
        ['RandomTranslation', 'CutMix']
    """
    shares = {"shift": shift, "randaugment_strength": randaugment_strength, "erasing": erasing}
    for name, value in {**shares, "mixup": mixup, "cutmix": cutmix}.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name} must be a number from 0 to 1; received {value!r}.")
    if randaugment < 0:
        raise InputError(f"randaugment must be a number of operations, 0 or more; received {randaugment!r}.")
    seeds = iter(layer_seeds(seed, 5))
    top = 255 if dtype == "uint8" else 1

    def common() -> dict[str, Any]:
        # Pixels and shares need more than the 8 to 11 bits that a mixed policy would compute with.
        return {"dtype": "float32", "seed": next(seeds)}

    chosen = [
        # Whole pixels: interpolation would blur what is moved.
        (shift, lambda: _translation(shift, interpolation="nearest", **common())),
        (flip, lambda: layers.RandomFlip("horizontal", **common())),
        (
            randaugment,
            lambda: RandomOperations(randaugment, randaugment_strength, value_range=(0, top), **common()),
        ),
        # A single number would be the upper end of a range that the probability is drawn from.
        (
            erasing,
            lambda: layers.RandomErasing(factor=(erasing, erasing), value_range=(0, top), **common()),
        ),
        (mixup or cutmix, lambda: _mixing(mixup, cutmix, common())),
    ]
    return [build() for wanted, build in chosen if wanted]


@keras.saving.register_keras_serializable(package="kexp")
class RandomOperations(keras.layers.Layer):
    """RandAugment: on each image, operations drawn from ten, one after the other (Cubuk et al. 2020).

    They are none, shear, translation, rotation, brightness, contrast, sharpness, fewer bits, stretched
    contrast, equalised histogram; and less colour, of colour images. `keras.layers.RandAugment` is
    something else: one draw for a whole batch, rotation by up to 180° at half strength, two colours left at
    the weakest strength, inverted images at any, and in Keras 3.12 no grey images.

    Args:
        count: Operations on each image, default 2.
        strength: How far they go at most, default 0.5, from 0 to 1: at 1, shear and translation by 0.3 of
            the size, rotation by 30°, brightness by half the range, contrast, sharpness and colour by 90 %,
            4 of 8 bits.
        value_range: Lowest and highest value of a pixel, default (0, 255).
        seed: Of all draws; None (default) follows `keras.utils.set_random_seed`.

    Example:
        >>> layer = RandomOperations(count=2, strength=0.3, seed=0)
        >>> layer(np.zeros((4, 28, 28, 1), "uint8"), training=True).shape
        TensorShape([4, 28, 28, 1])
    """

    def __init__(
        self,
        count: int = 2,
        strength: float = 0.5,
        value_range: tuple[float, float] = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.strength = strength
        self.value_range = tuple(value_range)
        self.seed = seed
        own, *seeds = layer_seeds(seed, 9)
        self.generator = keras.random.SeedGenerator(own)
        self.operations = _operations(strength, self.value_range, seeds, self.dtype_policy)
        self.degeneration = layers.RandomColorDegeneration(
            0.9 * strength, value_range=self.value_range, seed=seeds[-1], dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        for layer in (*self.operations, self.degeneration):
            layer.build(input_shape)
        self.built = True

    def call(self, images: Tensor, training: bool = False) -> Any:
        """Return the images, (batch, height, width, channels), changed in training only."""
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        operations = list(self.operations)
        if images.shape[-1] == 3:
            operations.append(self.degeneration)
        shape = (ops.shape(images)[0], self.count)
        # Number 0 leaves the image as it is.
        drawn = keras.random.randint(shape, 0, len(operations) + 1, seed=self.generator)
        for position in range(self.count):
            changed = images
            for number, operation in enumerate(operations, start=1):
                selected = ops.reshape(drawn[:, position] == number, (-1, 1, 1, 1))
                changed = ops.where(selected, operation(images, training=True), changed)
            images = changed
        return images

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"count": self.count, "strength": self.strength, "value_range": self.value_range}
        return {**super().get_config(), **own, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kexp")
class MixUpOrCutMix(keras.layers.Layer):
    """MixUp on half of the batches, CutMix on the others (Zhang et al. 2018, Yun et al. 2019).

    Args:
        mixup: alpha of the Beta distribution of MixUp's shares, above 0, at most 1.
        cutmix: alpha of the Beta distribution of CutMix's areas, above 0, at most 1.
        seed: Of all draws; None (default) follows `keras.utils.set_random_seed`.

    Example:
        >>> batch = {"images": np.zeros((4, 28, 28, 1), "float32"), "labels": np.eye(4, dtype="float32")}
        >>> MixUpOrCutMix(0.2, 1.0, seed=0)(batch, training=True)["labels"].shape
        TensorShape([4, 4])
    """

    def __init__(self, mixup: float, cutmix: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alphas = (mixup, cutmix)
        self.seed = seed
        own, first, second = layer_seeds(seed, 3)
        self.generator = keras.random.SeedGenerator(own)
        self.mixup = layers.MixUp(mixup, seed=first, dtype=self.dtype_policy)
        self.cutmix = layers.CutMix((cutmix, cutmix), seed=second, dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        for layer in (self.mixup, self.cutmix):
            layer.build(input_shape)
        self.built = True

    def call(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """Return "images", (batch, height, width, channels), and "labels", (batch, classes), mixed."""
        if not training:
            return dict(data)
        # Both layers write into the mapping that they are given.
        blended = self.mixup(dict(data), training=True)
        pasted = self.cutmix(dict(data), training=True)
        first = keras.random.uniform((), seed=self.generator) < 0.5
        return {name: ops.where(first, blended[name], pasted[name]) for name in data}

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        mixup, cutmix = self.alphas
        return {**super().get_config(), "mixup": mixup, "cutmix": cutmix, "seed": self.seed}


def layer_seeds(seed: int | None, count: int) -> list[int | None]:
    """Return a seed for each layer: with the same one, all of them would draw the same numbers."""
    if seed is None:
        return [None] * count
    return [int(number) >> 1 for number in np.random.SeedSequence(seed).generate_state(count)]


def _translation(fraction: float, **options: Any) -> keras.layers.Layer:
    return layers.RandomTranslation(fraction, fraction, fill_mode="constant", **options)


def _mixing(mixup: float, cutmix: float, common: dict[str, Any]) -> keras.layers.Layer:
    if mixup and cutmix:
        return MixUpOrCutMix(mixup, cutmix, **common)
    # Both ends the same, so that alpha is what is asked for and not drawn anew for each batch.
    return layers.MixUp(mixup, **common) if mixup else layers.CutMix((cutmix, cutmix), **common)


def _operations(
    strength: float, value_range: tuple[float, ...], seeds: list[int | None], dtype: Any
) -> list[keras.layers.Layer]:
    """Return the operations that fit any image, at the ranges of Cubuk et al. 2020.

    Without solarisation: the lower end of Keras's threshold stays at 0, an inverted image, whatever it
    is given.
    """
    values = {"value_range": value_range, "dtype": dtype}
    fill = {"fill_mode": "constant", "dtype": dtype}
    sharpness = (0.5 - 0.45 * strength, 0.5 + 0.45 * strength)
    return [
        layers.RandomShear(0.3 * strength, 0.3 * strength, seed=seeds[0], **fill),
        _translation(0.3 * strength, seed=seeds[1], dtype=dtype),
        layers.RandomRotation(strength / 12, seed=seeds[2], **fill),
        layers.RandomBrightness(0.5 * strength, seed=seeds[3], **values),
        layers.RandomContrast(0.9 * strength, seed=seeds[4], **values),
        layers.RandomSharpness(sharpness, seed=seeds[5], **values),
        layers.RandomPosterization(8 - round(4 * strength), seed=seeds[6], **values),
        layers.AutoContrast(**values),
        layers.Equalization(**values),
    ]
