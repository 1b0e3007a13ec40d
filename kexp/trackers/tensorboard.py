"""Scalars for TensorBoard: each metric of each epoch, and the final ones.

It is active while the environment variable KEXP_TENSORBOARD_DIR names a folder:

    KEXP_TENSORBOARD_DIR=boards kexp run cnn_images --data digits
    tensorboard --logdir boards

Each run has a folder there of the name of its run folder, so that all runs are curves beside one another.
The x-axis is the epoch, counted from 1. A metric that has a validation metric beside it is in one group with
it: `accuracy/training` and `accuracy/validation`, `loss/training` and `loss/validation`. The metrics that are
measured once, at the end, are `final/NAME`; the arguments of the recipe are a text, `arguments`. A run that
goes on from a checkpoint writes the epochs before it once more, the same numbers at the same places.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kexp.core.user_paths import output_folder

FOLDER_VARIABLE = "KEXP_TENSORBOARD_DIR"


def tracker() -> TensorBoard | None:
    """Return the tracker if KEXP_TENSORBOARD_DIR names a folder, which is made if it is not there."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return TensorBoard(output_folder(FOLDER_VARIABLE, folder)) if folder else None


class TensorBoard:
    """Writes event files.

    Args:
        folder: Where the folders of all runs are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def started(self, run_dir: Path, config: dict[str, Any], history: list[dict[str, float]]) -> None:
        import tensorflow as tf

        self._close()
        self._writer = tf.summary.create_file_writer(str(self._folder / run_dir.name))
        arguments = "\n".join(f"    {name} {value!r}" for name, value in config["arguments"].items())
        with self._writer.as_default(step=0):
            tf.summary.text("arguments", f"{config['recipe']}\n\n{arguments}")
        for number, metrics in enumerate(history):
            self.epoch(number + 1, metrics)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        self._write(number, {_place(name): value for name, value in metrics.items()})

    def finished(self, metrics: dict[str, float]) -> None:
        self._write(0, {f"final/{name}": value for name, value in metrics.items()})
        self._close()

    def failed(self, error: BaseException) -> None:
        self._close()

    def _write(self, step: int, values: dict[str, float]) -> None:
        import tensorflow as tf

        with self._writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def _place(metric: str) -> str:
    """Return the name of a scalar: the group, and which curve of it.

    Example:
        >>> _place("val_accuracy"), _place("loss")
        ('accuracy/validation', 'loss/training')
    """
    name = metric.removeprefix("val_")
    return f"{name}/{'training' if name == metric else 'validation'}"
