"""TensorFlow, which comes through an extra of kexp's: whether it is there and in use."""

from __future__ import annotations

import importlib.util
import os

from kexp.errors import InputError


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
