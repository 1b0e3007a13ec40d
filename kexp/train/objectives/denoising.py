"""The objective of diffusion models: to tell what noise was added to an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import keras
from keras import ops

from kexp.core.constraints import Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, Split
from kexp.engine.base import StepContext
from kexp.models.diffusion.diffusion_model import Diffusion
from kexp.models.diffusion.noise_schedule import diffusion_target, noised
from kexp.models.gan.gan_networks import tanh_from_pixels
from kexp.train.objectives.base import Losses, MetricProvider, Objective
from kexp.train.objectives.samples import MadeSamples, check_images

if TYPE_CHECKING:
    from kexp.metrics.sample_quality import Quality


def denoising(*, unlabelled: float = 0.1, quality: Quality | None = None) -> Objective:
    """Return the objective of a `kexp.models.Diffusion`: the squared error of what its network predicts.

    Ho, Jain and Abbeel 2020, "Denoising diffusion probabilistic models", equation 14: each image has noise of
    a step drawn at random, each step alike.

    Args:
        unlabelled: Share of the images whose class is left out, so that the model can be guided (Ho and
            Salimans 2022, "Classifier-free diffusion guidance"), default 0.1, from 0 to 1; without classes
            of no consequence.
        quality: Measures samples after each epoch, from the same noise, and so chooses the best epoch; None
            (default): the least loss on the validation data does.

    Raises:
        InputError: The share is out of range.

    Example:
        >>> denoising().monitor
        'val_loss'
    """
    check_value("unlabelled", unlabelled, Annotated[float, Between(0, 1)])
    return Denoising(unlabelled, quality, "val_loss" if quality is None else quality.monitor)


@dataclass(frozen=True, eq=False)
class Denoising(Objective):
    """The mean squared error of a sample's pixels."""

    unlabelled: float
    quality: Quality | None
    monitor: str
    task: str = "generation"

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless the model is a diffusion model that fits the data."""
        if not isinstance(model, Diffusion):
            raise InputError(
                f"model must be a kexp.models.Diffusion for this objective; received {model.name!r}."
            )
        check_images(model, data, tuple(model.network.output_shape[1:]))

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return the error of the network's guess at noised images."""
        images = tanh_from_pixels(inputs)  # (batch, height, width, channels)
        samples = ops.shape(images)[0]
        noise, time = step.normal(ops.shape(images)), step.integers((samples,), model.schedule.steps)
        given = [noised(model.schedule, images, noise, time), time]
        if model.class_names:
            known = step.uniform((samples,)) >= self.unlabelled
            given.append(ops.where(known, ops.cast(targets, "int32"), len(model.class_names)))
        answers = ops.cast(model.network(given, training=step.training), "float32")
        wanted = diffusion_target(model.schedule, images, noise, time, model.target)
        loss = ops.mean(ops.square(answers - wanted), axis=(1, 2, 3))
        return Losses(loss, penalty=sum(model.network.losses))

    def samples(self, model: keras.Model, split: Split, train: Split | None) -> MetricProvider | None:
        """Return what draws and measures samples after each epoch."""
        return None if self.quality is None else MadeSamples(model, self.quality, split, train)
