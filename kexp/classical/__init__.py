"""Classical methods: what statistics and machine learning without neural networks make of the same data.

A file in `methods/` with a subclass of `ClassicalMethod` that has a `name` is a method; there is no list to
enter it in. scikit-learn is imported in methods alone.
"""

from __future__ import annotations

from functools import cache

from kexp.classical.classical_method import ClassicalMethod
from kexp.core.scan import instances_of
from kexp.data.dataset import Dataset

__all__ = ["ClassicalMethod", "classical_methods", "fitting_methods"]


@cache
def classical_methods() -> tuple[ClassicalMethod, ...]:
    """Return all methods, by the names of their files.

    Example:
        >>> [method.name for method in classical_methods()][:2]
        ['autoregression', 'gradient_boosting']
    """
    return tuple(instances_of(f"{__name__}.methods", ClassicalMethod))  # type: ignore[type-abstract]


def fitting_methods(data: Dataset) -> list[ClassicalMethod]:
    """Return the methods that take such inputs and targets, and have time for enough of the training rows.

    Args:
        data: With its training part in memory or on the disk.

    Example:
        >>> import kexp
        >>> [method.name for method in fitting_methods(kexp.data.load("digits"))]
        ['linear_model_on_pixels']
    """
    found = []
    for method in classical_methods():
        if method.applies(data) and method.most_rows(data) >= min(len(data.train), method.least_rows):
            found.append(method)
    return found
