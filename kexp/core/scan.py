"""Modules of a package, found by scanning: a new file is there without an entry in a list."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules_of(package: str) -> list[ModuleType]:
    """Return the modules of a package by name, imported; its subpackages are left out.

    Args:
        package: Its full name.

    Example:
        >>> [module.__name__ for module in modules_of("kexp.core")][:2]
        ['kexp.core.backend', 'kexp.core.choices']
    """
    path = importlib.import_module(package).__path__
    names = sorted(found.name for found in pkgutil.iter_modules(path) if not found.ispkg)
    return [importlib.import_module(f"{package}.{name}") for name in names]
