"""The form of a forecast: which columns of a table are looked back at, which are known ahead, how far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Annotated, Any, Literal

from kexp.core.constraints import Between
from kexp.core.errors import InputError, shown
from kexp.core.json_files import require_keys

Gaps = Literal["refuse", "skip", "fill"]

DAY_S, WEEK_S, YEAR_S = 86_400, 604_800, 31_556_952  # a year is 365.2425 days
_CALENDAR_S = (DAY_S, WEEK_S, YEAR_S)
_MOST_STEPS = 10_000_000
_Steps = Annotated[int, Between(1, _MOST_STEPS)]


@dataclass(frozen=True)
class ForecastForm:
    """What a forecast is made from, and of.

    Attributes:
        target: Column that is forecast; of several the first.
        time: Column that says when a row is; empty: rows are in order.
        series: Column that says of which series a row is; empty: all are of one.
        past: Columns that are known up to the forecast.
        future: Columns that are known for the steps that are forecast, too.
        static: Columns that stay the same within a series.
        texts: Those of the static columns that are texts.
        context: Steps that are looked back at.
        horizon: Steps that are forecast.
        season: Steps after which a series about repeats itself.
        step: From one row to the next: seconds of dates, else in the unit of the time column.
        months: The same in months where dates are so many months apart; 0 where they are not.
        dated: Whether times are dates.
        quantiles: Levels that are forecast, ascending, 0.5 in the middle.
        gaps: What is done about missing steps: "refuse", "skip" or "fill".
        others: The further columns that are forecast.
        scales: Of several targets the seasonal change of each, the unit of its errors in the loss.
    """

    target: str
    time: str
    series: str
    past: tuple[str, ...]
    future: tuple[str, ...]
    static: tuple[str, ...]
    texts: tuple[str, ...]
    context: int
    horizon: int
    season: int
    step: float
    months: int
    dated: bool
    quantiles: tuple[float, ...]
    gaps: Gaps
    others: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """All columns that are forecast."""
        return (self.target, *self.others)

    @property
    def output_names(self) -> tuple[str, ...]:
        """What each number that is forecast is called: the steps of the first target, then of the next."""
        steps = range(1, self.horizon + 1)
        return tuple(f"{target}+{step}" for target in self.targets for step in steps)

    def steps_of(self, place: int) -> slice:
        """Return which of the numbers that are forecast are the steps of a target."""
        return slice(place * self.horizon, (place + 1) * self.horizon)

    @property
    def periods(self) -> tuple[int, ...]:
        """Seconds of the day, the week and the year that are longer than a step; none without dates."""
        return tuple(period for period in _CALENDAR_S if self.dated and self.step < period)

    @property
    def middle(self) -> int:
        """The place of the median among the quantiles."""
        return len(self.quantiles) // 2

    @property
    def numbers(self) -> tuple[str, ...]:
        """The static columns that are numbers."""
        return tuple(name for name in self.static if name not in self.texts)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; of one target those that there always were."""
        content = asdict(self)
        return {name: value for name, value in content.items() if name not in _OF_SEVERAL or value}

    @classmethod
    def from_json(cls, content: Mapping[str, Any], place: str, advice: str) -> ForecastForm:
        """Return what `to_json` made JSON of.

        Raises:
            InputError: A field is missing, or holds what no forecast has.
        """
        require_keys(content, place, _KEYS, advice=advice)
        values = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        checked_quantiles(values["quantiles"])
        form: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**form)


_OF_SEVERAL = ("others", "scales")
_KEYS = {
    **dict.fromkeys(("target", "time", "series"), str),
    "gaps": Gaps,
    **dict.fromkeys(("past", "future", "static", "texts"), list[str]),
    **dict.fromkeys(("context", "horizon", "season"), _Steps),
    "step": float,
    "months": int,
    "dated": bool,
    "quantiles": list[float],
    "others": list[str] | None,
    "scales": list[float] | None,
}


def checked_quantiles(quantiles: object) -> tuple[float, ...]:
    """Return levels of quantiles, once they are ascending between 0 and 1 with 0.5 in the middle.

    Args:
        quantiles: An odd number of them.

    Raises:
        InputError: They are not.

    Example:
        >>> checked_quantiles([0.1, 0.5, 0.9])
        (0.1, 0.5, 0.9)
        >>> checked_quantiles((0.1, 0.9))
        Traceback (most recent call last):
        ...
        kexp.InputError: quantiles=(0.1, 0.9): expected levels between 0 and 1, ascending, with 0.5 in the
        middle and as many below it as above; pass such as (0.1, 0.5, 0.9).
    """
    levels = tuple(quantiles) if isinstance(quantiles, list | tuple) else ()
    numbers = all(isinstance(one, int | float) and 0 < one < 1 for one in levels)
    ascending = numbers and all(one < other for one, other in pairwise(levels))
    if not ascending or not len(levels) % 2 or levels[len(levels) // 2] != 0.5:
        raise InputError(
            f"quantiles={shown(quantiles)}: expected levels between 0 and 1, ascending, with 0.5 in the "
            "middle and as many below it as above; pass such as (0.1, 0.5, 0.9)."
        )
    return tuple(map(float, levels))
