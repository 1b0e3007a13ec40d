"""Pictures of what a model makes, while it is trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kexp.core.images import grid, save_png


class SampleGrids(keras.callbacks.Callback):
    """Draws samples after each epoch, from the same seed, and writes them as `samples/epoch-0001.png` and on.

    With weights that are averaged the samples are the average's, where there is validation data.

    Args:
        run_dir: Folder of the run; None draws nothing.
        columns: Samples of a row, default 10; with classes, a column is one of the first so many.
        rows: Default 5.
        seed: Of the draws, default 0.
    """

    def __init__(
        self, run_dir: str | os.PathLike[str] | None, *, columns: int = 10, rows: int = 5, seed: int = 0
    ) -> None:
        super().__init__()
        self.run_dir, self.columns, self.rows, self.seed = run_dir, columns, rows, seed
        self._epoch, self._drawn = 0, -1

    def get_state(self) -> dict[str, Any]:
        """Return nothing: the pictures are files, and drawing them again gives the same ones."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on; there is nothing to remember."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._draw()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._draw()

    def _draw(self) -> None:
        """Draw once an epoch: after validation, while averages are in the model, or else at its end."""
        if self.run_dir is None or self._drawn == self._epoch:
            return
        self._drawn = self._epoch
        count, classes = self.columns * self.rows, len(self.model.class_names)
        labels = (np.arange(count) % min(self.columns, classes)).tolist() if classes else None
        images = self.model.sample(count, seed=self.seed, labels=labels)
        columns = min(self.columns, classes) if classes else self.columns
        folder = Path(self.run_dir) / "samples"
        folder.mkdir(exist_ok=True)
        save_png(folder / f"epoch-{self._epoch + 1:04d}.png", grid(images, columns))
