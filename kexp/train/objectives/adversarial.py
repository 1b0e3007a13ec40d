"""The objective of generative adversarial networks: two players, each against the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import keras
from keras import ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, Split
from kexp.engine.base import StepContext
from kexp.models.gan.gan_model import GAN
from kexp.models.gan.gan_networks import tanh_from_pixels
from kexp.models.layers.normalization import batch_normalizations
from kexp.train.objectives.base import Losses, MetricProvider, Objective, Player
from kexp.train.objectives.samples import MadeSamples, check_images

if TYPE_CHECKING:
    from kexp.metrics.sample_quality import Quality

AdversarialLoss = Literal["non_saturating", "hinge", "wasserstein"]


def adversarial(
    loss: AdversarialLoss = "non_saturating",
    *,
    gradient_penalty: float | None = None,
    critic_steps: int = 1,
    discriminator_rate: float = 1.0,
    quality: Quality | None = None,
) -> Objective:
    """Return the objective of a `kexp.models.GAN`: real images are told from made ones, and made to pass.

    Goodfellow et al. 2014, "Generative adversarial nets". At each step the discriminator has its turn, then
    the generator, each with an optimizer of its own and noise drawn anew.

    Args:
        loss: "non_saturating" (default), of the same paper; "hinge" (Lim and Ye 2017, "Geometric GAN");
            "wasserstein" (Arjovsky et al. 2017).
        gradient_penalty: Weight of the squared distance from 1 of the slope of the discriminator between real
            and made images (Gulrajani et al. 2017, "Improved training of Wasserstein GANs"); None (default)
            is 10 for "wasserstein" and 0 for the others; 0 or more.
        critic_steps: Turns of the discriminator for each one of the generator, default 1, 1 or more.
        discriminator_rate: What the learning rate is multiplied by for the discriminator, default 1 (Heusel
            et al. 2017, "GANs trained by a two time-scale update rule"), above 0.
        quality: Measures samples after each epoch, from the same noise, and so chooses the best epoch; None
            (default): the last epoch counts.

    Raises:
        InputError: An argument is out of range.

    Example:
        >>> adversarial("hinge").components
        ('discriminator_loss', 'discriminator_accuracy')
    """
    check_value("loss", loss, AdversarialLoss)
    check_value("gradient_penalty", gradient_penalty, Annotated[float, AtLeast(0)] | None)
    check_value("critic_steps", critic_steps, Annotated[int, AtLeast(1)])
    if discriminator_rate <= 0:
        raise InputError(f"discriminator_rate must be above 0; received {discriminator_rate!r}.")
    if gradient_penalty is None:
        gradient_penalty = 10.0 if loss == "wasserstein" else 0.0
    monitor = "none" if quality is None else quality.monitor
    return Adversarial(loss, gradient_penalty, critic_steps, discriminator_rate, quality, monitor)


@dataclass(frozen=True, eq=False)
class Adversarial(Objective):
    """Two players, whose losses do not say how good the samples are."""

    loss: AdversarialLoss
    gradient_penalty: float
    critic_steps: int
    discriminator_rate: float
    quality: Quality | None
    monitor: str
    task: str = "generation"
    detects_loss_spikes: bool = False
    eval_player: str | None = None
    components: tuple[str, ...] = ("discriminator_loss", "discriminator_accuracy")

    def players(self, model: keras.Model) -> tuple[Player, ...]:
        """Return discriminator and generator, which are updated in turn."""
        return (
            Player("discriminator", model.discriminator, learning_rate=self.discriminator_rate),
            Player("generator", model.generator, update_every=self.critic_steps),
        )

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless the model is a GAN that fits the data."""
        if not isinstance(model, GAN):
            raise InputError(f"model must be a kexp.models.GAN for this objective; received {model.name!r}.")
        check_images(model, data, tuple(model.generator.output_shape[1:]))
        if self.gradient_penalty and batch_normalizations(model.discriminator):
            raise InputError(
                "model must have a discriminator without batch normalisation for the gradient penalty, which "
                "is of each sample alone; build it with normalization='layer' or 'none'."
            )

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return what one player minimises on a batch."""
        real, labels = tanh_from_pixels(inputs), ops.cast(targets, "int32")
        made = model.made(step.normal((ops.shape(real)[0], model.latent)), labels, training=True)
        of_made = model.scores(made, labels, training=True)
        if player == "generator":
            return Losses(_generator_loss(self.loss, of_made))
        of_real = model.scores(real, labels, training=True)
        loss = _discriminator_loss(self.loss, of_real, of_made)
        right = ops.cast(of_real > 0, "float32") + ops.cast(of_made < 0, "float32")
        components = {"discriminator_loss": loss, "discriminator_accuracy": right / 2}
        if self.gradient_penalty:
            loss = loss + self.gradient_penalty * _penalties(model, real, made, labels, step)
        return Losses(loss, penalty=sum(model.discriminator.losses), components=components)

    def samples(self, model: keras.Model, split: Split, train: Split | None) -> MetricProvider | None:
        """Return what draws and measures samples after each epoch."""
        return None if self.quality is None else MadeSamples(model, self.quality, split, train)


def _generator_loss(kind: AdversarialLoss, of_made: Tensor) -> Any:
    return ops.softplus(-of_made) if kind == "non_saturating" else -of_made


def _discriminator_loss(kind: AdversarialLoss, of_real: Tensor, of_made: Tensor) -> Any:
    if kind == "non_saturating":
        return ops.softplus(-of_real) + ops.softplus(of_made)
    if kind == "hinge":
        return ops.relu(1.0 - of_real) + ops.relu(1.0 + of_made)
    return of_made - of_real


def _penalties(model: GAN, real: Tensor, made: Tensor, labels: Tensor, step: StepContext) -> Any:
    """Return (batch,): how far the slope is from 1 at a random place between each real and made image."""
    made = ops.stop_gradient(made)
    between = real + step.uniform((ops.shape(real)[0], 1, 1, 1)) * (made - real)
    slopes = step.gradient(lambda images: model.scores(images, labels, training=True), between)
    # At 0 the root has no slope of its own.
    lengths = ops.sqrt(ops.sum(ops.square(slopes), axis=(1, 2, 3)) + 1e-12)
    return ops.square(lengths - 1.0)
