"""A cross-validation as plain data, which its page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FoldsRecord:
    """The folds of a cross-validation and what was measured on them.

    Attributes:
        recipe: Its name.
        folds: How many.
        repeats: How often all rows were divided.
        arguments: Of the recipe in all runs.
        rows: Of each run by name: repeat, fold, state, rows, metrics, seconds, error.
        estimates: By metric mean, deviation, and low and high end of the interval.
    """

    recipe: str
    folds: int
    repeats: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    estimates: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
