"""Keras 3 experiments that just work: recipes, runs that are recorded, exports that are checked.

The public names are the imports of `__init__.pyi`, which type checkers read. Each is imported when it is
first used, because importing TensorFlow takes seconds.
"""

from __future__ import annotations

import importlib
import os

from kexp.core.quiet_import import keep_import_quiet

__version__ = "0.1.0"

# TensorFlow reads it as it is imported: its notices of what it runs on stay away, its warnings do not.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
keep_import_quiet()  # some are written whatever it says

with open(os.path.join(os.path.dirname(__file__), "__init__.pyi"), encoding="utf-8") as _stub:
    # Each line is `from MODULE import NAME as NAME`; what parses Python takes longer than `kexp --help` may.
    _HOMES = {words[3]: words[1] for words in map(str.split, _stub) if words[:1] == ["from"]}
# Modules that import Keras, by how their names begin; without TensorFlow these say how to get it.
_NEED_TENSORFLOW = (
    *("kexp.engine.", "kexp.evaluation.", "kexp.metrics.", "kexp.preflight", "kexp.api.fit", "kexp.train"),
    "kexp.models",
)

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
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
