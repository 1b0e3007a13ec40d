"""The two players of generative adversarial networks for images, and how pixels are brought to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from kexp.core.constraints import Normalization
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor, TensorLike
from kexp.models.layers.dropout import drop
from kexp.models.layers.inputs import check_image_shape
from kexp.models.layers.normalization import normalize

__all__ = ["SpectralNormalized", "gan_discriminator", "gan_generator", "pixels_from_tanh", "tanh_from_pixels"]

_SMALLEST = 4  # pixels of the shorter side that a generator starts from, if it can choose
_LEAK = 0.2  # slope below zero (Radford et al. 2016)
_START = 0.02  # standard deviation of weights at the start (Radford et al. 2016)


def gan_generator(
    output_shape: Sequence[int],
    *,
    latent: int = 64,
    classes: int | None = None,
    filters: Sequence[int] | None = None,
    normalization: Normalization = "batch",
) -> keras.Model:
    """Build the generator of a DCGAN: noise becomes few wide pixels, which are doubled up to an image.

    Radford, Metz and Chintala 2016, "Unsupervised representation learning with deep convolutional generative
    adversarial networks". The class of an image, where it is given, is a vector beside the noise (Mirza
    and Osindero 2014, "Conditional generative adversarial nets").

    Args:
        output_shape: (height, width, channels), of any height and width.
        latent: Numbers of the noise, which is meant to be standard normal, default 64.
        classes: That images can be generated for; None (default): the noise is the only input.
        filters: Of the pixels before each doubling; None (default) has as many doublings as leave 4 pixels or
            more of the shorter side to start from, and 64 filters before the last, twice as many before each
            earlier one. Height and width are halved as often, rounded up, and cut off after the doubling.
        normalization: Before each activation but the last: "none", "batch" (default) or "layer".

    Returns:
        An uncompiled model, (batch, latent) float32, or the list of this and (batch,) int32 classes, to
        (batch, height, width, channels) float32 from -1 to 1.

    Raises:
        InputError: The shape is another one, there is no stage, or a number is not in its range.

    Example:
        >>> gan_generator((28, 28, 1), latent=64).count_params()
        534273
        >>> images = gan_generator((30, 45, 3), latent=8, classes=10)([ops.zeros((2, 8)), ops.array([0, 9])])
        >>> images.shape
        TensorShape([2, 30, 45, 3])
    """
    _check("output_shape", output_shape, filters, classes)
    if latent < 1:
        raise InputError(f"latent must be 1 number or more; received {latent!r}.")
    filters = _own_filters(output_shape) if filters is None else filters
    sizes = [tuple(output_shape[:2])]
    for _ in filters:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    noise = keras.Input((latent,), name="noise")
    inputs, x = noise, noise  # (batch, latent)
    if classes is not None:
        label = keras.Input((), dtype="int32", name="class")
        inputs = [noise, label]
        x = layers.concatenate([noise, layers.Embedding(classes, latent, name="class_vectors")(label)])
    bias, start = normalization != "batch", keras.initializers.RandomNormal(stddev=_START)
    lowest = (*sizes[-1], filters[0])
    x = layers.Dense(math.prod(lowest), use_bias=bias, kernel_initializer=start.clone())(x)
    x = layers.Reshape(lowest)(x)  # (batch, height / 2ⁿ, width / 2ⁿ, filters[0])
    for count, (height, width) in zip([*filters[1:], None], sizes[-2::-1], strict=True):
        x = layers.Activation("relu")(normalize(normalization)(x))
        options: dict[str, Any] = {"strides": 2, "padding": "same", "kernel_initializer": start.clone()}
        if count is None:
            x = layers.Conv2DTranspose(output_shape[-1], 4, activation="tanh", dtype="float32", **options)(x)
        else:
            x = layers.Conv2DTranspose(count, 4, use_bias=bias, **options)(x)  # (batch, 2h, 2w, count)
        x = x[:, :height, :width]  # half of an odd number was rounded up
    return keras.Model(inputs, x, name="generator")


def gan_discriminator(
    input_shape: Sequence[int],
    *,
    classes: int | None = None,
    filters: Sequence[int] | None = None,
    normalization: Normalization = "none",
    spectral: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Build the discriminator of a DCGAN, or the critic of a WGAN: strided convolutions down to one score.

    Radford, Metz and Chintala 2016. With classes it is a projection discriminator: the score gains the inner
    product of a vector of the class and the sum of the last pixels (Miyato and Koyama 2018, "cGANs with
    projection discriminator").

    Args:
        input_shape: (height, width, channels), of any height and width.
        classes: Of the images; None (default): the image is the only input.
        filters: Of the stages, each of which halves height and width, rounded up; None (default) is the
            mirror image of the generator's own choice.
        normalization: After each convolution but the first: "none" (default), "batch", which a gradient
            penalty does not allow since it is of each sample alone, or "layer" (Gulrajani et al. 2017).
        spectral: Whether every weight is divided by its largest singular value, default False (Miyato et al.
            2018, "Spectral normalization for generative adversarial networks").
        dropout: Share dropped after each activation, default 0, below 1.

    Returns:
        An uncompiled model, (batch, height, width, channels) float32 from -1 to 1, or the list of this and
        (batch,) int32 classes, to (batch, 1) float32: a logit, higher for images that look real.

    Raises:
        InputError: The shape is another one, there is no stage, or a number is not in its range.

    Example:
        >>> gan_discriminator((28, 28, 1)).count_params()
        138561
        >>> critic = gan_discriminator((30, 45, 3), classes=10, spectral=True)
        >>> critic([ops.zeros((2, 30, 45, 3)), ops.array([0, 9])]).shape
        TensorShape([2, 1])
    """
    _check("input_shape", input_shape, filters, classes)
    filters = _own_filters(input_shape)[::-1] if filters is None else filters
    start = keras.initializers.RandomNormal(stddev=_START)

    def weighted(layer: type[keras.layers.Layer], *args: Any, bias: bool = True, **options: Any) -> Any:
        if spectral:
            return SpectralNormalized(layer(*args, use_bias=False, **options), use_bias=bias)
        return layer(*args, use_bias=bias, **options)

    image = keras.Input(tuple(input_shape), name="image")
    inputs, x = image, image  # (batch, height, width, channels)
    for number, count in enumerate(filters):
        kind = normalization if number else "none"
        options: dict[str, Any] = {"strides": 2, "padding": "same", "kernel_initializer": start.clone()}
        x = weighted(layers.Conv2D, count, 4, bias=kind != "batch", **options)(x)
        x = normalize(kind)(x)
        # As two operations: TensorFlow's optimiser of graphs fails, loudly, to fuse its own with a bias.
        x = ops.maximum(x, _LEAK * x)  # (batch, height / 2, width / 2, count)
        x = drop(dropout)(x)
    score = weighted(layers.Dense, 1, kernel_initializer=start.clone(), dtype="float32")(layers.Flatten()(x))
    if classes is not None:
        label = keras.Input((), dtype="int32", name="class")
        inputs = [image, label]
        vectors = layers.Embedding(classes, filters[-1], start.clone(), dtype="float32", name="class_vectors")
        vector = (SpectralNormalized(vectors) if spectral else vectors)(label)  # (batch, filters[-1])
        summed = ops.sum(ops.cast(x, "float32"), axis=(1, 2))  # (batch, filters[-1])
        score = layers.add([score, ops.sum(vector * summed, axis=-1, keepdims=True)], dtype="float32")
    return keras.Model(inputs, score, name="discriminator")


def tanh_from_pixels(images: TensorLike) -> Any:
    """Return bytes as numbers from -1 to 1, float32, as a generator makes them.

    Args:
        images: uint8, of any shape.

    Raises:
        InputError: The images are not bytes.

    Example:
        >>> import numpy as np
        >>> tanh_from_pixels(np.array([0, 255], "uint8")).numpy().tolist()
        [-1.0, 1.0]
    """
    images = ops.convert_to_tensor(images)
    received = keras.backend.standardize_dtype(images.dtype)
    if received != "uint8":
        raise InputError(f"images must be bytes, of dtype uint8; received {received}, so cast them first.")
    return ops.cast(images, "float32") / 127.5 - 1.0


def pixels_from_tanh(images: TensorLike) -> Any:
    """Return numbers from -1 to 1 as the nearest bytes, what lies beyond as 0 or 255.

    Args:
        images: float, of any shape.

    Example:
        >>> pixels_from_tanh([-1.0, 0.0, 0.999, 1.5]).numpy().tolist()
        [0, 128, 255, 255]
    """
    scaled = (ops.cast(images, "float32") + 1.0) * 127.5
    return ops.cast(ops.round(ops.clip(scaled, 0.0, 255.0)), "uint8")


@keras.saving.register_keras_serializable(package="kexp")
class SpectralNormalized(keras.layers.Wrapper):
    """A layer whose weights count as divided by their largest singular value, so that no input grows by more.

    Miyato et al. 2018, "Spectral normalization for generative adversarial networks", algorithm 1: each call
    in training takes one step of the power method. Keras's layer of this purpose writes the quotient over
    the weights at each call, the calls of the other player's step included, and gradients do not see the
    division; here the weights belong to the optimizer alone, and gradients do.

    Args:
        layer: With a kernel or embeddings, linear, and without a bias.
        use_bias: Whether a bias is added to what the layer gives, default False.

    Raises:
        InputError: The layer has a bias or an activation of its own.

    Example:
        >>> SpectralNormalized(layers.Dense(4, use_bias=False), use_bias=True)(ops.ones((2, 8))).shape
        TensorShape([2, 4])
    """

    def __init__(self, layer: Any, use_bias: bool = False, **kwargs: Any) -> None:
        super().__init__(layer, **{"dtype": layer.dtype_policy, **kwargs})
        nonlinear = getattr(layer, "activation", None) not in (None, keras.activations.linear)
        if getattr(layer, "use_bias", False) or nonlinear:
            raise InputError(
                f"layer must have neither bias nor activation; received {layer.name}, so pass use_bias=False "
                "to it and use_bias=True here, and put the activation behind."
            )
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        units = self._weights_of_layer().shape[-1]
        self.direction = self.add_weight(
            shape=(1, units),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            dtype="float32",
            name="direction",
        )
        self.bias = (
            self.add_weight(shape=(units,), initializer="zeros", name="bias") if self.use_bias else None
        )

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return what the layer gives, divided by the largest singular value, plus the bias."""
        outputs = self.layer(inputs)
        outputs = outputs / ops.cast(self._largest_singular_value(training), outputs.dtype)
        return outputs if self.bias is None else outputs + ops.cast(self.bias, outputs.dtype)

    def _weights_of_layer(self) -> Any:
        return self.layer.kernel if hasattr(self.layer, "kernel") else self.layer.embeddings

    def _largest_singular_value(self, training: bool) -> Any:
        weights = ops.cast(self._weights_of_layer(), "float32")
        weights = ops.reshape(weights, (-1, weights.shape[-1]))  # (inputs of a unit, units)
        fixed = ops.stop_gradient(weights)
        left = ops.normalize(ops.matmul(self.direction, ops.transpose(fixed)), axis=-1)
        right = ops.normalize(ops.matmul(left, fixed), axis=-1)  # (1, units)
        if training:
            self.direction.assign(right)  # the same on all replicas, since it is of the weights alone
        value = ops.sum(ops.matmul(left, weights) * right)
        return ops.maximum(value, 1e-12)  # weights that are all 0 have no direction

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_bias": self.use_bias}


def _check(name: str, shape: Sequence[int], filters: Sequence[int] | None, classes: int | None) -> None:
    check_image_shape(shape, name)
    if filters is not None and not filters:
        raise InputError("filters must be those of one stage or more; received none.")
    if classes is not None and classes < 1:
        raise InputError(f"classes must be 1 or more, or None for images without; received {classes!r}.")


def _own_filters(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the filters of a generator that starts from 4 to 7 pixels of the shorter side, if it has 8."""
    doublings = max(1, int(math.log2(max(1, min(shape[:2]) / _SMALLEST))))
    return tuple(64 * 2**number for number in reversed(range(doublings)))
