"""Objectives of autoencoders: to give back what goes in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras
import numpy as np
from keras import ops
from scipy.special import entr

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, DatasetSpec, Split
from kexp.engine.base import StepContext
from kexp.models.autoencoder.autoencoder_networks import decoder, encoder
from kexp.models.autoencoder.autoencoder_pipeline import Reconstructor
from kexp.models.autoencoder.latents import bernoulli_loss, gaussian_kl
from kexp.train.objectives.base import Losses, Objective

ErrorKind = Literal["cross_entropy", "squared"]


def reconstruction(error: ErrorKind = "cross_entropy") -> Reconstruction:
    """Return the objective of an autoencoder, whose targets are its inputs.

    The loss is the mean over the numbers of a sample; the labels of the data are not looked at.

    Args:
        error: "cross_entropy" (default) takes outputs as logits of numbers from 0 to 1 (bytes count divided
            by 255) and is the binary cross-entropy in nats; "squared" takes them as the numbers themselves.

    Raises:
        InputError: There is no such error.

    Example:
        >>> reconstruction("squared").components
        ()
        >>> reconstruction("sqaured")
        Traceback (most recent call last):
        ...
        kexp.InputError: error must be 'cross_entropy' or 'squared'; received 'sqaured'.
    """
    _check_error(error)
    return Reconstruction(error)


def variational(error: ErrorKind = "cross_entropy") -> Variational:
    """Return the objective of a variational autoencoder: the negative evidence lower bound, in nats.

    Kingma and Welling 2014, "Auto-encoding variational Bayes": what giving the sample back costs with a code
    drawn from its distribution, plus the model's beta times how far that is from the standard normal one.
    Both are shown besides, and their sum without beta as "negative_elbo". On held out data codes are drawn as
    well, so that it is a bound, and the best epoch is the one whose "negative_elbo" is least.

    Args:
        error: "cross_entropy" (default), summed over the numbers of a sample, as for `reconstruction`; or
            "squared", half the summed squares, as of normal distributions of deviation 1 without the
            constant.

    Raises:
        InputError: There is no such error.

    Example:
        >>> variational().components
        ('reconstruction', 'kl', 'negative_elbo')
    """
    _check_error(error)
    return Variational(error)


def _check_error(error: str) -> None:
    if error not in get_args(ErrorKind):
        raise InputError(f"error must be 'cross_entropy' or 'squared'; received {error!r}.")


@dataclass(frozen=True, eq=False)
class Reconstruction(Objective):
    """The mean error of a sample's numbers, and penalties of the model."""

    error: ErrorKind
    task: str = "reconstruction"

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless the model gives back what it is given."""
        check_same_shape(model, data)

    def inference_model(self, model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
        return Reconstructor(model, preprocessing, error=self.error)

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return the error of reconstructions, and the penalty of codes where there is one."""
        outputs = model(inputs, training=step.training)
        total = reconstruction_error(self.error, inputs, outputs) / math.prod(inputs.shape[1:])
        return Losses(total, penalty=sum(model.losses))

    def least_loss(self, batch: Split, spec: DatasetSpec, label_smoothing: float) -> float:
        return least_error(self.error, batch)


@dataclass(frozen=True, eq=False)
class Variational(Objective):
    """Reconstruction and divergence of the codes, in nats a sample."""

    error: ErrorKind
    task: str = "reconstruction"
    monitor: str = "val_negative_elbo"
    components: tuple[str, ...] = ("reconstruction", "kl", "negative_elbo")

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless the model is a variational autoencoder."""
        check_same_shape(model, data)
        if len(encoder(model).outputs) != 2:
            raise InputError(
                f"model must be a variational autoencoder, such as kexp.models.vae builds; the code of "
                f"{model.name!r} has no distribution."
            )

    def inference_model(self, model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
        return Reconstructor(model, preprocessing, error=self.error)

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return reconstruction error and divergence of the codes."""
        # By parts, with draws of the engine's: the layer between them draws in training alone.
        below, above = encoder(model), decoder(model)
        mean, log_variance = below(inputs, training=step.training)  # (batch, code)
        code = mean + ops.exp(0.5 * log_variance) * step.normal(ops.shape(mean))
        error = reconstruction_error(self.error, inputs, above(code, training=step.training))
        kl = gaussian_kl(mean, log_variance)
        return Losses(
            error + model.get_layer("sample").beta * kl,
            penalty=sum([*below.losses, *above.losses]),
            components={"reconstruction": error, "kl": kl, "negative_elbo": error + kl},
        )

    def least_loss(self, batch: Split, spec: DatasetSpec, label_smoothing: float) -> float:
        assert isinstance(batch.inputs, np.ndarray)
        return math.prod(batch.inputs.shape[1:]) * least_error(self.error, batch)


def reconstruction_error(error: ErrorKind, inputs: Tensor, outputs: Tensor) -> Any:
    """Return (batch,) float32, the error summed over the numbers of each sample.

    Example:
        >>> reconstruction_error("squared", ops.array([[1.0, 3.0]]), ops.array([[1.0, 1.0]])).numpy().tolist()
        [2.0]
    """
    if error == "cross_entropy":
        return bernoulli_loss(inputs, outputs)
    squares = ops.square(ops.cast(inputs, "float32") - ops.cast(outputs, "float32"))
    return 0.5 * ops.sum(squares, axis=tuple(range(1, len(squares.shape))))


def least_error(error: ErrorKind, batch: Split) -> float:
    """Return the mean error of a number that is given back exactly: of grey, the entropy in nats.

    Example:
        >>> inputs = np.full((1, 2), 0.5, "float32")
        >>> round(least_error("cross_entropy", Split(inputs, inputs)), 4)
        0.6931
    """
    if error != "cross_entropy":
        return 0.0
    assert isinstance(batch.inputs, np.ndarray)
    shares = batch.inputs / (255.0 if batch.inputs.dtype == np.uint8 else 1.0)
    return float(np.mean(entr(shares) + entr(1 - shares)))


def check_same_shape(model: keras.Model, data: Dataset) -> None:
    """Raise InputError unless the model gives back one array of the shape that it takes."""
    inputs = data.train.inputs
    given = None if isinstance(inputs, Mapping) else tuple(inputs.shape[1:])
    received = getattr(model, "output_shape", None)
    if given is None or not isinstance(received, tuple) or tuple(received[1:]) != given:
        raise InputError(
            f"model {model.name} must give back what it takes, {given} for each sample of {data.name}; it "
            f"gives {received}."
        )
