"""The phases of a run, as its model, options and objective allow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras

from kexp.core.errors import InputError, shown
from kexp.core.keras_private import all_layers, own_variables
from kexp.core.options import TrainOptions, check_rise
from kexp.core.trainer_private import overrides
from kexp.run.fit_plan import EpochOptions, FitPlan
from kexp.train.objectives import Objective
from kexp.train.phases import Phase, TrainedLayers, phase_options


def with_epochs(plan: FitPlan, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return training options whose epochs are those of the phases of a plan, if it has any.

    Raises:
        InputError: The options say another number of epochs.
    """
    if not plan.phases:
        return dict(options)
    epochs = sum(phase.epochs for phase in plan.phases)
    if options.get("epochs", epochs) != epochs:
        raise InputError(
            f"epochs must be left out beside phases, or be the sum of theirs, {epochs}; received "
            f"{shown(options['epochs'])}."
        )
    return {**options, "epochs": epochs}


def check_phases(plan: FitPlan, objective: Objective, options: TrainOptions, epochs: EpochOptions) -> None:
    """Refuse what phases cannot go with.

    Raises:
        InputError: There is something of that kind.
    """
    trouble = None
    if len(objective.players(plan.model)) > 1:
        trouble = "an objective whose players each have a network"
    elif overrides(plan.model, "train_step"):
        trouble = f"model {plan.model.name}, whose own train_step trains what it will"
    elif options["swa"] is not None:
        trouble = "swa, which would average the weights of several phases"
    elif epochs.first:
        trouble = "initial_epoch, since each phase begins with its first"
    elif plan.learning_rate is not None:
        trouble = "a Keras schedule as learning_rate, which is one for all; give each phase its own rate"
    if trouble is not None:
        raise InputError(f"phases must be left out beside {trouble}.")
    for phase in plan.phases:
        if phase.schedule is not None or phase.warmup is not None:
            check_rise(phase_options(phase, options))


def within_epochs(phases: Sequence[Phase], options: TrainOptions) -> tuple[Phase, ...]:
    """Return phases that have as many epochs together as the options say, which may be fewer.

    Example:
        >>> from kexp.core.options import complete
        >>> phases = [Phase(epochs=2), Phase(epochs=5)]
        >>> [phase.epochs for phase in within_epochs(phases, complete({"epochs": 4}))]
        [2, 2]
        >>> [phase.epochs for phase in within_epochs(phases, complete({"fast_dev_run": True}))]
        [1, 1]
    """
    if options["fast_dev_run"]:
        return tuple(replace(phase, epochs=1) for phase in phases)
    left, kept = options["epochs"], []
    for phase in phases:
        if left > 0:
            kept.append(replace(phase, epochs=min(left, phase.epochs)))
        left -= phase.epochs
    return tuple(kept)


def fresh_optimizer(
    optimizer: keras.optimizers.Optimizer, learning_rate: float | None
) -> keras.optimizers.Optimizer:
    """Return an optimizer like one of the caller's, with nothing learned, at another rate if there is one."""
    config = optimizer.get_config()
    if learning_rate is not None:
        inner = config.get("inner_optimizer", {}).get("config", config)
        inner["learning_rate"] = learning_rate
    return type(optimizer).from_config(config)


def phase_notes(
    phases: Sequence[Phase], trained: Sequence[TrainedLayers], options: TrainOptions
) -> list[str]:
    """Return a line for each phase, for people."""
    notes = []
    for number, (phase, choice) in enumerate(zip(phases, trained, strict=True), 1):
        rate = phase_options(phase, options)["learning_rate"]
        falling = f", falling by {phase.depth_decay:g} a layer to its input" if phase.depth_decay < 1 else ""
        notes.append(
            f"phase {number} of {len(phases)}: {len(choice.layers)} of {choice.all_layers} layers are "
            f"trained, {choice.weights:,} numbers, at a rate of {rate:g}{falling}"
        )
    return notes


@contextmanager
def flags_kept(model: keras.Model) -> Iterator[None]:
    """Have a model train at the end of this block what it trained at its beginning."""
    flags = [
        (layer, layer.trainable, [variable.trainable for variable in own_variables(layer)])
        for layer in all_layers(model)
    ]
    try:
        yield
    finally:
        for layer, trainable, _ in flags:  # the outermost first, which set those of the ones inside
            layer.trainable = trainable
        for layer, _, of_variables in flags:
            variables = own_variables(layer)
            if len(variables) == len(of_variables):  # LoRA may have been merged
                for variable, trainable in zip(variables, of_variables, strict=True):
                    variable.trainable = trainable
