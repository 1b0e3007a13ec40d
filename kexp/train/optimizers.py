"""Keras optimizers from the training options."""

from __future__ import annotations

import keras

from kexp.train.options import TrainOptions
from kexp.train.schedules import Schedule


def optimizer_for(options: TrainOptions, model: keras.Model, steps: int) -> keras.optimizers.Optimizer:
    """Return the optimizer that the options describe, ready for `model`.

    Args:
        options: Complete training options.
        model: The model to train, built. Vectors (biases, the scales and offsets of normalisation) and
            embeddings are left out of the weight decay, which is for the weights of layers.
        steps: Steps of the whole run, for the schedule.

    Returns:
        A Keras optimizer whose slots are built.
    """
    optimizer = _named(options, _learning_rate(options, steps))
    spared = [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) < 2 or "embedding" in variable.path
    ]
    if optimizer.weight_decay is not None and spared:
        optimizer.exclude_from_weight_decay(var_list=spared)
    optimizer.build(model.trainable_variables)
    return optimizer


def _learning_rate(options: TrainOptions, steps: int) -> float | Schedule:
    warmup_steps = round(options["warmup"] * steps)
    if options["schedule"] == "constant" and not warmup_steps:
        return options["learning_rate"]
    return Schedule(options["schedule"], options["learning_rate"], steps, warmup_steps)


def _named(options: TrainOptions, learning_rate: float | Schedule) -> keras.optimizers.Optimizer:
    name = options["optimizer"]
    common = {"learning_rate": learning_rate, "global_clipnorm": options["clip_norm"]}
    if options["weight_decay"] is not None:
        common["weight_decay"] = options["weight_decay"]
    if name in ("momentum", "nesterov"):
        return keras.optimizers.SGD(momentum=0.9, nesterov=name == "nesterov", **common)
    classes = {
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
    }
    return classes[name](**common)
