"""TensorFlow, which comes through an extra of kexp's: whether it is there and in use."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from kexp.core.errors import InputError
from kexp.core.memory_budget import address_limit
from kexp.core.quiet_import import QuietFinder, asked_first, silent_errors

_ADDRESSES_BYTES = 2_000_000_000
# What TensorFlow imports if it is there, half of the time that it takes; and what Keras does, a third of it,
# for functions that kexp does not call.
KERAS = frozenset({"keras"})
KERAS_EXTRAS = frozenset({"IPython", "matplotlib", "pandas", "sklearn"})


def require_tensorflow() -> None:
    """Say how to get TensorFlow if it is not there, without importing it, and have Keras use it.

    Raises:
        InputError: TensorFlow is not installed, has not the memory to start, or Keras has been told to use
            another backend.
    """
    if "tensorflow" not in sys.modules:
        _require_addresses()
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            "TensorFlow is needed and not installed: pip install 'kexp[cpu]', or "
            "'kexp[cuda]' for NVIDIA GPUs, or 'kexp[tpu]' for TPUs."
        )
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise InputError(f"KERAS_BACKEND must be tensorflow for kexp; received {backend!r}, so unset it.")


def _require_addresses() -> None:
    """Refuse a limit of memory below which TensorFlow ends by a segmentation fault, without a word."""
    allowed = address_limit()
    if allowed is not None and allowed < _ADDRESSES_BYTES:
        raise InputError(
            f"TensorFlow takes {_ADDRESSES_BYTES / 1e9:g} GB of addresses to start, and a process may have "
            f"{allowed / 1e9:.2g} GB here; raise the limit (ulimit -v)."
        )


@contextmanager
def quiet_tensorflow(*, without: Collection[str] = ()) -> Iterator[None]:
    """Keep the notices of TensorFlow's import off the terminal, should something in the block import it.

    Args:
        without: As `start_tensorflow` takes it.
    """
    with asked_first(QuietFinder(lambda: _without_packages(without))):
        yield


class _AbsentFinder(MetaPathFinder):
    """Finds packages that cannot be imported now, as if they lacked something."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname in self._names else None
        if spec is not None:
            spec.loader = _AbsentLoader()
        return spec


class _AbsentLoader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        raise ImportError(f"{module.__name__} is imported later", name=module.__name__)


@contextmanager
def _without_packages(names: Collection[str]) -> Iterator[None]:
    """Have what is imported in the block do without packages that it takes only if they are there.

    Afterwards they can be imported, and what did without them goes on to do so.
    """
    with asked_first(_AbsentFinder(names)):
        yield


def start_tensorflow(begin: Callable[[], object] | None = None, *, without: Collection[str] = ()) -> None:
    """Import TensorFlow with its start-up notices, which C++ writes past Python, off the terminal.

    Args:
        begin: Called before TensorFlow looks for its devices, after which it cannot become a worker.
        without: `KERAS_EXTRAS` where only code of kexp's own runs, and `KERAS` where that needs no Keras.

    Raises:
        InputError: TensorFlow is not installed.
    """
    require_tensorflow()
    with silent_errors():
        with _without_packages(without):
            import tensorflow as tf
        if begin is not None:
            begin()
        tf.config.list_logical_devices()
        hush_first_transpose()


@cache
def hush_first_transpose() -> None:
    """Have oneDNN say now, off the terminal, what it says once a process of the processor.

    Where TensorFlow finds no AVX-512, the first transpose of whole numbers or masks has it write an error,
    though nothing is wrong. TensorFlow has looked for its devices afterwards.
    """
    import tensorflow as tf

    with silent_errors(), tf.device("CPU:0"):
        tf.transpose([[True]])
