"""A network that takes noise off, and the schedule it is trained with, as one model that makes images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.diffusion.diffusion_sampler import SamplingKind, denoised
from kexp.models.diffusion.noise_schedule import (
    DiffusionTarget,
    check_target,
    cosine_noise,
    flow_noise,
    linear_noise,
)
from kexp.models.image_generator import ImageGenerator, with_networks

__all__ = ["Diffusion", "diffusion_process"]

NoiseKind = Literal["linear", "cosine", "flow"]
_SCHEDULES = {"linear": linear_noise, "cosine": cosine_noise, "flow": flow_noise}


def diffusion_process(
    path: Literal["diffusion", "flow"], noise: NoiseKind = "cosine", predicts: DiffusionTarget = "v"
) -> dict[str, Any]:
    """Return the arguments `noise` and `target` of a `Diffusion` whose images go along a path to noise.

    Args:
        path: "diffusion", of the noise and target given, or "flow", a straight line, which has its own.
        noise: Of a diffusion, default "cosine".
        predicts: Target of a diffusion, default "v".

    Raises:
        InputError: The path is another one, or a flow is given noise or target.

    Example:
        >>> diffusion_process("flow"), diffusion_process("diffusion", "linear")
        ({'noise': 'flow', 'target': 'flow'}, {'noise': 'linear', 'target': 'v'})
    """
    check_value("path", path, Literal["diffusion", "flow"])
    if path == "diffusion":
        return {"noise": noise, "target": predicts}
    for name, value, default in (("noise", noise, "cosine"), ("predicts", predicts, "v")):
        if value != default:
            raise InputError(
                f"{name} must be left out with path='flow', which has its own; received {value!r}."
            )
    return {"noise": "flow", "target": "flow"}


@keras.saving.register_keras_serializable(package="kexp")
class Diffusion(ImageGenerator):
    """A diffusion model: `kexp.objectives.denoising` trains it, `sample` makes images.

    Ho, Jain and Abbeel 2020, "Denoising diffusion probabilistic models". Called with what the network takes
    it gives what the network gives.

    Args:
        network: From `diffusion_unet`, or another one with its inputs and output.
        steps: Of the noise schedule, default 1000.
        noise: The schedule, "cosine" (default), "linear" or "flow"; see `cosine_noise`, `linear_noise` and
            `flow_noise`.
        target: What the network predicts; None (default): "flow" of the noise "flow", "v" of others. See
            `diffusion_target`.
        sampler: How `sample` draws, "ddim" (default) or "ddpm"; see `sample_diffusion`.
        sample_steps: Steps that it takes, default 50, at most those of the schedule.
        guidance: Of its draws where there are classes, default 0; see `sample_diffusion`.
        class_names: Of the classes that the network was built with, in the order of their indices; empty
            (default) for none.

    Raises:
        InputError: An argument is out of range, or network and classes do not fit each other.

    Example:
        >>> import kexp
        >>> network = kexp.models.diffusion_unet((8, 8, 1), filters=(4, 8))
        >>> Diffusion(network, steps=20, sample_steps=5).sample(2, seed=1).shape
        (2, 8, 8, 1)
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        steps: int = 1000,
        noise: NoiseKind = "cosine",
        target: DiffusionTarget | None = None,
        sampler: SamplingKind = "ddim",
        sample_steps: int = 50,
        guidance: float = 0.0,
        class_names: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(class_names, **options)
        check_value("steps", steps, Annotated[int, AtLeast(1)])
        check_value("noise", noise, NoiseKind)
        check_value("target", target, DiffusionTarget | None)
        check_value("sampler", sampler, SamplingKind)
        check_value("sample_steps", sample_steps, Annotated[int, Between(1, steps)])
        check_value("guidance", guidance, Annotated[float, AtLeast(0)])
        if len(network.inputs) != (3 if self.class_names else 2):
            raise InputError(
                "network must be built with classes if and only if there are class_names; it takes "
                f"{len(network.inputs)} inputs, and there are {len(self.class_names)} class_names."
            )
        self.network, self.noise, self.schedule = network, noise, _SCHEDULES[noise](steps)
        self.target: DiffusionTarget = target or ("flow" if noise == "flow" else "v")
        check_target(self.target, self.schedule)
        self.sampler, self.sample_steps, self.guidance = sampler, sample_steps, guidance
        self.built = True  # its parts are

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return (batch, height, width, channels) float32."""
        return self.network(inputs, training=training)

    def drawn(self, labels: Tensor, seed: Tensor) -> Any:
        """Return images that begin as noise."""
        return denoised(
            self.network,
            self.schedule,
            labels,
            seed,
            sampler=self.sampler,
            steps=self.sample_steps,
            guidance=self.guidance if self.class_names and self.guidance else None,
            target=self.target,
        )

    def get_config(self) -> dict[str, Any]:
        names = ("target", "noise", "sampler", "sample_steps", "guidance")
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "steps": self.schedule.steps,
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Diffusion:
        return cls(**with_networks(config, "network"))
