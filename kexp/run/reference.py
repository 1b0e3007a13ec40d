"""A published metric that a recipe is to meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from kexp.metrics.direction import better


@dataclass(frozen=True)
class Reference:
    """A published metric, and how to reach it with a recipe.

    Attributes:
        args: Arguments of the recipe; the seed is not among them.
        metric: A metric of the run's result, such as "test_accuracy".
        published: Its value in the source.
        tolerance: By how much the mean over seeds may be worse, 0 or more.
        source: The paper or page.

    Example:
        >>> reference = Reference({"data": "mnist"}, "test_accuracy", 0.9783, 0.002, "a page")
        >>> reference.met_by([0.9771, 0.9768]), reference.met_by([0.975])
        (True, False)
    """

    args: Mapping[str, Any]
    metric: str
    published: float
    tolerance: float
    source: str

    def met_by(self, values: Sequence[float]) -> bool:
        """Return whether the mean of these values is at most the tolerance worse than what is published."""
        short = self.published - fmean(values)
        return (short if better(self.metric) == "max" else -short) <= self.tolerance
