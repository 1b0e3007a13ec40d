"""Builders: functions that return uncompiled Keras models, one file per family.

Every public function of every file here is `kexp.models.NAME`; a new file needs no entry in a list. Type
checkers read `__init__.pyi`, which tools/stubs.py writes.
"""

from __future__ import annotations

import importlib
import pkgutil

__all__: list[str] = []
for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    _builders = importlib.import_module(_module.name)
    # A builder may take the place of the module of its name: `kexp.models.mlp(...)` is a call.
    globals().update({_name: getattr(_builders, _name) for _name in getattr(_builders, "__all__", ())})
    __all__ += getattr(_builders, "__all__", ())
