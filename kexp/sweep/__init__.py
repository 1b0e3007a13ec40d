"""Sweeps: any recipe's own arguments searched with one line, no trial lost.

The package is called itself, `kexp.sweep(recipe, trials=20)`: the function has the name that its package has.
"""

from __future__ import annotations

import sys
from types import ModuleType

from kexp.sweep.sweep import sweep


class _Callable(ModuleType):
    __call__ = staticmethod(sweep)


sys.modules[__name__].__class__ = _Callable

__all__ = ["sweep"]
