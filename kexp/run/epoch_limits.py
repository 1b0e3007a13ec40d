"""Limits of epochs and steps that are set in Keras for all trainings, such as to try a script out."""

from __future__ import annotations

from dataclasses import replace

import keras

from kexp.core.options import TrainOptions
from kexp.run.fit_plan import EpochOptions


def limited(
    options: TrainOptions, epochs: EpochOptions
) -> tuple[TrainOptions, EpochOptions, tuple[str, ...]]:
    """Return options and epochs within Keras's limits, and what to say where one of them counts.

    Source: https://keras.io/api/utils/config_utils/ (set_max_epochs, set_max_steps_per_epoch).

    Example:
        >>> keras.config.set_max_epochs(2)
        >>> limited({"epochs": 5}, EpochOptions())[0]["epochs"]
        2
        >>> keras.config.set_max_epochs(None)
    """
    most_epochs, most_steps = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    notes = []
    if most_epochs and most_epochs < options["epochs"]:
        notes.append(f"epochs is {options['epochs']}, and Keras is set to at most {most_epochs}.")
        options = {**options, "epochs": most_epochs}
    if most_steps and (epochs.steps is None or most_steps < epochs.steps):
        notes.append(f"Keras is set to at most {most_steps} steps of an epoch.")
        epochs = replace(epochs, steps=most_steps)
    return options, epochs, tuple(notes)
