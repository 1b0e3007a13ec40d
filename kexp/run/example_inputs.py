"""A few raw inputs kept with a run, so that its export can be compared with it later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import replacing
from kexp.core.numpy_files import read_npz
from kexp.data import Dataset, DatasetSpec
from kexp.data.dataset import Inputs
from kexp.run.run_files import ADVICE

SampleSplit = Literal["validation", "training"]
COUNT = 64


def save_samples(path: Path, data: Dataset) -> SampleSplit:
    """Write the first samples of the validation part, or of the training part when there is none, to `path`.

    Those of the test part are left alone: an export shows some of these to whoever gets it.

    Returns:
        The name of the part.
    """
    split = data.validation or data.train
    inputs = split.inputs
    names = data.spec.inputs or data.spec.columns
    columns = [inputs[name.name] for name in names] if isinstance(inputs, Mapping) else [inputs]
    first = {
        # Strings are stored with their length: objects would have to be unpickled.
        f"column_{number}": column[:COUNT].astype(str) if column.dtype == object else column[:COUNT]
        for number, column in enumerate(columns)
    }
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **first)  # type: ignore[arg-type]
    return "training" if split is data.train else "validation"


def load_samples(path: Path, spec: DatasetSpec) -> Inputs:
    """Return what `save_samples` wrote, as the model takes it.

    Raises:
        InputError: The file is missing or damaged, or holds other samples than the data has.
    """
    arrays = read_npz(path, ADVICE)
    several = len(spec.columns) if spec.kind == "table" else len(spec.inputs) or 1
    names = [f"column_{number}" for number in range(several)]
    if arrays.keys() != set(names) or not _fit([arrays[name] for name in names], spec):
        raise InputError(f"file {path}: holds other samples than the run's data has; {ADVICE}.")
    columns = [arrays[name] for name in names]
    if spec.kind == "text":
        return columns[0].astype(object)
    if spec.kind == "arrays":
        return {
            one.name: values.astype(object) if one.dtype == "string" else values
            for one, values in zip(spec.inputs, columns, strict=True)
        }
    if spec.kind != "table":
        return columns[0]
    return {
        column.name: values if column.kind == "number" else values.astype(object)
        for column, values in zip(spec.columns, columns, strict=True)
    }


def _fit(columns: list[np.ndarray], spec: DatasetSpec) -> bool:
    """Return whether there are as many samples in each column, of the shape and type that the data has."""
    if any(array.ndim == 0 or not len(array) for array in columns):
        return False
    received = [(array.shape[1:], array.dtype.kind) for array in columns]
    if spec.kind == "arrays":
        kinds = ["U" if one.dtype == "string" else np.dtype(one.dtype).kind for one in spec.inputs]
        return [kind for _, kind in received] == kinds and len({len(array) for array in columns}) == 1
    if spec.kind != "table":
        return received == [(spec.input_shape, "U" if spec.kind == "text" else np.dtype(spec.dtype).kind)]
    wanted = [((), "f" if column.kind == "number" else "U") for column in spec.columns]
    return received == wanted and len({len(array) for array in columns}) == 1
