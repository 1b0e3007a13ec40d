"""The noise of diffusion models: how much each step has, how it is added, and one step towards less of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor, TensorLike

__all__ = [
    "DiffusionTarget",
    "NoiseSchedule",
    "clean_and_noise",
    "cosine_noise",
    "ddim_step",
    "ddpm_step",
    "diffusion_target",
    "flow_noise",
    "linear_noise",
    "noised",
]

DiffusionTarget = Literal["epsilon", "x0", "v", "flow"]

_MOST = 0.999  # of a step's variance that is noise: with all of it, nothing of the image would be left


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """How much of an image and how much noise is left after each of T steps, each (T,) float32.

    Step 0 has the least noise; -1 stands for the image itself.

    Attributes:
        alphas: Share of the variance that a step keeps of the one before.
        products: Their cumulative products, the share that is left of the image.
        signals: Roots of the products, what an image is multiplied by.
        noises: What noise of deviation 1 is multiplied by, roots of 1 - products where the variance stays 1;
            rounded after the subtraction, so that they are exact where there is next to no noise.
        trailing: Whether the steps of sampling are of one size down to the image itself, default False: the
            last is from step 0, however few they are. Lin et al. 2024, "Common diffusion noise schedules and
            sample steps are flawed", section 3.3, compares both.

    Example:
        >>> schedule = linear_noise(1000)
        >>> schedule.steps, schedule.products[[0, 500, -1]].round(4).tolist()
        (1000, [0.9998999834060669, 0.07779999822378159, 0.0])
    """

    alphas: np.ndarray
    products: np.ndarray
    signals: np.ndarray
    noises: np.ndarray
    trailing: bool = False

    @classmethod
    def of(cls, alphas: np.ndarray) -> NoiseSchedule:
        """Return the schedule of (T,) shares that the steps keep, each above 0 and below 1."""
        alphas = np.asarray(alphas, "float64")
        if alphas.ndim != 1 or not alphas.size or not ((alphas > 0) & (alphas < 1)).all():
            raise InputError(
                "alphas must be numbers above 0 and below 1 of shape (steps,); received "
                f"{np.array2string(alphas, threshold=6)} of shape {alphas.shape}."
            )
        products = np.cumprod(alphas)
        return cls.rounded(alphas, products, np.sqrt(products), np.sqrt(1 - products))

    @classmethod
    def rounded(
        cls,
        alphas: np.ndarray,
        products: np.ndarray,
        signals: np.ndarray,
        noises: np.ndarray,
        trailing: bool = False,
    ) -> NoiseSchedule:
        """Return the schedule of these (T,) attributes, rounded to float32."""
        alphas, products, signals, noises = (
            np.asarray(table, "float32") for table in (alphas, products, signals, noises)
        )
        return cls(alphas, products, signals, noises, trailing)

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.alphas)

    def levels(self, time: TensorLike) -> tuple[Any, Any]:
        """Return what image and noise are multiplied by at steps from -1 to T - 1, float32 like `time`."""
        numbers = ops.cast(time, "int32") + 1
        signals, noises = np.append(np.float32(1), self.signals), np.append(np.float32(0), self.noises)
        return ops.take(signals, numbers), ops.take(noises, numbers)


def linear_noise(steps: int = 1000) -> NoiseSchedule:
    """Return the schedule whose steps' noise grows evenly.

    Ho, Jain and Abbeel 2020, "Denoising diffusion probabilistic models", section 4: variances from 0.0001 to
    0.02 at 1000 steps. With another number of steps they are multiplied by 1000 / steps, up to 0.999 each, so
    that as much noise is left in the end.

    Args:
        steps: T, default 1000, 2 or more.

    Raises:
        InputError: There are fewer steps.

    Example:
        >>> [round(float(linear_noise(steps).signals[-1]), 3) for steps in (100, 1000, 4000)]
        [0.005, 0.006, 0.007]
    """
    check_value("steps", steps, Annotated[int, AtLeast(2)])
    return NoiseSchedule.of(1 - np.minimum(np.linspace(1e-4, 0.02, steps) * 1000 / steps, _MOST))


def cosine_noise(steps: int = 1000, offset: float = 0.008) -> NoiseSchedule:
    """Return the schedule whose cumulative product falls like a squared cosine.

    Nichol and Dhariwal 2021, "Improved denoising diffusion probabilistic models", section 3.2. It leaves more
    of the image in the steps in the middle than the linear one, which suits small images.

    Args:
        steps: T, default 1000, 2 or more.
        offset: Part of the way that is skipped at the beginning, default 0.008, 0 or more, so that the first
            steps have noise that can be seen.

    Raises:
        InputError: An argument is out of range.

    Example:
        >>> cosine_noise(1000).products[[0, 500, -1]].round(4).tolist()
        [1.0, 0.49230000376701355, 0.0]
    """
    check_value("steps", steps, Annotated[int, AtLeast(2)])
    check_value("offset", offset, Annotated[float, AtLeast(0)])
    way = (np.arange(steps + 1) / steps + offset) / (1 + offset)
    left = np.cos(way * np.pi / 2) ** 2
    return NoiseSchedule.of(np.maximum(left[1:] / left[:-1], 1 - _MOST))


def flow_noise(steps: int = 1000) -> NoiseSchedule:
    """Return the schedule of rectified flow: a straight line from an image to noise.

    Liu, Gong and Liu 2023, "Flow straight and fast: learning to generate and transfer data with rectified
    flow", equation 1; Lipman et al. 2023, "Flow matching for generative modeling", equation 22. At step t the
    noise has the share (t + 1) / T and the image the rest, nothing at the last step, so that the variance is
    not kept. Its target is "flow", and `ddim_step` follows it as Euler's method does.

    Args:
        steps: T, default 1000, 2 or more.

    Raises:
        InputError: There are fewer steps.

    Example:
        >>> schedule = flow_noise(4)
        >>> schedule.signals.tolist(), schedule.noises.tolist()
        ([0.75, 0.5, 0.25, 0.0], [0.25, 0.5, 0.75, 1.0])
    """
    check_value("steps", steps, Annotated[int, AtLeast(2)])
    signals = 1 - np.arange(1, steps + 1) / steps
    products = signals**2
    alphas = products / np.append(1.0, products[:-1])
    return NoiseSchedule.rounded(alphas, products, signals, 1 - signals, trailing=True)


def noised(schedule: NoiseSchedule, samples: TensorLike, noise: TensorLike, time: TensorLike) -> Any:
    """Return samples with the noise of their steps, draws of q(x_t | x_0).

    Args:
        schedule: The schedule.
        samples: (batch, ...) float32.
        noise: Of the same shape, normal with deviation 1.
        time: (batch,) or one whole number, from 0 to T - 1; -1 gives the samples as they are.

    Returns:
        (batch, ...) float32.

    Example:
        >>> schedule = linear_noise(1000)
        >>> noised(schedule, ops.ones((2, 1)), ops.zeros((2, 1)), np.array([0, 999]))[:, 0].numpy().round(3)
        array([1.   , 0.006], dtype=float32)
    """
    signal, deviation = _levels(schedule, time, samples)
    return signal * samples + deviation * noise


def diffusion_target(
    schedule: NoiseSchedule, samples: TensorLike, noise: TensorLike, time: TensorLike, target: DiffusionTarget
) -> Any:
    """Return what a network is to predict for `noised(schedule, samples, noise, time)`.

    Args:
        schedule: The schedule.
        samples: (batch, ...) float32.
        noise: Of the same shape.
        time: (batch,) or one whole number, from 0 to T - 1.
        target: "epsilon", the noise (Ho, Jain and Abbeel 2020); "x0", the samples; "v", the noise's share
            of the samples taken from the samples' share of the noise (Salimans and Ho 2022, "Progressive
            distillation for fast sampling of diffusion models", section 4); or "flow", the samples taken from
            the noise, the direction of `flow_noise`.

    Returns:
        (batch, ...) float32.

    Raises:
        InputError: The target is another one.

    Example:
        >>> diffusion_target(linear_noise(), ops.ones((1, 2)), ops.zeros((1, 2)), 999, "v").numpy().round(2)
        array([[-1., -1.]], dtype=float32)
    """
    check_target(target)
    if target == "epsilon":
        return noise
    if target == "x0":
        return samples
    if target == "flow":
        return ops.subtract(noise, samples)
    signal, deviation = _levels(schedule, time, samples)
    return signal * noise - deviation * samples


def clean_and_noise(
    schedule: NoiseSchedule, noisy: TensorLike, answer: TensorLike, time: TensorLike, target: DiffusionTarget
) -> tuple[Any, Any]:
    """Return the samples and the noise that a network's prediction stands for; `noised` of them is `noisy`.

    Args:
        schedule: The schedule.
        noisy: (batch, ...) float32, what the network has seen.
        answer: Of the same shape, what it has predicted.
        time: (batch,) or one whole number, from 0 to T - 1.
        target: What it predicts, as in `diffusion_target`, which makes of the two any other target. Of
            `flow_noise`, which has no image left at its last step, "flow" or "x0".

    Returns:
        Two of (batch, ...) float32. The samples are not limited to [-1, 1].

    Raises:
        InputError: The target is another one.

    Example:
        >>> clean, noise = clean_and_noise(linear_noise(), ops.ones((1, 2)), ops.ones((1, 2)), 999, "v")
        >>> clean.numpy().round(2)[0], noise.numpy().round(2)[0]
        (array([-0.99, -0.99], dtype=float32), array([1.01, 1.01], dtype=float32))
    """
    check_target(target, schedule)
    signal, deviation = _levels(schedule, time, noisy)
    if target == "epsilon":
        return (noisy - deviation * answer) / signal, answer
    if target == "x0":
        return answer, (noisy - signal * answer) / deviation
    if target == "flow":  # both shares together are above 0 at every step of every schedule
        both = signal + deviation
        return (noisy - deviation * answer) / both, (noisy + signal * answer) / both
    return signal * noisy - deviation * answer, deviation * noisy + signal * answer


def ddpm_step(
    schedule: NoiseSchedule,
    clean: TensorLike,
    noise: TensorLike,
    time: TensorLike,
    earlier: TensorLike,
    draw: TensorLike,
) -> Any:
    """Return samples of an earlier step with some of their noise drawn anew.

    A draw of q(x_earlier | x_time, x_0) (Ho, Jain and Abbeel 2020, equations 6 and 7). Written by the noise
    that x_time holds, its mean is signal · x_0 + deviation · r · noise and its deviation is
    deviation · √(1 - r²), where signal and deviation are those of the earlier step and r² is the
    signal-to-noise ratio at `time` over that at `earlier`; no small differences are taken.

    Args:
        schedule: The schedule.
        clean: (batch, ...) float32, the samples as a network sees them at `time`.
        noise: Of the same shape, the noise that it sees.
        time: (batch,) or one whole number, from 0 to T - 1.
        earlier: Likewise, below `time`, from -1; steps may be left out.
        draw: Of the same shape, new noise, normal with deviation 1.

    Returns:
        (batch, ...) float32; `clean` where `earlier` is -1.

    Example:
        >>> one = ops.ones((1, 2))
        >>> ddpm_step(linear_noise(), one, one, 999, -1, one).numpy()
        array([[1., 1.]], dtype=float32)
    """
    signal, deviation = _levels(schedule, time, clean)
    signal_then, deviation_then = _levels(schedule, earlier, clean)
    kept = signal * deviation_then / (signal_then * deviation)  # r
    anew = ops.sqrt(ops.maximum(1 - ops.square(kept), 0))
    return signal_then * clean + deviation_then * (kept * noise + anew * draw)


def ddim_step(schedule: NoiseSchedule, clean: TensorLike, noise: TensorLike, earlier: TensorLike) -> Any:
    """Return samples of an earlier step with all of their noise kept, so that nothing is drawn.

    Song, Meng and Ermon 2021, "Denoising diffusion implicit models", equation 12 without its random part. It
    bears fewer steps than `ddpm_step`.

    Args:
        schedule: The schedule.
        clean: (batch, ...) float32, the samples as a network sees them.
        noise: Of the same shape, the noise that it sees.
        earlier: (batch,) or one whole number, from -1 to T - 1; steps may be left out.

    Returns:
        (batch, ...) float32; `clean` where `earlier` is -1.

    Example:
        >>> ddim_step(linear_noise(), ops.ones((1, 2)), ops.zeros((1, 2)), 0).numpy().round(3)
        array([[1., 1.]], dtype=float32)
    """
    return noised(schedule, clean, noise, earlier)


def check_target(target: str, schedule: NoiseSchedule | None = None) -> None:
    """Raise an InputError if it is no known target, or none from which a schedule's image can be found."""
    known = get_args(DiffusionTarget)
    if schedule is not None and not schedule.signals[-1]:
        known = ("x0", "flow")  # the last step has nothing of the image left, by which it could be found
    if target not in known:
        received = f"{target!r} for a schedule of flow_noise" if len(known) == 2 else repr(target)
        raise InputError(f"target must be one of {', '.join(map(repr, known))}; received {received}.")


def _levels(schedule: NoiseSchedule, time: Tensor, like: Tensor) -> tuple[Any, Any]:
    """Return the schedule's levels, of a shape that multiplies each sample by its own."""
    shape = (-1, *(1 for _ in like.shape[1:]))
    signal, deviation = schedule.levels(time)
    return ops.reshape(signal, shape), ops.reshape(deviation, shape)
