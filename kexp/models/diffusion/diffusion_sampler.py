"""Sampling from a diffusion model: noise at first, and a little less with each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import untracked
from kexp.core.types import Tensor
from kexp.models.diffusion.noise_schedule import (
    DiffusionTarget,
    NoiseSchedule,
    clean_and_noise,
    ddim_step,
    ddpm_step,
)
from kexp.models.image_generator import FIRST_DRAW, normal

__all__ = ["sample_diffusion"]

SamplingKind = Literal["ddpm", "ddim"]


def sample_diffusion(
    model: keras.Model,
    schedule: NoiseSchedule,
    n: int,
    *,
    sampler: SamplingKind = "ddpm",
    steps: int | None = None,
    labels: Sequence[int] | np.ndarray | None = None,
    guidance: float = 0.0,
    target: DiffusionTarget = "epsilon",
    seed: int = 0,
) -> np.ndarray:
    """Draw images from a diffusion model.

    The first call for a schedule and a way of sampling compiles a loop, which the model keeps: later ones, of
    any number of samples, are fast and see the weights as they are then. At each step the image that the
    model sees is limited to [-1, 1], and its noise is what is left.

    Args:
        model: From `diffusion_unet`, or another one with its inputs and output.
        schedule: That it was trained with.
        n: Number of samples, 1 or more.
        sampler: "ddpm" (default), which draws noise at each step (Ho, Jain and Abbeel 2020), or "ddim", which
            draws it at the first alone and bears fewer steps (Song, Meng and Ermon 2021); of `flow_noise`
            it is Euler's method.
        steps: How many of the schedule's steps are taken, evenly spaced, from 1; None (default) for all.
        labels: (n,) class of each sample, of a model with classes; None (default) for no class.
        guidance: How far a prediction for a class is moved further away from the one for no class, default 0,
            0 or more: w of Ho and Salimans 2022, "Classifier-free diffusion guidance", equation 6. With 0 the
            model is called once a step, else for both together.
        target: What the model predicts, default "epsilon"; see `diffusion_target`.
        seed: Of the draws, default 0. The same seed gives the same samples on the same device.

    Returns:
        (n, height, width, channels) float32 in [-1, 1].

    Raises:
        InputError: The model is another one, labels and classes do not fit, or an argument is out of range.

    Example:
        >>> import kexp
        >>> model = kexp.models.diffusion_unet((4, 4, 1), classes=2, filters=(4,))
        >>> schedule = kexp.models.cosine_noise(100)
        >>> options = {"sampler": "ddim", "steps": 3, "labels": [0, 0, 1], "guidance": 2.0}
        >>> sample_diffusion(model, schedule, 3, **options).shape
        (3, 4, 4, 1)
    """
    check_value("n", n, Annotated[int, AtLeast(1)])
    check_value("sampler", sampler, SamplingKind)
    check_value("steps", steps, Annotated[int, Between(1, schedule.steps)] | None)
    check_value("guidance", guidance, Annotated[float, AtLeast(0)])
    check_value("target", target, DiffusionTarget)
    numbers = _checked(model, labels, n, guidance)
    kept = untracked(model, "sample_diffusion")
    kind = (sampler, steps or schedule.steps, guidance > 0, target)
    key = (*kind, schedule.signals.tobytes(), schedule.noises.tobytes())
    if key not in kept:
        kept[key] = _compiled(model, schedule, *kind)
    return kept[key](numbers, np.float32(guidance), np.int64(seed))


def _checked(model: keras.Model, labels: Tensor, n: int, guidance: float) -> np.ndarray:
    """Return (n,) int32 labels, those for no class where none are given."""
    shape = getattr(model, "output_shape", None)
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) not in (2, 3) or not isinstance(shape, tuple) or tuple(inputs[0].shape[1:]) != shape[1:]:
        raise InputError(
            "model must take [noisy, time] or [noisy, time, label] and answer with the shape of noisy, as "
            f"those of kexp.models.diffusion_unet do; received {model.name!r}."
        )
    if labels is None and guidance:
        raise InputError(f"labels must be given where there is guidance; received None and {guidance}.")
    if len(inputs) == 2:
        if labels is not None:
            raise InputError("labels must be None for a model that was built without classes; received some.")
        return np.zeros(n, "int32")
    none = _classes(model)
    numbers = np.full(n, none) if labels is None else np.asarray(labels)
    if numbers.shape != (n,) or not np.issubdtype(numbers.dtype, np.integer):
        raise InputError(
            f"labels must be {n} whole numbers, one for each sample; received {numbers.dtype} of shape "
            f"{numbers.shape}."
        )
    if numbers.min() < 0 or numbers.max() > none:
        raise InputError(
            f"labels must be from 0 to {none - 1}, or {none} for none; received {numbers.min()} to "
            f"{numbers.max()}."
        )
    return numbers.astype("int32")


def _classes(model: keras.Model) -> int:
    """Return the number of classes, which is the label for none of them."""
    found = [layer for layer in model.layers if layer.name == "classes"]
    if not found or not isinstance(found[0], keras.layers.Embedding):
        raise InputError(
            "model must embed its labels in a keras.layers.Embedding named 'classes', with one more for "
            f"none; received {model.name!r}."
        )
    return found[0].input_dim - 1


def _compiled(
    model: keras.Model,
    schedule: NoiseSchedule,
    sampler: SamplingKind,
    steps: int,
    guided: bool,
    target: DiffusionTarget,
) -> Callable[..., np.ndarray]:
    # keras.ops cannot compile a function.
    import tensorflow as tf

    def draw(labels: Tensor, guidance: Tensor, seed: Tensor) -> Any:
        weight = guidance if guided else None
        options: dict[str, Any] = {"sampler": sampler, "steps": steps, "guidance": weight, "target": target}
        return denoised(model, schedule, labels, seed, **options)

    # Without XLA, which on two CPU cores takes seven times as long to compile, and for a step no less: it is
    # a few large convolutions.
    kinds = [((None,), "int32"), ((), "float32"), ((), "int64")]
    with stable_graph_names():
        compiled = tf.function(draw, autograph=False).get_concrete_function(
            *(tf.TensorSpec(*kind) for kind in kinds)
        )

    def run(*arguments: Any) -> np.ndarray:
        return compiled(*(tf.constant(argument) for argument in arguments)).numpy()

    return run


def denoised(
    model: keras.Model,
    schedule: NoiseSchedule,
    labels: Tensor,
    seed: Tensor,
    *,
    sampler: SamplingKind,
    steps: int,
    guidance: Any | None,
    target: DiffusionTarget,
) -> Any:
    """Return (n, height, width, channels) float32 images of (n,) int32 labels, in one loop of a graph.

    Args:
        model: As for `sample_diffusion`.
        schedule: That it was trained with.
        labels: (n,) int32; of a model without classes only their number counts.
        seed: Of the draws, int64.
        sampler: "ddpm" or "ddim".
        steps: How many of the schedule's steps are taken.
        guidance: Weight of the guidance, or None, so that the model is called once a step.
        target: What the model predicts.
    """
    shape = (ops.shape(labels)[0], *model.output_shape[1:])
    times = sampling_times(schedule.steps, steps, schedule.trailing)  # (steps + 1,), falling

    def body(number: Tensor, x: Tensor) -> Any:
        time, earlier = (ops.take(times, number + next) for next in (0, 1))
        answer = _answer(model, x, time, labels, guidance)
        clean, noise = seen(schedule, x, answer, time, target)
        if sampler == "ddim":
            return number + 1, ddim_step(schedule, clean, noise, earlier)
        draw = normal(shape, seed, FIRST_DRAW + number + 1)
        return number + 1, ddpm_step(schedule, clean, noise, time, earlier, draw)

    state = (ops.convert_to_tensor(0), normal(shape, seed, FIRST_DRAW))
    return ops.while_loop(lambda *_: True, body, state, maximum_iterations=steps)[1]


def sampling_times(total: int, steps: int, trailing: bool = False) -> np.ndarray:
    """Return (steps + 1,) int32: evenly spaced steps of a schedule from the last to the first, then -1.

    With `trailing` they are evenly spaced from the last to -1.

    Example:
        >>> sampling_times(1000, 4).tolist(), sampling_times(1000, 1).tolist()
        ([999, 666, 333, 0, -1], [999, -1])
        >>> sampling_times(1000, 4, trailing=True).tolist()
        [999, 749, 499, 249, -1]
    """
    if trailing:
        return np.linspace(total - 1, -1, steps + 1).round().astype("int32")
    return np.append(np.linspace(total - 1, 0, steps).round(), -1).astype("int32")


def seen(
    schedule: NoiseSchedule, noisy: Tensor, answer: Tensor, time: Tensor, target: DiffusionTarget
) -> tuple[Any, Any]:
    """Return the image that an answer stands for, limited to [-1, 1], and the noise that goes with it."""
    clean = ops.clip(clean_and_noise(schedule, noisy, answer, time, target)[0], -1.0, 1.0)
    return clean_and_noise(schedule, noisy, clean, time, "x0")


def _answer(model: keras.Model, x: Tensor, time: Tensor, labels: Tensor, guidance: Tensor) -> Any:
    """Return (n, height, width, channels) float32, with guidance that of Ho and Salimans 2022, equation 6."""
    times = ops.full((ops.shape(x)[0],), ops.cast(time, "float32"))
    if len(model.inputs) == 2:
        return ops.cast(model([x, times], training=False), "float32")
    if guidance is None:
        return ops.cast(model([x, times, labels], training=False), "float32")
    both = ops.concatenate([labels, ops.full_like(labels, _classes(model))])
    answers = model([ops.tile(x, (2, 1, 1, 1)), ops.tile(times, (2,)), both], training=False)
    of_class, of_none = ops.split(ops.cast(answers, "float32"), 2)
    return of_class + guidance * (of_class - of_none)
