"""The place of a tf.data.Dataset: how far its iterator is, as bytes that a checkpoint can hold."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.core.foreign_files import guarded


class IteratorPlace:
    """Saves where an iterator is, shuffle buffers included, and goes back there.

    Args:
        iterator: Of a tf.data.Dataset.
        prefix: What the names of what is saved begin with.
        stem: What the names of TensorFlow's files begin with.
    """

    def __init__(self, iterator: Any, prefix: str, stem: str) -> None:
        self._checkpoint = tf.train.Checkpoint(iterator=iterator)
        self._prefix = prefix
        self._stem = stem

    def read(self) -> dict[str, np.ndarray]:
        """Return the place, as the bytes of files by name.

        Raises:
            tf.errors.OpError: The dataset has something in it whose state TensorFlow cannot save.
        """
        with tempfile.TemporaryDirectory() as folder:
            self._checkpoint.write(str(Path(folder) / self._stem))
            files = list(Path(folder).iterdir())
            return {f"{self._prefix}{file.name}": np.fromfile(file, np.uint8) for file in files}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to where `read` was called; what has other names is left alone."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in state.items():
                if name.startswith(self._prefix):
                    content.tofile(Path(folder) / Path(name).name)
            with guarded("the checkpoint", "the place of a tf.data.Dataset", "remove it to begin anew"):
                self._checkpoint.read(str(Path(folder) / self._stem)).assert_consumed()
