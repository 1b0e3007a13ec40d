"""The end of a training: whether it stopped on a plateau, or its validation figure still got better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kexp.core.options import ANNEALED, TrainOptions
from kexp.data import Dataset
from kexp.train.monitor import Monitor
from kexp.train.position import Position

_LEAST_PATIENCE = 5  # epochs
_WINDOW = 0.1  # of the epochs, at the end
_SHARE = 0.02  # of all that the figure has gained, gained in the window: still getting better
_FEWEST = 3  # epochs that say how it goes on


def with_plateau(
    options: TrainOptions, data: Dataset, monitor: Monitor
) -> tuple[TrainOptions, tuple[str, ...]]:
    """Return options that stop a budget on a plateau, and what to say of it; or the same options.

    A budget is the epochs that `least_steps` makes. It stops once a fifth of them, 5 at least, bring no
    better validation figure. Where the rate ends near 0, what looks like a plateau may be the high rate, so
    that such a training goes to its end.

    Args:
        options: Complete training options, with the epochs of the budget.
        data: What is validated on.
        monitor: What epochs are compared by.

    Example:
        >>> import kexp
        >>> from kexp.core.options import complete
        >>> data, loss = kexp.data.load("iris"), Monitor("val_loss", "min")
        >>> options, (note,) = with_plateau(complete({"epochs": 100}), data, loss)
        >>> options["early_stop"], note
        (20, 'training ends once 20 of these epochs in a row bring no better val_loss.')
    """
    decided = options["early_stop"] or options["schedule"] in ANNEALED
    if decided or monitor.name is None or data.validation is None:
        return options, ()
    patience = max(_LEAST_PATIENCE, -(-options["epochs"] // 5))
    if patience >= options["epochs"]:
        return options, ()
    note = f"training ends once {patience} of these epochs in a row bring no better {monitor.name}."
    return {**options, "early_stop": patience}, (note,)


def end_of_training(
    history: Sequence[Mapping[str, float]], monitor: Monitor, options: TrainOptions, position: Position
) -> str:
    """Return how a training ended, in a sentence; empty: there is nothing to say, or it has phases.

    Args:
        history: The metrics of each epoch.
        monitor: What epochs were compared by; where it is none, the validation loss tells.
        options: Complete training options.
        position: At the end.
    """
    patience = options["early_stop"]
    if patience and position.waited_epochs >= patience and len(history) < options["epochs"]:
        return (
            f"training stopped after {len(history)} of {options['epochs']} epochs: {patience} in a row "
            f"brought no better {monitor.name}."
        )
    if options["fast_dev_run"] or options["overfit_batches"] or position.phases:
        return ""
    judged = monitor if monitor.name is not None else replace(monitor, name="val_loss", mode="min")
    assert judged.name is not None
    values = [epoch[judged.name] for epoch in history if judged.name in epoch]
    if not still_better(values, judged.mode):
        return ""
    moves = "falling" if judged.mode == "min" else "rising"
    return f"{judged.name} was still {moves} at the end: more epochs may help."


def still_better(values: Sequence[float], mode: str) -> bool:
    """Return whether a figure of each epoch was still getting better at the end.

    It was if the best of all is among the last tenth of the epochs, and this tenth is in the mean better than
    the one before it by more than a fiftieth of all that the figure has gained.

    Args:
        values: Of each epoch, in order.
        mode: Whether the best is the "max" or the "min".

    Example:
        >>> still_better([3.0, 2.0, 1.5, 1.2], "min"), still_better([3.0, 1.2, 1.3, 1.25], "min")
        (True, False)
    """
    gains = np.asarray(values, np.float64) * (1.0 if mode == "max" else -1.0)
    if len(gains) < _FEWEST or not np.isfinite(gains).all():
        return False
    window = max(1, int(_WINDOW * len(gains)))
    last, before = gains[-window:], gains[-2 * window : -window]
    gained = float(gains.max() - gains[0])
    return bool(last.max() == gains.max() and last.mean() - before.mean() > _SHARE * gained > 0)
