"""Metrics: every number that is measured, and which way it is better.

Every public function of every file here is `kexp.metrics.NAME`; a new file needs no entry in a list. A file
whose metrics are better when higher says so as `HIGHER_IS_BETTER`. Those of a training step, which are
Keras's, are in `training`. Type checkers read `__init__.pyi`, which tools/stubs.py writes.
"""

from __future__ import annotations

import importlib
import pkgutil

__all__: list[str] = []
for _module in pkgutil.iter_modules(__path__):
    if not _module.ispkg:
        _metrics = importlib.import_module(f"{__name__}.{_module.name}")
        # A metric may take the place of the module of its name: `kexp.metrics.error_rates(...)` is a call.
        globals().update({_name: getattr(_metrics, _name) for _name in getattr(_metrics, "__all__", ())})
        __all__ += getattr(_metrics, "__all__", ())
