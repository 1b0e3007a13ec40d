"""Keras 3 experiments that just work: recipes, runs that are recorded, exports that are checked.

The public names are the imports of `__init__.pyi`, which type checkers read. Each is imported when it is
first used, because importing TensorFlow takes seconds.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    alias.name: node.module or ""
    for node in ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
# Modules that import Keras, by how their names begin; without TensorFlow these say how to get it.
_NEED_TENSORFLOW = (
    *("kexp.engine.", "kexp.evaluation.", "kexp.metrics.", "kexp.preflight", "kexp.api.fit", "kexp.train"),
    "kexp.models",
)

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kexp' has no attribute {name!r}")
    home = _HOMES[name]
    if f"{home}.{name}".startswith(_NEED_TENSORFLOW):
        importlib.import_module("kexp.core.tensorflow_start").require_tensorflow()
    if home == __name__:
        return importlib.import_module(f"{home}.{name}")
    value = getattr(importlib.import_module(home), name, None)
    return importlib.import_module(f"{home}.{name}") if value is None else value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
