"""The arguments of `kexp.fit` that are no training options, or are objects in the place of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

import keras

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError, shown
from kexp.data import Dataset
from kexp.run.fit_plan import EpochOptions, FitPlan, GivenData


class Objects(TypedDict, total=False):
    """Arguments that are objects in the place of a training option, which only Python can hand over."""

    optimizer: keras.optimizers.Optimizer
    learning_rate: keras.optimizers.schedules.LearningRateSchedule
    class_weight: Mapping[Any, Any]


# What an optimizer, or a schedule, says itself.
_OF_OPTIMIZER = ("learning_rate", "momentum", "weight_decay", "schedule", "warmup", "ema")
_OF_SCHEDULE = ("schedule", "warmup")


def planned(arguments: Mapping[str, Any]) -> tuple[FitPlan, dict[str, Any]]:
    """Return the plan of a call of `kexp.fit`, and its training options.

    Args:
        arguments: All of the call, by name; the options under "train".

    Raises:
        InputError: One is of another type or range than it must be, or contradicts another.
    """
    options, objects = split_options(arguments["train"])
    epochs = EpochOptions(
        arguments["steps_per_epoch"],
        arguments["shuffle"],
        arguments["initial_epoch"],
        arguments["validation_freq"],
        arguments["validation_steps"],
    )
    x = arguments["x"] if arguments["data"] is None else arguments["data"]
    own = {name: arguments[name] for name in ("y", "sample_weight", "validation_data", "validation_split")}
    given = GivenData(x, **own)
    check_given(given, epochs, twice=arguments["x"] is not None and arguments["data"] is not None)
    empty: dict[str, Any] = {
        "final_metrics": {},
        "callbacks": (),
        "augmentation": (),
        "baselines": {},
        "phases": (),
    }
    named = ("model", "objective", "preprocessing", "target_preprocessing", "inference_model")
    plan = FitPlan(
        data=x if isinstance(x, Dataset) else None,
        given=None if isinstance(x, Dataset) else given,
        epochs=epochs,
        **{name: arguments[name] for name in (*named, "loss", "metrics", "sample_weight")},
        **{name: value if arguments[name] is None else arguments[name] for name, value in empty.items()},
        **objects,
    )
    return plan, options


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
