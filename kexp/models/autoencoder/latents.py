"""What autoencoders do to inputs and codes: noise, draws, and what both cost in nats."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor, TensorLike

__all__ = ["GaussianSample", "InputNoise", "bernoulli_loss", "gaussian_kl"]

NoiseKind = Literal["gaussian", "masking"]


def bernoulli_loss(inputs: TensorLike, logits: TensorLike) -> Any:
    """Return the cross-entropy of each sample in nats, summed over its pixels: (batch,) float32.

    Divided by the number of pixels it is the binary cross-entropy that autoencoders are compared by.

    Args:
        inputs: (batch, *shape), of bytes or of numbers from 0 to 1.
        logits: (batch, *shape), outputs of a model of this file.

    Example:
        >>> images = ops.cast([[0, 255]], "uint8")
        >>> round(float(bernoulli_loss(images, ops.zeros((1, 2)))[0]), 4)
        1.3863
    """
    inputs = ops.convert_to_tensor(inputs)
    scale = 255.0 if keras.backend.standardize_dtype(inputs.dtype) == "uint8" else 1.0
    targets, logits = ops.cast(inputs, "float32") / scale, ops.cast(logits, "float32")
    losses = ops.binary_crossentropy(targets, logits, from_logits=True)  # (batch, *shape)
    return ops.sum(losses, axis=tuple(range(1, len(losses.shape))))


def gaussian_kl(mean: TensorLike, log_variance: TensorLike) -> Any:
    """Return how far normal distributions are from the standard one, in nats: (batch,) float32.

    The Kullback-Leibler divergence, 1/2 Σ (mean² + variance - log variance - 1) (Kingma and Welling 2014,
    appendix B).

    Args:
        mean: (batch, code).
        log_variance: (batch, code).

    Example:
        >>> gaussian_kl(ops.array([[0.0, 0.0], [1.0, 2.0]]), ops.zeros((2, 2))).numpy().tolist()
        [0.0, 2.5]
    """
    mean, log_variance = ops.cast(mean, "float32"), ops.cast(log_variance, "float32")
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=-1)


@keras.saving.register_keras_serializable(package="kexp")
class GaussianSample(keras.layers.Layer):
    """Draws codes from normal distributions so that gradients reach these, and adds their divergence.

    Training draws mean + deviation × noise (Kingma and Welling 2014, section 2.4); inference takes the mean.

    Args:
        beta: Weight of the mean of `gaussian_kl` in the losses of the model, default 1, 0 or more.
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Example:
        >>> sample = GaussianSample(beta=2.0)
        >>> code = sample(ops.ones((3, 4)), ops.zeros((3, 4)))
        >>> code.numpy().max().item(), [float(loss) for loss in sample.losses]
        (1.0, [4.0])
    """

    def __init__(self, beta: float = 1.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, mean: Tensor, log_variance: Tensor, training: bool = False) -> Any:
        """Return (batch, code) of the same shape as mean and log variance."""
        self.add_loss(self.beta * ops.mean(gaussian_kl(mean, log_variance)))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype="float32", seed=self.generator)
        return mean + ops.exp(0.5 * log_variance) * ops.cast(noise, mean.dtype)

    def compute_output_shape(self, mean_shape: Shape, log_variance_shape: Shape) -> Any:
        return mean_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kexp")
class InputNoise(keras.layers.Layer):
    """Spoils inputs in training, by normal noise or by zeros, and leaves them alone in inference.

    Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders".

    Args:
        amount: For "gaussian" the standard deviation, 0 or more; for "masking" the share of numbers that
            become 0, from 0 to 1. What remains is neither scaled nor cut to a range.
        kind: "gaussian" (default) or "masking".
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Raises:
        InputError: The amount is not in its range, or there is no such kind.

    Example:
        >>> images = ops.ones((2, 8, 8, 1))
        >>> noise = InputNoise(0.5, "masking")
        >>> set(noise(images, training=True).numpy().ravel().tolist()) == {0.0, 1.0}
        True
        >>> bool(ops.all(noise(images) == images))
        True
    """

    def __init__(
        self, amount: float, kind: NoiseKind = "gaussian", seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if kind not in ("gaussian", "masking"):
            raise InputError(f"noise_kind must be 'gaussian' or 'masking'; received {kind!r}.")
        if amount < 0 or (kind == "masking" and amount > 1):
            allowed = "a share from 0 to 1" if kind == "masking" else "a standard deviation, 0 or more"
            raise InputError(f"noise must be {allowed}; received {amount!r}.")
        self.amount, self.kind, self.seed = amount, kind, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return (batch, ...) of the same shape."""
        if not training or not self.amount:
            return inputs
        shape = ops.shape(inputs)
        # In float32: half precision would round the share of zeros.
        if self.kind == "masking":
            kept = keras.random.uniform(shape, dtype="float32", seed=self.generator) >= self.amount
            return inputs * ops.cast(kept, inputs.dtype)
        noise = keras.random.normal(shape, stddev=self.amount, dtype="float32", seed=self.generator)
        return inputs + ops.cast(noise, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amount": self.amount, "kind": self.kind, "seed": self.seed}
