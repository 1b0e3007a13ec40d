"""The data of a recorded `kexp.fit`, made again of what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kexp.core.errors import InputError
from kexp.core.options import complete
from kexp.data import Dataset, load
from kexp.run.fit_plan import EpochOptions, GivenData
from kexp.run.given_data import data_of_keras, data_of_task
from kexp.run.record import RunRecord

_GIVEN = {"x", "y", "validation_data"}


def fit_data(record: RunRecord, data: Any) -> Dataset:
    """Return the data set of a run of `kexp.fit`, as it was split for that.

    Args:
        record: Of the run.
        data: What it was given: `(x, y)`, `{"x": x, "y": y, "validation_data": (x, y)}`, or its `x` alone
            where the targets are in that.

    Raises:
        InputError: The data cannot be used as they are, or no data are given.

    Example:
        >>> import kexp
        >>> fit_data(kexp.load(run_dir), {"y": [0, 1]})
        Traceback (most recent call last):
        ...
        kexp.InputError: data must have x, and y and validation_data where kexp.fit was given them; received
        y.
    """
    arguments = record.config["arguments"]
    given, options = _given(data), complete({"seed": arguments.get("seed", 0)})
    validated = any(name.startswith("val_") for name in record.history)
    share = arguments.get("validation", 0.0) if validated else 0.0
    if given.y is None and isinstance(given.x, str):
        return load(given.x, validation=share, seed=options["seed"])
    # What was compiled, or had a loss of the caller's, is understood by that.
    by_task = "compiled" not in arguments and arguments.get("loss") is None
    given = GivenData(
        given.x,
        given.y,
        validation_data=given.validation_data,
        validation_split=arguments.get("validation_split", 0.0),
        validation=0.0 if given.validation_data is not None else share,
        by_task=by_task,
    )
    if by_task:
        return data_of_task(given, options)
    epochs = EpochOptions(
        steps=arguments.get("epochs_steps"), validation_steps=arguments.get("epochs_validation_steps")
    )
    return data_of_keras(record.model, given, epochs, options)[0]


def _given(data: Any) -> GivenData:
    """Return what was given, by the names of the arguments of `kexp.fit`."""
    if isinstance(data, Mapping) and set(data) <= _GIVEN:
        if "x" not in data:
            raise InputError(
                "data must have x, and y and validation_data where kexp.fit was given them; received "
                f"{', '.join(data)}."
            )
        return GivenData(**data)
    if isinstance(data, tuple) and len(data) == 2:
        return GivenData(*data)
    return GivenData(data)
