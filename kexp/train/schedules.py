"""Courses of the learning rate, as Keras schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def _constant(fraction: Any) -> Any:
    return ops.ones_like(fraction)


def _cosine(fraction: Any) -> Any:
    return 0.5 * (1.0 + ops.cos(math.pi * fraction))


def _linear(fraction: Any) -> Any:
    return 1.0 - fraction


def _one_cycle(fraction: Any) -> Any:
    # Smith and Topin 2018: up for three tenths of the run from 1/25 of the peak, then down to nearly 0.
    rising = 0.04 + 0.96 * (1.0 - _cosine(fraction / 0.3))
    falling = _cosine((fraction - 0.3) / 0.7)
    return ops.where(fraction < 0.3, rising, falling)


COURSES: dict[str, Callable[[Any], Any]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "one_cycle": _one_cycle,
}


@keras.saving.register_keras_serializable(package="kexp")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A course of the learning rate over a run of known length, after a linear warm-up.

    With `w` warm-up steps of `n` in all, step `s` has `peak * (s + 1) / w` while `s < w`, then
    `peak * course((s - w) / (n - w))`.

    Args:
        course: "constant", "cosine" (Loshchilov and Hutter 2017, one period), "linear" or
            "one_cycle" (Smith and Topin 2018).
        peak: Highest learning rate, reached after the warm-up.
        steps: Steps of the whole run.
        warmup_steps: Steps of linear rise, default 0.

    Example:
        >>> schedule = Schedule("cosine", peak=0.1, steps=100, warmup_steps=10)
        >>> [round(float(schedule(step)), 4) for step in (0, 9, 10, 55, 100)]
        [0.01, 0.1, 0.1, 0.05, 0.0]
    """

    def __init__(self, course: str, peak: float, steps: int, warmup_steps: int = 0) -> None:
        self.course = course
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        left = max(1, self.steps - self.warmup_steps)
        fraction = ops.clip((step - self.warmup_steps) / left, 0.0, 1.0)
        after = self.peak * COURSES[self.course](fraction)
        if not self.warmup_steps:
            return after
        return ops.where(step < self.warmup_steps, self.peak * (step + 1.0) / self.warmup_steps, after)

    def get_config(self) -> dict[str, Any]:
        return {
            "course": self.course,
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        }
