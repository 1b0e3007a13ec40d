"""The choice of the monitor: by option, callback or task, and checked against the metrics that a run has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kexp.core.errors import InputError, nearest, shown
from kexp.core.options import TrainOptions
from kexp.data import Dataset
from kexp.metrics.direction import Direction, known_direction, required_direction, signed_metric
from kexp.tasks import task_named
from kexp.train.callbacks import Plateau
from kexp.train.monitor import LAST, Monitor, restoring
from kexp.train.objectives import Objective, Supervised
from kexp.train.objectives.compiled import Compiled

KEEPS_LAST = Monitor(None, "min")
Directions = Mapping[str, Direction | None]  # None: it is not known


def epoch_metrics(objective: Objective, data: Dataset) -> dict[str, Direction | None]:
    """Return the names of the metrics that every epoch has or can have, each with its direction.

    Args:
        objective: What is measured.
        data: On what.
    """
    own, found = objective.metric_directions(), {}
    validated = data.validation is not None
    for name, direction in own.items():
        if validated and objective.eval_player is not None:
            found[f"val_{name}"] = direction
        found[name] = direction
    if not validated:
        return found
    for name in getattr(getattr(objective, "quality", None), "names", ()):
        found[f"val_{name}"] = known_direction(name)
    found[objective.monitor] = "max" if objective.mode == "max" else "min"
    return {
        **found,
        **{name: way for name, way in _prefixed(_exact(objective, data)).items() if name not in found},
    }


def exact_names(objective: Objective, data: Dataset, names: Sequence[str | None]) -> tuple[str, ...]:
    """Return which of some metrics are exact ones, that an epoch has only where they are asked for.

    Args:
        objective: What is measured.
        data: On what.
        names: Of metrics, such as "val_auroc".
    """
    if data.validation is None:
        return ()
    computed, exact = _prefixed(objective.metric_directions()), _prefixed(_exact(objective, data))
    return tuple(dict.fromkeys(name for name in names if name in exact and name not in computed))


def chosen_monitor(
    objective: Objective, data: Dataset, options: TrainOptions, callbacks: Sequence[keras.callbacks.Callback]
) -> Monitor:
    """Return what the best epoch of a run is chosen by.

    Args:
        objective: Names the metric where nobody else does.
        data: What is trained and validated on.
        options: Complete training options.
        callbacks: The user's, of which an `EarlyStopping` that restores the best weights chooses itself.

    Raises:
        InputError: A run has no such metric, its direction is not known, or two contradict each other.
    """
    asked = _asked(objective, data, options)
    stopping = restoring(callbacks)
    if not stopping:
        return asked or Monitor(objective.monitor, "max" if objective.mode == "max" else "min")
    if len(stopping) > 1:
        raise InputError(
            "callbacks must have one EarlyStopping that restores the best weights; received "
            f"{len(stopping)}, so have one of them restore none."
        )
    (callback,) = stopping
    for name in ("ema", "swa"):
        if options[name] is not None:
            raise InputError(
                f"{name} validates averages of the weights, which EarlyStopping(restore_best_weights=True) "
                "would not restore; give early_stop and monitor in its place."
            )
    own = Monitor(callback.monitor, callback.mode)
    if asked is not None and (asked.name, asked.mode) != (own.name, own.mode):
        received = "the last epoch" if asked.name is None else f"the {asked.mode} of {asked.name}"
        raise InputError(
            f"monitor chooses {received}, and EarlyStopping(restore_best_weights=True) the {own.mode} of "
            f"{own.name}; leave one of them out."
        )
    return own


def _asked(objective: Objective, data: Dataset, options: TrainOptions) -> Monitor | None:
    """Return the monitor that the option names."""
    text = options["monitor"]
    if text is None:
        return None
    if text == LAST:
        if options["early_stop"]:
            raise InputError(
                "early_stop needs a metric to go by, and monitor='last' is none; give one of them."
            )
        return Monitor(None, "min", asked=True)
    name, direction = signed_metric(text)
    known = epoch_metrics(objective, data)
    if name not in known and objective.names_metrics:
        raise InputError(_unknown("monitor", name, known, data))
    direction = required_direction("monitor", name, direction or known.get(name))
    averaged = [one for one in ("ema", "swa") if options[one] is not None]
    if data.validation is None and averaged:
        raise InputError(
            f"monitor {name} is of the weights before {averaged[0]} averages them, where there is no "
            "validation data; leave one of them out, or hold validation data out."
        )
    return Monitor(name, direction, asked=True)


def settle_callbacks(
    callbacks: Sequence[keras.callbacks.Callback], objective: Objective, data: Dataset
) -> list[str]:
    """Tell callbacks that wait for a metric which way it is better, and return the metrics they wait for.

    Keras's own would ask a compiled model. A metric may also be one that another callback, before them, puts
    among those of an epoch.

    Raises:
        InputError: A run has no such metric, or its direction is not known.
    """
    known, awaited = epoch_metrics(objective, data), []
    for place, callback in enumerate(callbacks):
        metric, mode = getattr(callback, "monitor", None), getattr(callback, "mode", None)
        if not isinstance(metric, str):
            continue
        waits = _waits(callback)
        if waits:
            awaited.append(metric)
            may_come = not objective.names_metrics or any(map(_adds_metrics, callbacks[:place]))
            if metric not in known and not may_come:
                raise InputError(_unknown(f"{type(callback).__name__}: monitor", metric, known, data))
        if mode != "auto" or isinstance(callback, Plateau):
            continue
        direction = known.get(metric) or known_direction(metric)
        if direction is not None:
            callback.mode = direction
        elif waits:
            raise InputError(
                f"{type(callback).__name__}: whether more or less of {metric} is better is not known; give "
                "it mode='max' or mode='min'."
            )
    return awaited


def _waits(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback of Keras does nothing, or what it should not, without its metric."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return bool(callback.save_best_only)
    return isinstance(callback, keras.callbacks.EarlyStopping | keras.callbacks.ReduceLROnPlateau)


def _adds_metrics(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback may put metrics of its own among those of an epoch."""
    rates = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    own = not type(callback).__module__.startswith(("keras.", "kexp."))
    return own or isinstance(callback, keras.callbacks.LambdaCallback | rates[0] | rates[1])


def _unknown(what: str, name: str, known: Directions, data: Dataset) -> str:
    if data.validation is None and name.startswith("val_"):
        return f"{what} {shown(name)} is of validation data, and there is none; hold some out."
    names = [one for one in known if one != "none"]
    listed = ", ".join(names)
    return f"{what} must be a metric of an epoch, {listed}; received {shown(name)}{nearest(name, names)}."


def _exact(objective: Objective, data: Dataset) -> Directions:
    """Return the exact metrics of what outputs stand for, where they are compared with targets."""
    known = isinstance(objective, Supervised | Compiled)
    return task_named(data.spec.task).exact_names(data.spec) if known else {}


def _prefixed(directions: Mapping[str, Any]) -> dict[str, Any]:
    return {f"val_{name}": direction for name, direction in directions.items()}
