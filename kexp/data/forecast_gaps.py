"""Gaps of a panel: steps and cells that a table lacks within its series, named and done with as asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.forecast_form import Gaps
from kexp.data.forecast_panel import Panel


def complete_panel(panel: Panel, gaps: Gaps) -> Panel:
    """Return a panel whose gaps are done with, and said in its notes.

    What lies before the first or after the last known target of a series is no gap.

    Args:
        panel: As it was read.
        gaps: "refuse" them, "skip" the windows that have any, or "fill" each with the last known value
            before.

    Raises:
        InputError: There are gaps, and they are to be refused.
    """
    of_targets = [np.isfinite(values) for values in np.moveaxis(panel.targets, -1, 0)]
    found = {
        name: ~known & _within(known) for name, known in zip(panel.columns.targets, of_targets, strict=True)
    }
    within = _within(np.any(of_targets, axis=0))
    for names, values in ((panel.columns.past, panel.past), (panel.columns.future, panel.future)):
        found |= {name: np.isnan(values[..., number]) & within for number, name in enumerate(names)}
    found = {name: lacking for name, lacking in found.items() if lacking.any()}
    if not found:
        return panel
    if gaps == "refuse":
        raise InputError(_refusal(panel, found))
    counts = ", ".join(f"{int(lacking.sum()):,} of {name!r}" for name, lacking in found.items())
    if gaps == "skip":
        return replace(panel, notes=(*panel.notes, f"missing values: {counts}; gaps='skip'."))
    said = f"missing values: {counts}; each is looked back at as the last known one before it, gaps='fill'."
    return replace(
        panel,
        targets=_each_filled(panel.targets, panel.columns.targets, found),
        past=_each_filled(panel.past, panel.columns.past, found),
        future=_each_filled(panel.future, panel.columns.future, found),
        notes=(*panel.notes, said),
    )


def _within(known: np.ndarray) -> np.ndarray:
    """Return (series, steps) whether a step is between the first and the last known one of its series."""
    began = np.maximum.accumulate(known, axis=1)
    goes_on = np.maximum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    return began & goes_on


def _refusal(panel: Panel, found: dict[str, np.ndarray]) -> str:
    """Return the sentence that names how many values are missing, and the first of them."""
    name, lacking = next(iter(found.items()))
    series, step = (int(place) for place in np.argwhere(lacking)[0])
    of_series = f" of {panel.columns.series} {shown(panel.names[series])}" * bool(panel.columns.series)
    rows = int((_within(np.isfinite(panel.targets).any(axis=-1)) & ~panel.present).sum())
    counts = ", ".join(f"{int(each.sum()):,} of {column!r}" for column, each in found.items())
    lies = "the table has no row" if not panel.present[series, step] else f"{name!r} has no value"
    return (
        f"gaps='refuse': data {panel.name!r} lack {rows:,} rows within their series, and the values "
        f"{counts}; the first: {lies} at {panel.grid.text(step)}{of_series}. Mend the table, or pass "
        "gaps='skip' to leave out the windows that have any, or 'fill' to look back at the last known value "
        "in their place."
    )


def _each_filled(values: np.ndarray, names: tuple[str, ...], found: dict[str, np.ndarray]) -> np.ndarray:
    if not names:
        return values
    return np.stack(
        [_filled(values[..., number], found.get(name)) for number, name in enumerate(names)], axis=-1
    )


def _filled(values: np.ndarray, lacking: np.ndarray | None) -> np.ndarray:
    """Return (series, steps) with the last known value before each step that lacks one.

    Example:
        >>> _filled(np.array([[1.0, np.nan, 3.0]]), np.array([[False, True, False]])).tolist()
        [[1.0, 1.0, 3.0]]
    """
    if lacking is None:
        return values
    steps = np.where(np.isfinite(values), np.arange(values.shape[1]), 0)
    last = np.maximum.accumulate(steps, axis=1)
    return np.where(lacking, np.take_along_axis(values, last, axis=1), values)


def held_values(values: np.ndarray) -> np.ndarray:
    """Return (steps,) from the first known value on, the last known one before it in the place of each gap.

    Example:
        >>> held_values(np.array([np.nan, 1.0, np.nan, 3.0])).tolist()
        [1.0, 1.0, 3.0]
    """
    known = values[int(np.argmax(np.isfinite(values))) :][None]
    return _filled(known, np.isnan(known))[0]
