"""A search algorithm as the coordinator sees it, and rebuilds it from what it was asked and told before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from kexp.core.search import Dimension
from kexp.sweep.search.oracles import decoded

ROUND = 4  # proposals of a synchronous round, whatever the number of workers


@dataclass(frozen=True)
class Proposal:
    """What to run next.

    Attributes:
        number: A new trial, or one that goes on with more epochs.
        values: By dimension.
        epochs: Epochs in all, or None for those of the recipe.
    """

    number: int
    values: dict[str, Any]
    epochs: int | None = None


NoProposal = Literal["wait", "done"]


class Algorithm(Protocol):
    """Proposes trials. Called in the same order it proposes the same."""

    order_matters: bool

    def ask(self, trials: int) -> Proposal | NoProposal:
        """Return what to run next, of so many trials in all."""

    def replay(self, trials: int, values: dict[str, Any] | None) -> None:
        """Repeat an `ask` of which the answer is known: values, or None for no new trial."""

    def tell(self, number: int, score: float | None) -> None:
        """Take in how a trial ended: the score to maximise, or None when there is none."""

    def may_continue(self) -> set[int]:
        """Return the ended trials that may still be asked to go on."""


class OracleSearch:
    """Talks to an oracle in our numbers and values, and tells it of results.

    Args:
        dimensions: What to search.
        seed: Of the oracle.
    """

    order_matters = True

    def __init__(self, dimensions: Sequence[Dimension], seed: int) -> None:
        self.dimensions = dimensions
        self.seed = seed
        self.asked = 0

    def ask(self, trials: int) -> Proposal | NoProposal:
        raise NotImplementedError

    def tell(self, number: int, score: float | None) -> None:
        raise NotImplementedError

    def replay(self, trials: int, values: dict[str, Any] | None) -> None:
        self.ask(trials)

    def may_continue(self) -> set[int]:
        return set()

    def values_of(self, trial: Any) -> dict[str, Any]:
        """Return the values of an oracle's trial as ours."""
        return decoded(self.dimensions, trial.hyperparameters.values)


def spread_seed(seed: int, number: int = 0) -> int:
    """Return a seed far from those of other sweeps: KerasTuner counts up from it, and takes 0 for none.

    Example:
        >>> spread_seed(0) == spread_seed(0), spread_seed(0) == spread_seed(1)
        (True, False)
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1) or 1
