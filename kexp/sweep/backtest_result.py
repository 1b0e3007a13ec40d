"""A backtest as its folder records it: what each method forecast at every cut, and its metrics."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import replacing, write_json
from kexp.core.html_tables import printed
from kexp.core.json_files import read_json_file
from kexp.core.user_paths import user_path
from kexp.metrics.forecast_metrics import (
    mean_absolute_scaled_error,
    quantile_coverage,
    symmetric_percentage_error,
    weighted_quantile_loss,
)

if TYPE_CHECKING:
    import pandas as pd

    from kexp.report import BacktestRecord

BACKTEST, FORECASTS = "backtest.json", "forecasts.parquet"
_ADVICE = "call kexp.backtest again in a new dir"


@dataclass(frozen=True)
class Backtest:
    """A backtest that has ended.

    Attributes:
        dir: Its folder.
        recipe: Name of the recipe.
        network: What the recipe's forecasts are called in the tables.
        arguments: Of the recipe, by name.
        fingerprint: Of the data.
        cuts: The times of the first step that is forecast, in order.
        horizon: Steps that are forecast at each.
        levels: Of the quantiles.
        trainings: How often the network was trained.
        left_out: Forecasts that are not measured, since a step that they need is missing.
        scales: By series the mean absolute change over a season before the first cut, the unit of MASE; of
            several targets by target and series.
        targets: Of several targets their names; else empty.
    """

    dir: Path
    recipe: str
    network: str
    arguments: dict[str, Any]
    fingerprint: str
    cuts: tuple[str, ...]
    horizon: int
    levels: tuple[float, ...]
    trainings: int
    left_out: int
    scales: dict[str, Any]
    targets: tuple[str, ...] = ()

    @property
    def forecasts(self) -> pd.DataFrame:
        """A row for each method, cut, series and step: "truth", "value", a column for each quantile.

        Of several targets "target" says which.
        """
        import pandas as pd

        return pd.read_parquet(self.dir / FORECASTS)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each method, the least MASE first: mase, smape, wql, rmse and coverage.

        Of several targets they are the means over the targets.
        """
        import pandas as pd

        table = self.forecasts
        rows = {name: self._metrics(own) for name, own in table.groupby("method", sort=False)}
        return pd.DataFrame.from_dict(rows, orient="index").sort_values("mase").rename_axis("method")

    def by_series(self) -> pd.DataFrame:
        """Return a row for each method and series, as `to_frame`."""
        return self._by("series")

    def by_cut(self) -> pd.DataFrame:
        """Return a row for each cut and method, as `to_frame`."""
        return self._by("cut")

    def by_step(self) -> pd.DataFrame:
        """Return a row for each step of the horizon and method, as `to_frame`."""
        return self._by("step")

    def by_target(self) -> pd.DataFrame:
        """Return a row for each of several targets and method, as `to_frame`.

        Raises:
            InputError: There is one target alone.
        """
        if not self.targets:
            raise InputError("by_target is of several targets, and this backtest is of one; call to_frame.")
        return self._by("target")

    def _by(self, column: str) -> pd.DataFrame:
        import pandas as pd

        groups = self.forecasts.groupby([column, "method"], sort=False)
        rows = {name: self._metrics(own) for name, own in groups}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis([column, "method"])

    def record(self) -> BacktestRecord:
        """What is known of the backtest, as the report takes it."""
        from kexp.report import BacktestRecord

        named = ("recipe", "network", "arguments", "cuts", "horizon", "levels", "trainings", "left_out")
        return BacktestRecord(
            **{name: getattr(self, name) for name in (*named, "targets", "forecasts")},
            methods=self.to_frame(),
            of_cuts=self.by_cut(),
            of_steps=self.by_step(),
            of_targets=self.by_target() if self.targets else None,
        )

    def report(self) -> Path:
        """Write report.html, a page that needs nothing but itself, into the folder; return its path."""
        from kexp.report import write_backtest_page

        return write_backtest_page(self.record(), self.dir / "report.html")

    def _metrics(self, table: pd.DataFrame) -> dict[str, float]:
        if not self.targets:
            return self._of_target(table, None)
        each = [self._of_target(own, str(target)) for target, own in table.groupby("target", sort=False)]
        return {name: float(np.mean([one[name] for one in each])) for name in each[0]}

    def _of_target(self, table: pd.DataFrame, target: str | None) -> dict[str, float]:
        truth, values = (table[name].to_numpy()[:, None] for name in ("truth", "value"))
        quantiles = table[[quantile_name(level) for level in self.levels]].to_numpy()[:, None]
        scales = table["series"].map(self.scales if target is None else self.scales[target]).to_numpy()
        return {
            "mase": mean_absolute_scaled_error(truth, values, scales),
            "smape": symmetric_percentage_error(truth, values),
            "wql": weighted_quantile_loss(truth, quantiles, self.levels),
            "rmse": float(np.sqrt(np.mean((truth - values) ** 2))),
            "coverage": quantile_coverage(truth, quantiles),
        }

    def save(self, table: pd.DataFrame) -> None:
        """Write all of it into its folder, the forecasts first."""
        with replacing(self.dir / FORECASTS) as temporary:
            table.to_parquet(temporary, index=False)
        content = asdict(self)
        del content["dir"]
        if not self.targets:
            del content["targets"]
        write_json(self.dir / BACKTEST, content)

    def __str__(self) -> str:
        times = "once" if self.trainings == 1 else f"{self.trainings} times"
        cuts = f"{len(self.cuts)} cuts from {self.cuts[0]} to {self.cuts[-1]}"
        whole = f"{self.recipe}: {cuts}, {self.horizon} steps ahead; trained {times}"
        left = f"; {self.left_out} forecasts left out, of which steps are missing" if self.left_out else ""
        within = f"coverage is of the quantiles {self.levels[0]:g} to {self.levels[-1]:g}"
        return f"{whole}{left}; {within}.\n{self.to_frame().to_string(float_format='{:.4f}'.format)}"

    def _repr_html_(self) -> str:
        return printed(self)


def quantile_name(level: float) -> str:
    """Return the name of a quantile's column.

    Example:
        >>> quantile_name(0.1)
        'q0.1'
    """
    return f"q{level:g}"


def load_backtest(directory: str | os.PathLike[str]) -> Backtest:
    """Open the folder of a backtest that has ended.

    Raises:
        InputError: It is none, or damaged.

    Example:
        >>> load_backtest("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: dir must be the folder of a backtest that has ended; received 'no/such/folder'.
    """
    folder = user_path("dir", directory)
    if not (folder / BACKTEST).is_file():
        raise InputError(f"dir must be the folder of a backtest that has ended; received {str(folder)!r}.")
    found: dict[str, Any] = read_json_file(folder / BACKTEST, _KEYS, advice=_ADVICE)
    fixed: dict[str, Any] = {name: found.get(name) for name in _KEYS}
    fixed |= {name: tuple(found.get(name) or ()) for name in ("cuts", "levels", "targets")}
    return Backtest(dir=folder, **fixed)


_KEYS = {
    **dict.fromkeys(("recipe", "network", "fingerprint"), str),
    "arguments": dict[str, Any],
    "cuts": list[str],
    **dict.fromkeys(("horizon", "trainings", "left_out"), int),
    "levels": list[float],
    "scales": dict[str, float] | dict[str, dict[str, float]],
    "targets": list[str] | None,
}
