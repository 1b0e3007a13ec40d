"""Windows of one long series: what came before as inputs, what comes next as targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.memory_budget import require_bytes
from kexp.data.dataset import Dataset, DatasetSpec, Split
from kexp.data.folds import current_fold
from kexp.data.merging_numbers import merging_notes
from kexp.data.ordered_series import read_series
from kexp.data.splits import fingerprint as content_fingerprint
from kexp.data.splits import read_only

MOST_STEPS = 2**31


def windows(
    values: Any,
    *,
    history: int,
    horizon: int = 1,
    test: int,
    validation: float = 0.1,
    column: str | Sequence[str] | None = None,
    time: str | None = None,
    series: str | None = None,
    name: str | None = None,
) -> Dataset:
    """Cut a series into every window of some steps of history and the steps that follow, in order of time.

    The last steps are tested on, the latest windows before them validated on. No target of an earlier
    part reaches into a later one: windows that would are left out. The history of a later part may,
    since it is known when the forecast is made.

    Args:
        values: (steps,) or (steps, channels) numbers in order of time; a DataFrame; or "sunspots", or a
            name or path of a CSV or Parquet file, with a row per step.
        history: Steps that are looked back at, 1 or more.
        horizon: Steps that are forecast, 1 or more; default 1.
        test: Steps at the end whose targets are the test part, from `horizon` on; 0 for no test part.
        validation: Share of the other windows to make choices on, the latest of them, at least 0 and
            below 1; default 0.1. 0: train on all of them.
        column: Column of a table that is forecast, or several that are looked back at, of which the first
            is; default for sunspots: "sunactivity".
        time: Column of a table with dates or numbers that its rows are put in the order of; default: its only
            column of dates, if it has one.
        series: Column of a table that says which of several series a row belongs to: no window reaches from
            one into another, and each has its own parts. Default: all rows are one series.
        name: Name of the data; default: that of the source, or "series".

    Returns:
        Data of the kind "series" for regression: inputs (samples, history, channels) float32 and targets
        (samples, horizon) float32, the next values of the first channel; every array read-only.

    Raises:
        InputError: For values that are not finite numbers, or too few of them.

    Example:
        >>> data = windows("sunspots", history=33, test=40)
        >>> data.train.inputs.shape, data.validation.inputs.shape, data.test.targets.shape
        ((212, 33, 1), (24, 33, 1), (40, 1))
        >>> data = windows(np.arange(20), history=3, horizon=2, test=4, validation=0)
        >>> data.train.inputs[-1].ravel().tolist(), data.train.targets[-1].tolist()
        ([11.0, 12.0, 13.0], [14.0, 15.0])
    """
    _require_arguments(history, horizon, test, validation)
    _require_names(name, column)
    read = read_series(values, column, time, series)
    name = name or read.name
    merging = merging_notes("the numbers are", np.concatenate(read.series))
    each = [_finite(name, one) for one in read.series]
    parts = [_parts(name, len(one), history, horizon, test, validation) for one in each]
    numbers = sum(len(rows) for one in parts for rows in one.values()) * (
        history * each[0].shape[1] + horizon
    )
    require_bytes(numbers * each[0].itemsize, f"history={history} of {sum(map(len, each))} steps")
    shape = (history, each[0].shape[1])
    spec = DatasetSpec("series", shape, "float32", "regression", horizon, target=read.target)
    whole = np.concatenate(each)
    fingerprint = content_fingerprint({"train": (whole, whole[:, 0])}, spec.to_json())
    drawn = {
        part: _joined(
            [_cut(one, rows[part], history, horizon) for one, rows in zip(each, parts, strict=True)]
        )
        for part in parts[0]
    }
    fold = current_fold()
    if fold is not None:
        drawn[fold.part] = replace(drawn[fold.part], rows=_target_steps(each, parts, fold.part, history))
    notes = (*read.notes, *merging)
    return Dataset(name, drawn["train"], drawn.get("validation"), drawn.get("test"), spec, fingerprint, notes)


def _parts(
    name: str, steps: int, history: int, horizon: int, test: int, validation: float
) -> dict[str, range]:
    """The windows of each part by their first step; of a fold, those of the steps that it has."""
    fold = current_fold()
    if fold is None:
        return _first_windows(name, steps, history, horizon, test, validation)
    tested = 0 if fold.part == "test" else test
    kept, held = fold.steps(steps - tested)
    if held < horizon:
        raise InputError(
            f"folds={fold.folds}: data {name!r} have {steps} steps, {held} for each fold, expected {horizon} "
            "of horizon or more; pass fewer folds."
        )
    share = validation if fold.part == "test" else 0.0
    parts = _first_windows(name, kept, history, horizon, held, share)
    if fold.part == "validation":
        parts["validation"] = parts.pop("test")
        if tested:
            parts["test"] = range(steps - tested - history, steps - history - horizon + 1)
    return parts


def _target_steps(
    each: Sequence[np.ndarray], parts: Sequence[dict[str, range]], part: str, history: int
) -> np.ndarray:
    """Return the step of each window's first target, counted over all series."""
    firsts = np.cumsum([0, *map(len, each)])
    return np.concatenate(
        [first + history + np.array(rows[part]) for first, rows in zip(firsts, parts, strict=False)]
    )


def _joined(splits: Sequence[Split]) -> Split:
    inputs, targets = ([getattr(one, part) for one in splits] for part in ("inputs", "targets"))
    return read_only(np.concatenate(inputs), np.concatenate(targets)) if len(splits) > 1 else splits[0]


def _require_arguments(history: object, horizon: object, test: object, validation: object) -> None:
    for argument, count, least in (("history", history, 1), ("horizon", horizon, 1), ("test", test, 0)):
        if isinstance(count, bool) or not isinstance(count, int) or not least <= count < MOST_STEPS:
            raise InputError(
                f"{argument}={shown(count)}: expected a whole number of steps, {least} or more; pass one."
            )
    if 0 < test < horizon:  # type: ignore[operator]
        raise InputError(f"test={test}: expected 0, or the {horizon} steps of horizon or more; pass more.")
    if isinstance(validation, bool) or not isinstance(validation, int | float) or not 0 <= validation < 1:
        raise InputError(
            f"validation={shown(validation)}: expected a share of at least 0 and below 1; pass 0.1 for a "
            "tenth."
        )


def _require_names(name: object, column: object) -> None:
    if name is not None and not isinstance(name, str):
        raise InputError(f"name={shown(name)}: expected a name of the data; pass one or none.")
    listed = column if isinstance(column, list | tuple) else () if column is None else (column,)
    if not all(isinstance(one, str) for one in listed):
        raise InputError(f"column={shown(column)}: expected the name of a column, or several; pass such.")


def _finite(name: str, series: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its step
        floats = series.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(floats).all(axis=1))
    if len(bad):
        raise InputError(
            f"data {name!r}: {len(bad)} of {len(floats)} steps are no finite numbers (in float32), the first "
            f"is step {bad[0]}; fill them in, or cut the series there."
        )
    return floats


def _first_windows(
    name: str, steps: int, history: int, horizon: int, test: int, validation: float
) -> dict[str, range]:
    """The windows of each part by their first step."""
    whole = steps - test - history - horizon + 1  # windows whose targets end before the test steps
    held = max(1, round(validation * whole)) if validation else 0
    # The last ones before the validation windows have targets in common with them.
    kept = whole - held - (horizon - 1 if held else 0)
    if kept < 1:
        raise InputError(
            f"data {name!r}: {steps} steps are too few for windows of {history} + {horizon} steps with "
            f"test={test} and validation={validation}; pass smaller ones, or more steps."
        )
    parts = {"train": range(kept)}
    if held:
        parts["validation"] = range(whole - held, whole)
    if test:
        parts["test"] = range(steps - test - history, steps - history - horizon + 1)
    return parts


def _cut(series: np.ndarray, rows: range, history: int, horizon: int) -> Split:
    before = np.lib.stride_tricks.sliding_window_view(series, history, axis=0)  # (windows, channels, history)
    after = np.lib.stride_tricks.sliding_window_view(series[history:, 0], horizon)  # (windows, horizon)
    inputs, targets = before[rows.start : rows.stop].swapaxes(1, 2), after[rows.start : rows.stop]
    return read_only(np.ascontiguousarray(inputs), np.ascontiguousarray(targets))
