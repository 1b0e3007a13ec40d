"""Modules of a package, found by scanning: a new file is there without an entry in a list."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

_T = TypeVar("_T")


def modules_of(package: str) -> list[ModuleType]:
    """Return the modules of a package by name, imported; its subpackages are left out.

    Args:
        package: Its full name.

    Example:
        >>> [module.__name__ for module in modules_of("kexp.data.targets")][:2]
        ['kexp.data.targets.base', 'kexp.data.targets.boxes']
    """
    path = importlib.import_module(package).__path__
    names = sorted(found.name for found in pkgutil.iter_modules(path) if not found.ispkg)
    return [importlib.import_module(f"{package}.{name}") for name in names]


def instances_of(package: str, base: type[_T]) -> list[_T]:
    """Return an instance of each class of a kind that a package's modules define, in their order.

    Args:
        package: Its full name.
        base: The kind. A subclass without a `name` of its own is for others to build on, and left out.

    Example:
        >>> from kexp.tasks.base import Task
        >>> [found.name for found in instances_of("kexp.tasks", Task)][:2]
        ['classification', 'detection']
    """
    classes = [
        value
        for module in modules_of(package)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    return [found() for found in classes if "name" in vars(found)]
