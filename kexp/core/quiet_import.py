"""The import of TensorFlow without its notices, which C++ writes past Python whatever its log level is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

# importlib.abc takes longer to import than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder


def keep_import_quiet() -> None:
    """Have TensorFlow's import be quiet from now on, wherever it comes from, unless it is over.

    On processors with AVX-512 VNNI oneDNN is on and says so twice.
    """
    if "tensorflow" not in sys.modules and not any(isinstance(one, QuietFinder) for one in sys.meta_path):
        sys.meta_path.insert(0, QuietFinder())


@contextmanager
def asked_first(finder: MetaPathFinder | QuietFinder) -> Iterator[None]:
    """Have a finder asked before all others in the block."""
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class QuietFinder:
    """A finder of TensorFlow and Keras that keeps what they write as they are imported off the terminal.

    Args:
        around: Makes what the import is done within, default nothing.
    """

    def __init__(self, around: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._around = around

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Whichever comes first imports the other one.
        spec = PathFinder.find_spec(fullname, path) if fullname in ("tensorflow", "keras") else None
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader, self._around)  # type: ignore[assignment]
        return spec


class _QuietLoader:
    def __init__(self, loader: Loader, around: Callable[[], AbstractContextManager[None]]) -> None:
        self._loader = loader
        self._around = around

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader  # which knows where the package's files are
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with silent_errors(), self._around():
            self._loader.exec_module(module)


@contextmanager
def silent_errors() -> Iterator[None]:
    """Send standard error nowhere, also for what writes past Python; one that is closed stays so."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
