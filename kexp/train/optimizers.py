"""Keras optimizers from the training options, and the three that Keras lacks.

The table at the end has a row for each name that the option `optimizer` takes; `tools/stubs.py` writes these
names to where type checkers and the command line read them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers
from kexp.core.options import TrainOptions
from kexp.core.types import Tensor
from kexp.train.schedules import Schedule, momentum

_MUON_IS_OLD = "rms_rate" not in inspect.signature(keras.optimizers.Muon).parameters

__all__ = ["LossScaling", "OneCycleAdam", "OneCycleSGD", "optimizer_for"]


def optimizer_for(
    options: TrainOptions,
    model: keras.Model,
    steps: int,
    learning_rate: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> keras.optimizers.Optimizer:
    """Return the optimizer that the options describe, ready for `model`; clipping is the engine's.

    Under the schedule one_cycle, momentum, nesterov, adam and adamw also cycle their momentum (the
    beta_1 of Adam), opposite to the learning rate; sgd, rmsprop, lion and muon cycle the rate alone.
    muon trains matrices by Muon, and everything else, embeddings and the output layer by its Adam part.

    Args:
        options: Complete training options.
        model: The model to train, built. Vectors (biases, the scales and offsets of normalisation) and
            embeddings are left out of the weight decay, which is for the weights of layers.
        steps: Optimizer steps of the whole run, for the schedule.
        learning_rate: A schedule in place of that of the options; default None: theirs.

    Returns:
        A Keras optimizer whose slots are built; for a model that computes in float16, inside a `LossScaling`.
    """
    optimizer = _built(options, model, learning_rate or _learning_rate(options, steps))
    spared = [
        variable
        for variable in model.trainable_variables
        if len(variable.shape) < 2 or "embedding" in variable.path
    ]
    if optimizer.weight_decay is not None and spared:
        optimizer.exclude_from_weight_decay(var_list=spared)
    # A user's own model may compute in float16 without the option.
    halves = any(layer.compute_dtype == "float16" for layer in all_layers(model))
    if halves or options["precision"] == "float16":
        optimizer = LossScaling(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer


def _learning_rate(options: TrainOptions, steps: int) -> float | Schedule:
    warmup_steps = round(options["warmup"] * steps)
    # A plain number is what Keras's own callbacks can set.
    if options["schedule"] in ("constant", "plateau") and not warmup_steps:
        return options["learning_rate"]
    return Schedule(options["schedule"], options["learning_rate"], steps, warmup_steps)


def _built(
    options: TrainOptions, model: keras.Model, learning_rate: float | Schedule
) -> keras.optimizers.Optimizer:
    row = OPTIMIZERS[options["optimizer"]]
    decay = row.weight_decay if options["weight_decay"] is None else options["weight_decay"]
    settings: dict[str, Any] = {"learning_rate": learning_rate, "weight_decay": decay, **row.settings}
    if options["ema"] is not None:
        settings.update(use_ema=True, ema_momentum=options["ema"])
    if row.takes_model:
        settings["model"] = model
    if options["schedule"] == "one_cycle" and row.one_cycle is not None:
        return row.one_cycle(**settings)
    if row.momentum is not None:
        settings[row.momentum] = options["momentum"]
    return row.build(**settings)


def _muon(model: keras.Model, **settings: Any) -> keras.optimizers.Optimizer:
    # Each path whole: Keras searches for these as patterns, and "dense" would be found in "dense_1".
    output = [f"^{re.escape(variable.path)}$" for variable in _last_layer(model).trainable_variables]
    settings = {"exclude_layers": output, "adam_lr_ratio": 1.0, "ns_steps": 5, **settings}
    if _MUON_IS_OLD:
        return MuonOfOldKeras(**settings)
    return keras.optimizers.Muon(adam_weight_decay=settings["weight_decay"], **settings)


def _last_layer(model: keras.Layer) -> keras.Layer:
    """Return the last layer that has weights, inside the last model if models are nested."""
    layers = [layer for layer in getattr(model, "layers", ()) if layer.trainable_variables]
    return _last_layer(layers[-1]) if layers else model


@keras.saving.register_keras_serializable(package="kexp")
class MuonOfOldKeras(keras.optimizers.Muon):
    """The Muon of Keras 3.12, the last for Python 3.10, made to compute what later ones do.

    It decays everything by `weight_decay` alone, which kexp has the same for both parts.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) != 2 or super()._should_use_adamw(variable)

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        # It looks variables up by path, which the TensorFlow variables that it is given do not have.
        known = self._trainable_variables[self._get_variable_index(variable)]
        super().update_step(gradient, known, learning_rate)

    def _muon_update_step(self, gradient: Tensor, variable: keras.Variable, lr: Tensor) -> None:
        rows, columns = variable.shape
        own, later = max(1.0, rows / columns) ** 0.5, 0.2 * max(rows, columns) ** 0.5
        super()._muon_update_step(gradient, variable, lr * later / own)


@keras.saving.register_keras_serializable(package="kexp")
class OneCycleSGD(keras.optimizers.SGD):
    """SGD whose momentum goes down while the learning rate of one cycle goes up, and back.

    Args:
        learning_rate: A `kexp.schedules.Schedule`; the momentum follows `kexp.schedules.momentum` over it.
        momenta: The highest and the lowest momentum, default (0.95, 0.85).
        nesterov: Whether to look ahead (Nesterov), default False.
        **others: As for `keras.optimizers.SGD`.

    Raises:
        InputError: The learning rate is no `Schedule`, or a momentum does not fit.

    Source:
        Smith and Topin 2018, "Super-Convergence".

    Example:
        >>> optimizer = OneCycleSGD(Schedule("one_cycle", peak=0.1, steps=100))
        >>> optimizer.get_config()["momenta"]
        [0.95, 0.85]
    """

    def __init__(
        self,
        learning_rate: Schedule,
        momenta: Sequence[float] = (0.95, 0.85),
        nesterov: bool = False,
        **others: Any,
    ) -> None:
        momentum_at = _momentum_of(learning_rate, momenta)
        super().__init__(learning_rate, momentum=float(momenta[0]), nesterov=nesterov, **others)
        self._momentum_at, self._momenta = momentum_at, [float(one) for one in momenta]
        self.momentum_now = self.momentum

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        # Once for all variables: it would cost as much as the update of a small one.
        self.momentum_now = self._momentum_at(self.iterations)
        try:
            super().apply(grads, trainable_variables)
        finally:
            self.momentum_now = self.momentum

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        # Keras's own asks `if momentum != 0` in Python, which a tensor cannot answer in a graph.
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum = ops.cast(self.momentum_now, variable.dtype)
        change = ops.multiply(ops.cast(gradient, variable.dtype), ops.cast(learning_rate, variable.dtype))
        self.assign(velocity, ops.subtract(ops.multiply(velocity, momentum), change))
        ahead = ops.subtract(ops.multiply(velocity, momentum), change) if self.nesterov else velocity
        self.assign_add(variable, ahead)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["momentum"]
        return {**config, "momenta": self._momenta}


@keras.saving.register_keras_serializable(package="kexp")
class OneCycleAdam(keras.optimizers.Adam):
    """Adam whose beta_1 goes down while the learning rate of one cycle goes up, and back.

    The correction of the bias at step `t` is `1 - beta_1^t` with the beta_1 of that step, as PyTorch's
    OneCycleLR has it. With `weight_decay` it is AdamW.

    Args:
        learning_rate: A `kexp.schedules.Schedule`; beta_1 follows `kexp.schedules.momentum` over it.
        momenta: The highest and the lowest beta_1, default (0.95, 0.85).
        **others: As for `keras.optimizers.Adam`, without beta_1.

    Raises:
        InputError: The learning rate is no `Schedule`, or a momentum does not fit.

    Source:
        Smith and Topin 2018, "Super-Convergence"; Kingma and Ba 2015, "Adam".

    Example:
        >>> optimizer = OneCycleAdam(Schedule("one_cycle", peak=0.1, steps=100))
        >>> optimizer.get_config()["momenta"]
        [0.95, 0.85]
    """

    def __init__(
        self, learning_rate: Schedule, momenta: Sequence[float] = (0.95, 0.85), **others: Any
    ) -> None:
        momentum_at = _momentum_of(learning_rate, momenta)
        super().__init__(learning_rate, beta_1=float(momenta[0]), **others)
        self._momentum_at, self._momenta = momentum_at, [float(one) for one in momenta]

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        # Keras's Adam takes beta_1 from here, in ops that are content with a tensor.
        self.beta_1 = self._momentum_at(self.iterations)
        try:
            super().apply(grads, trainable_variables)
        finally:
            self.beta_1 = self._momenta[0]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta_1"]
        return {**config, "momenta": self._momenta}


def _momentum_of(learning_rate: object, momenta: Sequence[float]) -> Callable[[Tensor], Tensor]:
    """Return the momentum as a function of the step."""
    if not isinstance(learning_rate, Schedule):
        raise InputError(
            "learning_rate must be a kexp.schedules.Schedule, which says how long the cycle of the momentum "
            f"is; received {learning_rate!r}, so use keras.optimizers for any other."
        )
    high, low = momenta
    curve = momentum(high, low)
    return lambda step: curve(learning_rate.fraction(step))


@keras.saving.register_keras_serializable(package="kexp")
class LossScaling(keras.optimizers.LossScaleOptimizer):
    """Keras's loss scaling for float16, which on several devices looks at the gradients of all of them.

    A step with a gradient that is not finite is left out and halves the scale; 2000 good steps in a row
    double it.

    Args:
        inner_optimizer: Updates the weights; clipping, decay and averaging are its own.
        **others: As for `keras.optimizers.LossScaleOptimizer`.

    Source:
        Micikevicius et al. 2018, "Mixed Precision Training".

    Example:
        >>> optimizer = LossScaling(keras.optimizers.SGD(0.1), initial_scale=8.0)
        >>> float(optimizer.scale_loss(0.5))
        4.0
    """

    def check_finite(self, grads: Sequence[Tensor]) -> Tensor:
        """Return whether the gradients of every replica are finite."""
        from tensorflow import distribute

        finite = super().check_finite(grads)
        replica = distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return finite
        # Keras takes the answer of the first device for that of all.
        agreeing = replica.all_reduce("SUM", ops.cast(finite, "int32"))
        return ops.equal(agreeing, replica.num_replicas_in_sync)


@dataclass(frozen=True)
class OptimizerRow:
    """How an optimizer is built from the training options.

    Attributes:
        build: A class of Keras, or a function, of learning_rate, weight_decay and the settings.
        momentum: Its argument that takes the option `momentum`; None where it has none.
        one_cycle: Class in its place under the schedule one_cycle, which sets that momentum itself.
        weight_decay: Decay where the option is None.
        settings: Further arguments.
        takes_model: Whether `build` also takes the model.
    """

    build: Callable[..., keras.optimizers.Optimizer]
    momentum: str | None = None
    one_cycle: Callable[..., keras.optimizers.Optimizer] | None = None
    weight_decay: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    takes_model: bool = False


OPTIMIZERS = {
    "sgd": OptimizerRow(keras.optimizers.SGD),
    "momentum": OptimizerRow(keras.optimizers.SGD, "momentum", OneCycleSGD, settings={"nesterov": False}),
    "nesterov": OptimizerRow(keras.optimizers.SGD, "momentum", OneCycleSGD, settings={"nesterov": True}),
    "rmsprop": OptimizerRow(keras.optimizers.RMSprop),
    "adam": OptimizerRow(keras.optimizers.Adam, "beta_1", OneCycleAdam),
    "adamw": OptimizerRow(keras.optimizers.AdamW, "beta_1", OneCycleAdam, weight_decay=0.004),
    # RealMLP's: the size of the gradient is remembered for about 20 steps rather than 1000.
    "adamw95": OptimizerRow(
        keras.optimizers.AdamW, "beta_1", OneCycleAdam, weight_decay=0.004, settings={"beta_2": 0.95}
    ),
    "lion": OptimizerRow(keras.optimizers.Lion, "beta_1"),
    "muon": OptimizerRow(_muon, weight_decay=0.004, takes_model=True),
    "adadelta": OptimizerRow(keras.optimizers.Adadelta),
    "adafactor": OptimizerRow(keras.optimizers.Adafactor),
    "adagrad": OptimizerRow(keras.optimizers.Adagrad),
    "adamax": OptimizerRow(keras.optimizers.Adamax, "beta_1"),
    "ftrl": OptimizerRow(keras.optimizers.Ftrl),
    "lamb": OptimizerRow(keras.optimizers.Lamb, "beta_1"),
    "nadam": OptimizerRow(keras.optimizers.Nadam, "beta_1"),
}
