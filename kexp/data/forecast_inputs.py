"""Raw inputs of forecasts from a table: the last steps of each series, and what is known of the next ones."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.dataset import DatasetSpec
from kexp.data.forecast_form import ForecastForm, Gaps
from kexp.data.forecast_gaps import complete_panel
from kexp.data.forecast_panel import Grid, Panel, PanelColumns, read_panel
from kexp.data.transforms.forecast_windows import window_inputs


def latest_inputs(values: Any, spec: DatasetSpec) -> dict[str, np.ndarray]:
    """Return the inputs to forecast what follows the last known target of each series of a table.

    Rows after that, with the target empty, say what is known ahead; they are needed where there are such
    columns.

    Args:
        values: A DataFrame, or the name or path of a table, with the columns of the training data.
        spec: The data that the model was made for.

    Returns:
        A sample per series, in alphabetical order.

    Raises:
        InputError: A column or step that the model needs is missing.
    """
    form = spec.forecast_form
    assert form is not None
    columns = PanelColumns(**{one.name: getattr(form, one.name) for one in fields(PanelColumns)})
    gaps: Gaps = "fill" if form.gaps == "fill" else "skip"
    panel = complete_panel(
        read_panel(values, columns, grid=Grid(0.0, form.step, form.months, form.dated)), gaps
    )
    known = np.isfinite(panel.targets).any(axis=-1)
    firsts = known.shape[1] - np.argmax(known[:, ::-1], axis=1)  # after the last known one
    origins = np.stack([np.arange(len(firsts)), np.where(known.any(axis=1), firsts, 0)], axis=-1)
    longer = _with_steps_after(panel, int(origins[:, 1].max()) + form.horizon)
    short = np.flatnonzero(origins[:, 1] < form.context)
    if len(short):
        raise InputError(
            f"data {panel.name!r}{_of_series(panel, form, short[0])}: expected {form.context} known steps of "
            f"{form.target!r} or more, received {origins[short[0], 1]}; give a longer past."
        )
    inputs = window_inputs(longer, form, origins)
    for name, array in inputs.items():
        lacking = np.argwhere(np.isnan(array)) if array.dtype.kind == "f" else np.empty((0, 2), int)
        if len(lacking):
            raise InputError(_missing(longer, form, name, origins, lacking[0]))
    return inputs


def _with_steps_after(panel: Panel, steps: int) -> Panel:
    """Return a panel of so many steps at least, those after its own without values."""
    more = steps - panel.targets.shape[1]
    if more <= 0:
        return panel
    future = np.pad(panel.future, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
    return replace(panel, future=future)


def _missing(panel: Panel, form: ForecastForm, name: str, origins: np.ndarray, lacking: np.ndarray) -> str:
    """Return the sentence that names a missing value of an input."""
    sample, step = int(lacking[0]), int(lacking[1])
    labels = {"past": form.past, "future": form.future}.get(name, form.targets)
    label = labels[int(lacking[2])] if len(lacking) > 2 else form.target
    time = panel.grid.text(int(origins[sample, 1]) - form.context + step)
    ahead = ", which is to be known ahead," if name == "future" and step >= form.context else ""
    return (
        f"data {panel.name!r}{_of_series(panel, form, sample)}: column {shown(label)}{ahead} has no value at "
        f"{time}; give one."
    )


def _of_series(panel: Panel, form: ForecastForm, series: int) -> str:
    return f" of {form.series} {shown(panel.names[series])}" if form.series else ""
