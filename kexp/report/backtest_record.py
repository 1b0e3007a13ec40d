"""A backtest as plain data, which its page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class BacktestRecord:
    """What was forecast at the cuts of a backtest, and what it came to.

    Attributes:
        recipe: Its name.
        network: What the recipe's forecasts are called in the tables.
        arguments: Of the recipe and the backtest, by name.
        cuts: The times of the first step that is forecast, in order.
        horizon: Steps that are forecast at each.
        levels: Of the quantiles.
        trainings: How often the network was trained.
        left_out: Forecasts that are not measured, since a step that they need is missing.
        targets: Of several targets their names; else empty.
        forecasts: A row for each method, cut, series, target and step.
        methods: A row of metrics for each method, the least MASE first.
        of_cuts: The same for each cut and method.
        of_steps: The same for each step of the horizon and method.
        of_targets: The same for each of several targets and method; of one target None.
    """

    recipe: str
    network: str
    arguments: Mapping[str, Any]
    cuts: tuple[str, ...]
    horizon: int
    levels: tuple[float, ...]
    trainings: int
    left_out: int
    targets: tuple[str, ...]
    forecasts: pd.DataFrame
    methods: pd.DataFrame
    of_cuts: pd.DataFrame
    of_steps: pd.DataFrame
    of_targets: pd.DataFrame | None
