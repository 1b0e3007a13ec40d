"""A few raw inputs kept with a run, so that its export can be compared with it later."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kexp.core.files import replacing
from kexp.data import Dataset, DatasetSpec
from kexp.data.dataset import Inputs

COUNT = 64


def save_samples(path: Path, data: Dataset) -> None:
    """Write the first samples of the test part, or of the training part when there is none, to `path`."""
    inputs = (data.test or data.train).inputs
    columns = (
        [inputs] if isinstance(inputs, np.ndarray) else [inputs[name.name] for name in data.spec.columns]
    )
    first = {
        # Strings are stored with their length: objects would have to be unpickled.
        f"column_{number}": column[:COUNT].astype(str) if column.dtype == object else column[:COUNT]
        for number, column in enumerate(columns)
    }
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **first)  # type: ignore[arg-type]


def load_samples(path: Path, spec: DatasetSpec) -> Inputs:
    """Return what `save_samples` wrote, as the model takes it."""
    with np.load(path, allow_pickle=False) as stored:
        columns = [stored[f"column_{number}"] for number in range(len(stored.files))]
    if spec.kind == "text":
        return columns[0].astype(object)
    if spec.kind != "table":
        return columns[0]
    return {
        column.name: values.astype(object) if column.kind == "category" else values
        for column, values in zip(spec.columns, columns, strict=True)
    }
