"""Autoencoders: what a short code keeps of an input, learned by giving the input back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
from keras import layers

from kexp.core.constraints import Activation, InputType, Normalization
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.autoencoder.latents import GaussianSample, InputNoise, NoiseKind
from kexp.models.layers.inputs import check_image_shape, scaled_input
from kexp.models.layers.normalization import normalize

__all__ = ["autoencoder", "convolutional_autoencoder", "decoder", "encoder", "vae"]

CodeActivation = Literal["linear", "relu", "gelu", "tanh", "sigmoid", "swish"]


def autoencoder(
    input_shape: Sequence[int],
    *,
    code: int = 32,
    hidden: Sequence[int] = (),
    activation: Activation = "relu",
    code_activation: CodeActivation = "relu",
    normalization: Normalization = "none",
    noise: float = 0.0,
    noise_kind: NoiseKind = "gaussian",
    sparsity: float = 0.0,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a dense autoencoder: hidden layers down to a code, the same ones back up to the input.

    Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks". Without hidden
    layers it is the first network of blog.keras.io/building-autoencoders-in-keras.html.

    Args:
        input_shape: Of one sample; flattened if it has several axes.
        code: Numbers of the code, default 32.
        hidden: Units of the encoder's hidden layers, default none; the decoder has them in reverse.
        activation: After each hidden layer, default "relu".
        code_activation: Of the code, default "relu"; Hinton and Salakhutdinov have a "linear" one.
        normalization: Before each hidden activation: "none" (default), "batch" or "layer".
        noise: Put on the inputs in training alone, so that the network learns to take it off (Vincent et al.
            2008), default 0; see `InputNoise`.
        noise_kind: "gaussian" (default), of that standard deviation, or "masking" of that share.
        sparsity: Weight of the sum of the code's absolute values in the loss, default 0; a loss of the model.
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32", numbers from 0 to 1.

    Returns:
        An uncompiled model, (batch, *input_shape) to (batch, *input_shape) float32 logits of numbers from 0
        to 1. `encoder` and `decoder` return its parts.

    Raises:
        InputError: A number is not in its range.

    Example:
        >>> model = autoencoder((28, 28, 1), code=32)
        >>> model.output_shape, model.count_params()
        ((None, 28, 28, 1), 50992)
        >>> encoder(model).output_shape, decoder(model).input_shape
        ((None, 32), (None, 32))
    """
    shape = tuple(input_shape)
    _check(code, {"sparsity": sparsity})
    inputs, x = scaled_input(shape, dtype)  # (batch, *shape)
    x = _noisy(x, noise, noise_kind)
    x = _dense_layers(_flat(x), hidden, activation, normalization)
    x = layers.Dense(code, code_activation, dtype="float32", name="code")(x)  # (batch, code)
    return _joined(
        inputs, _sparse(x, sparsity), _dense_decoder(shape, code, hidden, activation, normalization)
    )


def convolutional_autoencoder(
    input_shape: Sequence[int],
    *,
    filters: Sequence[int] = (16, 8, 8),
    code: int | None = None,
    activation: Activation = "relu",
    code_activation: CodeActivation = "relu",
    normalization: Normalization = "none",
    noise: float = 0.0,
    noise_kind: NoiseKind = "gaussian",
    sparsity: float = 0.0,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a convolutional autoencoder: down to fewer pixels by maxima, and up again by repeating them.

    With the default filters it has the layers of the convolutional network of
    blog.keras.io/building-autoencoders-in-keras.html, and on 28×28 images its code of 4×4×8 numbers; Masci et
    al. 2011, "Stacked convolutional auto-encoders for hierarchical feature extraction".

    Args:
        input_shape: (height, width, channels), of any height and width.
        filters: Filters of each stage, default (16, 8, 8); each halves height and width, rounded up, and the
            decoder has them in reverse.
        code: Numbers of a dense code; None (default): the code is what the last stage leaves.
        activation: After each convolution, default "relu".
        code_activation: Of a dense code, default "relu".
        normalization: Before each activation: "none" (default), "batch" or "layer".
        noise: Put on the inputs in training alone, so that the network learns to take it off (Vincent et al.
            2008), default 0; see `InputNoise`.
        noise_kind: "gaussian" (default), of that standard deviation, or "masking" of that share.
        sparsity: Weight of the sum of the code's absolute values in the loss, default 0; a loss of the model.
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32", numbers from 0 to 1.

    Returns:
        An uncompiled model, (batch, height, width, channels) to float32 logits, of the same shape, of numbers
        from 0 to 1. `encoder` and `decoder` return its parts.

    Raises:
        InputError: The shape is another one, there is no stage, or a number is not in its range.

    Example:
        >>> model = convolutional_autoencoder((28, 28, 1))
        >>> model.output_shape, model.count_params(), encoder(model).output_shape
        ((None, 28, 28, 1), 4385, (None, 4, 4, 8))
    """
    check_image_shape(input_shape)
    if not filters:
        raise InputError("filters must be those of one stage or more; received none.")
    _check(code, {"sparsity": sparsity})
    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    x = _noisy(x, noise, noise_kind)
    sizes = []
    for count in filters:
        sizes.append(x.shape[1:3])
        x = _convolution(x, count, activation, normalization)
        x = layers.MaxPooling2D(2, padding="same")(x)  # (batch, height / 2, width / 2, count), rounded up
    lowest = x.shape[1:]
    if code is None:
        x = layers.Activation("linear", dtype="float32", name="code")(x)  # (batch, *lowest)
    else:
        x = layers.Dense(code, code_activation, dtype="float32", name="code")(layers.Flatten()(x))
    above = _convolutional_decoder(
        x.shape[1:], lowest, input_shape[-1], filters, sizes, activation, normalization
    )
    return _joined(inputs, _sparse(x, sparsity), above)


def vae(
    input_shape: Sequence[int],
    *,
    code: int = 16,
    hidden: Sequence[int] = (512, 256),
    beta: float = 1.0,
    activation: Activation = "relu",
    normalization: Normalization = "none",
    seed: int | None = None,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a variational autoencoder: each input has a normal distribution of codes, near the standard one.

    Kingma and Welling 2014, "Auto-encoding variational Bayes"; with a beta other than 1, Higgins et al. 2017,
    "beta-VAE". What it minimises is `bernoulli_loss` of inputs and outputs, to be given to the training, plus
    beta times `gaussian_kl`, which the model adds itself: after a call `model.losses` is this one term, the
    mean over the batch in nats. Training draws a code; inference takes the mean.

    Args:
        input_shape: Of one sample; flattened if it has several axes.
        code: Numbers of the code, default 16.
        hidden: Units of the encoder's hidden layers, default (512, 256); the decoder has them in reverse.
        beta: Weight of the divergence, default 1, which makes the sum a bound on the likelihood; 0 or more.
        activation: After each hidden layer, default "relu".
        normalization: Before each hidden activation: "none" (default), "batch" or "layer".
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32", numbers from 0 to 1.

    Returns:
        An uncompiled model, (batch, *input_shape) to (batch, *input_shape) float32 logits of numbers from 0
        to 1. `encoder` returns the part that gives mean and log variance, each (batch, code) float32,
        `decoder` the one that a code from the standard normal distribution makes an image with, and
        `model.get_layer("sample")` is the draw between them.

    Raises:
        InputError: A number is not in its range.

    Example:
        >>> model = vae((28, 28, 1), code=2)
        >>> mean, log_variance = encoder(model)(keras.ops.zeros((3, 28, 28, 1), "uint8"))
        >>> mean.shape, decoder(model)(mean).shape
        (TensorShape([3, 2]), TensorShape([3, 28, 28, 1]))
    """
    shape = tuple(input_shape)
    _check(code, {"beta": beta})
    inputs, x = scaled_input(shape, dtype)  # (batch, *shape)
    x = _dense_layers(_flat(x), hidden, activation, normalization)
    moments = [layers.Dense(code, dtype="float32", name=name)(x) for name in ("mean", "log_variance")]
    below = keras.Model(inputs, moments, name="encoder")
    above = _dense_decoder(shape, code, hidden, activation, normalization)
    images = keras.Input(shape, dtype=dtype)
    drawn = GaussianSample(beta, seed, dtype="float32", name="sample")(*below(images))  # (batch, code)
    return keras.Model(images, above(drawn), name="vae")


def encoder(model: keras.Model) -> keras.Model:
    """Return the part of an autoencoder from inputs, as the model takes them, to the code.

    Args:
        model: Of a builder of this file, or loaded.

    Returns:
        (batch, *input_shape) to a code, float32; of a variational one to the list of mean and log variance.

    Raises:
        InputError: The model is no autoencoder of these.

    Example:
        >>> encoder(autoencoder((64,), code=8, hidden=(32,))).output_shape
        (None, 8)
    """
    return _part(model, "encoder")


def decoder(model: keras.Model) -> keras.Model:
    """Return the part of an autoencoder from the code to float32 logits of numbers from 0 to 1.

    Args:
        model: Of a builder of this file, or loaded.

    Raises:
        InputError: The model is no autoencoder of these.

    Example:
        >>> decoder(vae((8, 8), code=2)).output_shape
        (None, 8, 8)
    """
    return _part(model, "decoder")


def _check(code: int | None, weights: Mapping[str, float]) -> None:
    if code is not None and code < 1:
        raise InputError(f"code must be 1 number or more; received {code!r}.")
    for name, weight in weights.items():
        if weight < 0:
            raise InputError(f"{name} must be 0 or more; received {weight!r}.")


def _part(model: keras.Model, name: str) -> keras.Model:
    parts = [layer for layer in model.layers if layer.name == name and isinstance(layer, keras.Model)]
    if not parts:
        raise InputError(f"model must be an autoencoder of kexp.models; {model.name!r} has no {name}.")
    return parts[0]


def _joined(inputs: Tensor, code: Tensor, above: keras.Model) -> keras.Model:
    """Return the autoencoder of an encoder's input and code, and a decoder."""
    below = keras.Model(inputs, code, name="encoder")
    images = keras.Input(inputs.shape[1:], dtype=inputs.dtype)
    return keras.Model(images, above(below(images)), name="autoencoder")


def _noisy(x: Tensor, amount: float, kind: NoiseKind) -> Any:
    return InputNoise(amount, kind, name="noise")(x) if amount else x


def _sparse(code: Tensor, weight: float) -> Any:
    return (
        layers.ActivityRegularization(l1=weight, dtype="float32", name="sparsity")(code) if weight else code
    )


def _flat(x: Tensor) -> Any:
    return layers.Flatten()(x) if len(x.shape) > 2 else x  # (batch, features)


def _dense_layers(
    x: Tensor, hidden: Sequence[int], activation: Activation, normalization: Normalization
) -> Any:
    for units in hidden:
        x = layers.Dense(units, use_bias=normalization != "batch")(x)  # (batch, units)
        x = layers.Activation(activation)(normalize(normalization)(x))
    return x


def _dense_decoder(
    shape: tuple[int, ...], code: int, hidden: Sequence[int], activation: Activation, kind: Normalization
) -> keras.Model:
    given = keras.Input((code,), name="code")
    x = _dense_layers(given, hidden[::-1], activation, kind)
    x = layers.Dense(math.prod(shape), dtype="float32", name="logits")(x)  # (batch, features)
    x = layers.Reshape(shape, dtype="float32")(x) if len(shape) > 1 else x  # (batch, *shape)
    return keras.Model(given, x, name="decoder")


def _convolution(x: Tensor, count: int, activation: Activation, normalization: Normalization) -> Any:
    """Return (batch, height, width, count): 3×3 convolution, normalisation and activation."""
    x = layers.Conv2D(count, 3, padding="same", use_bias=normalization != "batch")(x)
    return layers.Activation(activation)(normalize(normalization)(x))


def _convolutional_decoder(
    code: tuple[int, ...],
    lowest: tuple[int, int, int],
    channels: int,
    filters: Sequence[int],
    sizes: Sequence[tuple[int, int]],
    activation: Activation,
    normalization: Normalization,
) -> keras.Model:
    """Return the way back through stages that began at `sizes`, from a code of that shape."""
    given = keras.Input(code, name="code")
    x = given
    if len(code) == 1:
        x = layers.Reshape(lowest)(layers.Dense(math.prod(lowest), activation)(x))
    for count, (height, width) in zip(filters[::-1], sizes[::-1], strict=True):
        x = layers.UpSampling2D(2)(_convolution(x, count, activation, normalization))
        x = x[:, :height, :width]  # half of an odd number was rounded up
    x = layers.Conv2D(channels, 3, padding="same", dtype="float32", name="logits")(x)
    return keras.Model(given, x, name="decoder")
