"""Windows of a panel of series: history, covariates known ahead and static facts in, the next steps out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.core.memory_budget import require_bytes
from kexp.core.options import Unpack
from kexp.data.array_specs import ArraySpec
from kexp.data.dataset import Dataset, DatasetSpec, Split
from kexp.data.folds import current_fold
from kexp.data.forecast_arguments import ForecastArguments
from kexp.data.forecast_form import DAY_S, WEEK_S, ForecastForm, Gaps, checked_quantiles
from kexp.data.forecast_gaps import complete_panel
from kexp.data.forecast_panel import Grid, Panel, PanelColumns, read_panel
from kexp.data.forecast_scales import series_weights, target_scales, training_scales
from kexp.data.splits import fingerprint as content_fingerprint
from kexp.data.splits import read_only

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ForecastDataset(Dataset):
    """Windows of a panel, and the panel.

    Attributes:
        panel: All of it, gaps done with.
        origins: By split, (samples, 2): the series of a window and the step of its first target.
    """

    panel: Panel = field(kw_only=True, compare=False)
    origins: Mapping[str, np.ndarray] = field(kw_only=True, compare=False)

    @property
    def form(self) -> ForecastForm:
        """What the forecasts are made of."""
        assert self.spec.forecast_form is not None
        return self.spec.forecast_form

    @property
    def training_end(self) -> int:
        """The step after the last training target."""
        return int(self.origins["train"][-1, 1]) + self.form.horizon

    def scales(self, end: int, target: int = 0) -> dict[str, float]:
        """Return by series the mean absolute change over a season in the steps before one.

        Args:
            end: The step.
            target: Place of the target among those that are forecast, default 0.
        """
        found = training_scales(self.panel, self.form, end)[:, target]
        return dict(zip(self.panel.names, found.tolist(), strict=True))


def forecast_windows(
    values: Any,
    *,
    context: int,
    horizon: int,
    test: int,
    validation: float = 0.1,
    **columns: Unpack[ForecastArguments],
) -> ForecastDataset:
    """Cut the series of a table into windows: what a forecast is made from, and the steps that follow.

    The last steps in time are tested on, the latest windows before them validated on, of all series the same
    times. No target of an earlier part reaches into a later one. Nothing of the steps that are forecast is in
    the inputs but the columns in `future`, and the calendar.

    Args:
        values: A DataFrame, "sunspots" (default columns of its own), or a name or path of a CSV or Parquet
            file, with a row per step and series.
        context: Steps that are looked back at, 2 or more.
        horizon: Steps that are forecast, 1 or more.
        test: Steps at the end that are tested on, 0 or from `horizon` on.
        validation: Share of the earlier origins to make choices on, the latest of them; default 0.1.
        **columns: What its columns are, and more; see `kexp.data.ForecastArguments`.

    Returns:
        Data of the kind "arrays" for the task "forecast": inputs "target" (samples, context), and where there
        are such "past" (samples, context, columns), "future" (samples, context + horizon, columns), "time"
        (samples,) int64 seconds since 1970 of the first step that is forecast, "series" (samples,), "static"
        and one by the name of each static text; targets (samples, horizon) float32. Several series are
        weighted so that an error counts in units of each one's own seasonal change. Of several targets the
        input "target" is (samples, context, targets), and targets are (samples, targets * horizon): the steps
        of the first, then those of the next.

    Raises:
        InputError: A column is missing, two rows are of one time, times are off their grid, steps are missing
            and `gaps` says nothing of them, or there are too few steps.

    Example:
        >>> data = forecast_windows("sunspots", context=66, horizon=3, test=40, season=11)
        >>> data.train.inputs["target"].shape, data.test.targets.shape, data.spec.task
        ((179, 66), (38, 3), 'forecast')
    """
    given: dict[str, Any] = {name: value for name, value in columns.items() if value is not None}
    stride, leave_out = given.get("stride", 1), given.get("leave_out", 0)
    _require_steps(context=(context, 2), horizon=(horizon, 1), test=(test, 0), leave_out=(leave_out, 0))
    _require_steps(stride=(stride, 1), season=(given.get("season", 1), 1))
    _require_known(given)
    if 0 < test < horizon:
        raise InputError(f"test={test}: expected 0, or the {horizon} steps of horizon or more; pass more.")
    if current_fold() is not None:
        raise InputError(
            "folds: forecasts are measured by kexp.backtest, at cuts in time; call that instead."
        )
    roles: dict[str, Any] = {name: tuple(given.get(name, ())) for name in ("past", "future", "static")}
    roles |= {name: given.get(name, "") for name in ("time", "series")}
    roles["target"], *others = _targets(given.get("target", ""))
    read = read_panel(values, PanelColumns(**roles, others=tuple(others)))
    form = _form(read, context, horizon, given)
    panel = complete_panel(read, form.gaps)
    end = panel.steps - leave_out
    parts = _parts(panel, form, end=end, test=test, validation=validation, stride=stride)
    return _divided(read, panel, form, parts)


def _require_known(given: Mapping[str, Any]) -> None:
    known = ForecastArguments.__annotations__
    for name in given:
        if name not in known:
            raise InputError(
                f"{name} is no argument of kexp.data.forecast_windows{nearest(name, known)}; correct it or "
                "leave it out."
            )
    gaps = given.get("gaps", "refuse")
    if gaps not in get_args(Gaps):
        raise InputError(f"gaps={shown(gaps)}: expected 'refuse', 'skip' or 'fill'; pass one of them.")


def _targets(given: Any) -> Sequence[str]:
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list | tuple) and given and all(isinstance(name, str) for name in given):
        return given
    raise InputError(
        f"target={shown(given)}: expected the name of a column, or of several in a list; give one."
    )


def _form(read: Panel, context: int, horizon: int, given: Mapping[str, Any]) -> ForecastForm:
    columns, grid = read.columns, read.grid
    return ForecastForm(
        **{one.name: getattr(columns, one.name) for one in fields(columns)},
        texts=tuple(name for name, cells in read.static.items() if cells.dtype == object),
        context=context,
        horizon=horizon,
        season=given.get("season", usual_season(grid)),
        step=grid.step,
        months=grid.months,
        dated=grid.dated,
        quantiles=checked_quantiles(given.get("quantiles", DECILES)),
        gaps=given.get("gaps", "refuse"),
    )


def _divided(
    read: Panel, panel: Panel, form: ForecastForm, parts: Mapping[str, np.ndarray]
) -> ForecastDataset:
    """Return the windows of each part.

    Args:
        read: The panel as it was read.
        panel: The same, its gaps done with.
        form: What the forecasts are made of.
        parts: The steps of the first targets, by split.
    """
    scales = training_scales(panel, form, int(parts["train"][-1]) + form.horizon)
    form = replace(form, scales=target_scales(scales))
    spec = _spec(form)
    origins = {part: _origins(panel, read, form, steps) for part, steps in parts.items()}
    _require_windows(panel, origins)
    each = sum(int(np.prod(one.shape)) for one in spec.inputs) + spec.outputs
    what = f"context={form.context} of {panel.steps:,} steps"
    require_bytes(4 * each * sum(map(len, origins.values())), what)
    weights = series_weights(scales)
    splits = {part: _split(panel, form, rows, weights) for part, rows in origins.items()}
    target = panel.targets if form.others else panel.target
    content = {"train": ({"target": target, "past": panel.past, "future": panel.future}, target)}
    notes = (*panel.notes, *_left_out(parts, origins, len(panel.names)))
    return ForecastDataset(
        panel.name,
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        spec,
        content_fingerprint(content, spec.to_json(), panel.names),
        notes,
        panel=panel,
        origins=origins,
    )


def usual_season(grid: Grid) -> int:
    """Return the steps of the season that series of such a step often have.

    Example:
        >>> [usual_season(Grid(0, step, 0, True)) for step in (3600.0, 86400.0, 604800.0)]
        [24, 7, 52]
        >>> usual_season(Grid(0, 2629746.0, 1, True)), usual_season(Grid(0, 1.0, 0, False))
        (12, 1)
    """
    if not grid.dated:
        return 1
    if grid.months:
        return max(1, 12 // grid.months)
    if grid.step < DAY_S:
        return max(1, round(DAY_S / grid.step))
    return 7 if grid.step == DAY_S else 52 if grid.step == WEEK_S else 1


def window_inputs(panel: Panel, form: ForecastForm, origins: np.ndarray) -> dict[str, np.ndarray]:
    """Return the raw inputs of forecasts.

    Args:
        panel: That the series are of.
        form: What the forecasts are made of.
        origins: (samples, 2) the series of each, and the step of its first target.
    """
    rows, firsts = origins[:, 0], origins[:, 1]
    back = firsts[:, None] + np.arange(-form.context, 0)
    target = panel.targets if form.others else panel.target
    inputs: dict[str, np.ndarray] = {"target": target[rows[:, None], back].astype(np.float32)}
    if form.past:
        inputs["past"] = panel.past[rows[:, None], back].astype(np.float32)
    if form.future:
        around = firsts[:, None] + np.arange(-form.context, form.horizon)
        inputs["future"] = panel.future[rows[:, None], around].astype(np.float32)
    if form.periods:
        inputs["time"] = panel.grid.times(firsts).astype(np.int64)
    if form.series:
        inputs["series"] = np.array(panel.names, object)[rows]
    if form.numbers:
        static = np.stack([panel.static[name] for name in form.numbers], axis=-1)
        inputs["static"] = static[rows].astype(np.float32)
    return inputs | {text_input(name): panel.static[name][rows] for name in form.texts}


def text_input(name: str) -> str:
    """Return the name of the input that a static column of texts is."""
    return f"static {name}"


def _spec(form: ForecastForm) -> DatasetSpec:
    around, past, static = form.context + form.horizon, len(form.past), len(form.numbers)
    several = (len(form.targets),) if form.others else ()
    inputs = [ArraySpec("target", (form.context, *several), "float32")]
    inputs += [ArraySpec("past", (form.context, past), "float32")] * bool(past)
    inputs += [ArraySpec("future", (around, len(form.future)), "float32")] * bool(form.future)
    inputs += [ArraySpec("time", (), "int64")] * bool(form.periods)
    inputs += [ArraySpec("series", (), "string")] * bool(form.series)
    inputs += [ArraySpec("static", (static,), "float32")] * bool(static)
    inputs += [ArraySpec(text_input(name), (), "string") for name in form.texts]
    return DatasetSpec(
        "arrays",
        (),
        "mixed",
        "forecast",
        len(form.targets) * form.horizon,
        target=form.target,
        target_names=form.output_names if form.others else (),
        inputs=tuple(inputs),
        forecast_form=form,
    )


def _parts(
    panel: Panel, form: ForecastForm, *, end: int, test: int, validation: float, stride: int
) -> dict[str, np.ndarray]:
    """Return the steps of the first targets of each part."""
    whole = end - test - form.horizon - form.context + 1
    held = max(1, round(validation * whole)) if validation else 0
    kept = whole - held - (form.horizon - 1 if held else 0)
    if kept < 1:
        raise InputError(
            f"data {panel.name!r}: {end:,} steps are too few for windows of {form.context} + {form.horizon} "
            f"steps with test={test} and validation={validation}; pass smaller ones, or more steps."
        )
    first = form.context
    # The latest ones, whatever the stride.
    parts = {"train": np.arange(first + kept - 1, first - 1, -stride)[::-1]}
    if held:
        parts["validation"] = np.arange(first + whole - held, first + whole)
    if test:
        parts["test"] = np.arange(end - test, end - form.horizon + 1)
    return parts


def _origins(panel: Panel, read: Panel, form: ForecastForm, steps: np.ndarray) -> np.ndarray:
    """Return the (samples, 2) windows of some first steps in which nothing is missing, in order of time."""
    unknown, unread = (np.isnan(one.targets).any(axis=2) for one in (panel, read))
    lacking = unknown | np.isnan(panel.past).any(axis=2) | np.isnan(panel.future).any(axis=2)
    back = _any_within(lacking, steps - form.context, form.context)
    ahead = unread | np.isnan(panel.future).any(axis=2)  # what was filled is not forecast
    whole = ~back & ~_any_within(ahead, steps, form.horizon)  # (series, steps)
    found = np.argwhere(whole.T)  # (samples, 2): the step, the series
    return np.stack([found[:, 1], steps[found[:, 0]]], axis=-1)


def _any_within(lacking: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    counts = np.concatenate([np.zeros((len(lacking), 1), int), np.cumsum(lacking, axis=1)], axis=1)
    return counts[:, starts + length] > counts[:, starts]


def _require_windows(panel: Panel, origins: Mapping[str, np.ndarray]) -> None:
    for part, rows in origins.items():
        if not len(rows):
            raise InputError(
                f"data {panel.name!r}: no window of the {part} part is whole; fill the gaps (gaps='fill'), "
                "or pass a smaller context."
            )


def _left_out(parts: Mapping[str, np.ndarray], origins: Mapping[str, np.ndarray], series: int) -> list[str]:
    lost = {part: series * len(steps) - len(origins[part]) for part, steps in parts.items()}
    listed = ", ".join(
        f"{count:,} of {series * len(parts[part]):,} {part}" for part, count in lost.items() if count
    )
    return [f"windows are left out, of which steps are missing: {listed}."] if listed else []


def _split(panel: Panel, form: ForecastForm, origins: np.ndarray, weights: np.ndarray | None) -> Split:
    rows = origins[:, 0]
    ahead = origins[:, 1, None] + np.arange(form.horizon)
    targets = np.moveaxis(panel.targets[rows[:, None], ahead], -1, 1)  # (samples, targets, horizon)
    targets = targets.reshape(len(rows), -1).astype(np.float32)
    own = None if weights is None else weights[rows].astype(np.float32)
    return read_only(window_inputs(panel, form, origins), targets, own)


def _require_steps(**steps: tuple[object, int]) -> None:
    for argument, (count, least) in steps.items():
        if isinstance(count, bool) or not isinstance(count, int) or not least <= count < 2**31:
            raise InputError(
                f"{argument}={shown(count)}: expected a whole number of steps, {least} or more; pass one."
            )
