"""Learning rates over a run: a course of `kexp.train.courses` on a Keras schedule, drawn and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.train.courses import (
    Course,
    constant,
    cosine,
    cosine_restarts,
    described,
    exponential,
    joined,
    linear,
    momentum_course,
    named,
    one_cycle,
    plateau,
    polynomial,
    restored,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Course",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "exponential",
    "joined",
    "linear",
    "momentum_course",
    "one_cycle",
    "plateau",
    "plot",
    "polynomial",
    "scale_learning_rate",
]


@keras.saving.register_keras_serializable(package="kexp")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A course of the learning rate over a run of known length, after a linear warm-up.

    With `w` warm-up steps of `n` in all, step `s` has `peak * (s + 1) / w` while `s < w`, then
    `peak * course((s - w) / (n - w))`; all of it times `scale`, a variable that is 1 until
    `scale_learning_rate` changes it.

    Args:
        course: A name ("constant", "cosine", "cosine_restarts", "exponential", "linear", "one_cycle",
            "plateau", "polynomial"), or a function from the fraction of the run, such as
            `polynomial(power=3)`. A model is saved only with a function of this module.
        peak: Highest learning rate, reached after the warm-up.
        steps: Steps of the whole run, 1 or more.
        warmup_steps: Steps of linear rise, default 0.

    Raises:
        InputError: A name is unknown, or a number of steps does not fit.

    Example:
        >>> schedule = Schedule("cosine", peak=0.1, steps=100, warmup_steps=10)
        >>> [round(float(schedule(step)), 4) for step in (0, 9, 10, 55, 100)]
        [0.01, 0.1, 0.1, 0.05, 0.0]
    """

    def __init__(self, course: str | Course, peak: float, steps: int, warmup_steps: int = 0) -> None:
        self.course = course
        self.peak = peak
        self.steps = check_value("steps", steps, Annotated[int, AtLeast(1)])
        self.warmup_steps = check_value("warmup_steps", warmup_steps, Annotated[int, AtLeast(0)])
        self.scale = keras.Variable(
            1.0, trainable=False, dtype="float32", aggregation="only_first_replica", name="scale"
        )
        self._factor = named(course) if isinstance(course, str) else course

    @property
    def variables(self) -> list[keras.Variable]:
        """What has to be saved, beside the configuration, to go on with the same learning rate."""
        return [self.scale]

    def fraction(self, step: Any) -> Any:
        """Return how much of the run after the warm-up is over at `step`, from 0 to 1."""
        left = max(1, self.steps - self.warmup_steps)
        return ops.clip((ops.cast(step, "float32") - self.warmup_steps) / left, 0.0, 1.0)

    def __call__(self, step: Any) -> Any:
        rate = self.peak * self._factor(self.fraction(step))
        if self.warmup_steps:
            step = ops.cast(step, "float32")
            rising = self.peak * (step + 1.0) / self.warmup_steps
            rate = ops.where(step < self.warmup_steps, rising, rate)
        return ops.multiply(rate, self.scale)

    def get_config(self) -> dict[str, Any]:
        course = self.course if isinstance(self.course, str) else described(self.course)
        return {
            "course": course,
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Schedule:
        return cls(**{**config, "course": restored(config["course"])})


def scale_learning_rate(optimizer: keras.optimizers.Optimizer, factor: float) -> None:
    """Multiply the learning rate of an optimizer, now and for the rest of its schedule.

    Args:
        optimizer: Has a `Schedule` or a plain number as its learning rate; may be inside a loss-scaling
            optimizer.
        factor: What the learning rate is multiplied by.

    Raises:
        InputError: The learning rate is some other schedule or function.

    Example:
        >>> optimizer = keras.optimizers.SGD(0.5)
        >>> scale_learning_rate(optimizer, 0.25)
        >>> float(optimizer.learning_rate)
        0.125
    """
    rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
    variable = rate.scale if isinstance(rate, Schedule) else rate
    if not isinstance(variable, keras.Variable):
        raise InputError(
            "optimizer must have a number or a kexp.schedules.Schedule as its learning rate for it to be "
            f"scaled; received {type(rate).__name__}, so write that course as a Schedule."
        )
    variable.assign(ops.multiply(variable, factor))


def plot(schedules: Schedule | Mapping[str, Schedule], steps: int) -> Figure:
    """Return a figure of the learning rate at every step.

    Args:
        schedules: One, or several by the names that the legend shows.
        steps: How many steps to draw, 1 or more.

    Raises:
        InputError: `steps` does not fit.

    Example:
        >>> figure = plot(Schedule("one_cycle", peak=0.1, steps=100), steps=100)
        >>> figure.axes[0].get_ylabel()
        'learning rate (per step)'
    """
    from matplotlib.figure import Figure

    numbers = np.arange(check_value("steps", steps, Annotated[int, AtLeast(1)]))
    named = schedules if isinstance(schedules, Mapping) else {"": schedules}
    figure = Figure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, schedule in named.items():
        axes.plot(numbers, ops.convert_to_numpy(schedule(numbers)), label=name)
    axes.set(title="learning rate", xlabel="step (optimizer steps)", ylabel="learning rate (per step)")
    axes.grid(alpha=0.3)
    if len(named) > 1:
        axes.legend()
    return figure
