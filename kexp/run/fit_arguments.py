"""The arguments of `kexp.fit` that are no training options, or are objects in the place of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

import keras

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError, shown
from kexp.data import Dataset
from kexp.run.fit_plan import EpochOptions, GivenData


class Objects(TypedDict, total=False):
    """Arguments that are objects in the place of a training option, which only Python can hand over."""

    optimizer: keras.optimizers.Optimizer
    learning_rate: keras.optimizers.schedules.LearningRateSchedule
    class_weight: Mapping[Any, Any]


# What an optimizer, or a schedule, says itself.
_OF_OPTIMIZER = ("learning_rate", "momentum", "weight_decay", "schedule", "warmup", "ema")
_OF_SCHEDULE = ("schedule", "warmup")


def split_options(train: Mapping[str, Any]) -> tuple[dict[str, Any], Objects]:
    """Return the training options that are plain values, and the objects that stand in place of others.

    Raises:
        InputError: An object contradicts another option.

    Example:
        >>> options, objects = split_options({"epochs": 2, "optimizer": keras.optimizers.SGD(0.1)})
        >>> options, list(objects)
        ({'epochs': 2}, ['optimizer'])
    """
    kinds: dict[str, tuple[type, tuple[str, ...]]] = {
        "optimizer": (keras.optimizers.Optimizer, _OF_OPTIMIZER),
        "learning_rate": (keras.optimizers.schedules.LearningRateSchedule, _OF_SCHEDULE),
        "class_weight": (Mapping, ()),
    }
    objects: Any = {}
    for name, (kind, contradicting) in kinds.items():
        value = train.get(name)
        if not isinstance(value, kind):
            continue
        objects[name] = value
        for other in contradicting:
            if other in train:
                raise InputError(
                    f"{other} must be left out beside the {type(value).__name__} that is given as {name}, "
                    "which says it itself."
                )
    return {name: value for name, value in train.items() if name not in objects}, objects


def check_given(given: GivenData, epochs: EpochOptions, *, twice: bool) -> None:
    """Refuse arguments that are of another type or range than they must be, before anything is read.

    Args:
        given: The data.
        epochs: What the epochs are.
        twice: Whether the data were given by two names.

    Raises:
        InputError: One is; the sentence names it.
    """
    if twice:
        raise InputError("data and x are the same argument; give one of them.")
    if given.x is None:
        raise InputError("x must be data to train on, such as arrays or a data set; received None.")
    if isinstance(given.x, Dataset):
        for name in ("y", "validation_data"):
            if getattr(given, name) is not None:
                raise InputError(f"{name} must be left out for a data set, which has its parts already.")
        if given.validation_split:
            raise InputError("validation_split must be left out for a data set, which has its parts already.")
    check_value("validation_split", given.validation_split, Annotated[float, AtLeast(0.0)])
    if given.validation_split >= 1:
        raise InputError(
            f"validation_split must be a number from 0 to below 1; received {shown(given.validation_split)}."
        )
    for name, value in (("steps_per_epoch", epochs.steps), ("validation_steps", epochs.validation_steps)):
        check_value(name, value, Annotated[int, AtLeast(1)] | None)
    check_value("initial_epoch", epochs.first, Annotated[int, AtLeast(0)])
    check_value("shuffle", epochs.shuffle, bool)
    each = (
        epochs.validation_freq if isinstance(epochs.validation_freq, Sequence) else [epochs.validation_freq]
    )
    for number in each:
        check_value("validation_freq", number, Annotated[int, AtLeast(1)])
