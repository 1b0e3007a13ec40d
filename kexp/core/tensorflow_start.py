"""TensorFlow, which comes through an extra of kexp's: whether it is there and in use."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable

from kexp.core.errors import InputError


def require_tensorflow() -> None:
    """Say how to get TensorFlow if it is not there, without importing it, and have Keras use it.

    Raises:
        InputError: TensorFlow is not installed, or Keras has been told to use another backend.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            "TensorFlow is needed and not installed: pip install 'kexp[cpu]', or "
            "'kexp[cuda]' for NVIDIA GPUs, or 'kexp[tpu]' for TPUs."
        )
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise InputError(f"KERAS_BACKEND must be tensorflow for kexp; received {backend!r}, so unset it.")


def start_tensorflow(begin: Callable[[], object] | None = None) -> None:
    """Import TensorFlow with its start-up notices, which C++ writes past Python, off the terminal.

    Args:
        begin: Called before TensorFlow looks for its devices, after which it cannot become a worker.

    Raises:
        InputError: TensorFlow is not installed.
    """
    require_tensorflow()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        if begin is not None:
            begin()
        tf.config.list_logical_devices()
        # On a CPU without AVX-512 oneDNN says once that this is not for it; masks would have it said later.
        tf.transpose([[True]])
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
