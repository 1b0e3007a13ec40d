"""The arguments of forecasts, as `kexp.data.forecast_windows` and recipes take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypedDict

from kexp.core.constraints import AtLeast
from kexp.data.forecast_form import Gaps


class ForecastArguments(TypedDict, total=False):
    """What the columns of a table with a row per step and series are; all may be left out.

    Attributes:
        target: Column that is forecast, or several that one network forecasts together; needed for a file.
        time: Column of dates or numbers, one step apart; default: rows are in order.
        series: Column that says which of several series a row belongs to; default: all are of one.
        past: Columns that are known up to the forecast alone.
        future: Columns that are known ahead, such as holidays or a plan; the calendar is made from dates.
        static: Columns that stay the same within a series.
        season: Steps after which a series about repeats itself; default: a day of steps of a minute to an
            hour, a week of days, a year of weeks, months or quarters, else 1.
        gaps: Missing steps and cells: "refuse" (default) names the first, "skip" leaves out the windows that
            have any, "fill" looks back at the last known value in their place, and never forecasts one.
        quantiles: Levels to forecast, ascending, with 0.5 in the middle; default the deciles.
        stride: Steps from one training window to the next, default 1.
        leave_out: Steps after those of the test part, which are not looked at; default 0.
    """

    target: Sequence[str] | str | None
    time: str | None
    series: str | None
    past: Sequence[str] | None
    future: Sequence[str] | None
    static: Sequence[str] | None
    season: Annotated[int, AtLeast(1)] | None
    gaps: Gaps | None
    quantiles: Sequence[float] | None
    stride: Annotated[int, AtLeast(1)] | None
    leave_out: Annotated[int, AtLeast(0)] | None
