"""Targets that are quantities: one number or several for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.dataset import Kind
from kexp.data.targets.base import TargetKind, Targets
from kexp.data.targets.columns import column, is_one_hot


class Numbers(TargetKind):
    """(samples, outputs) float32."""

    name: ClassVar[str] = "numbers"
    task: ClassVar[str] = "regression"
    has_scale: ClassVar[bool] = True

    def applies(self, kind: Kind, inputs: Any, targets: Any) -> bool:
        """Return whether they are floats, but not labels as one-hot vectors."""
        array = np.asarray(targets)
        return array.ndim in (1, 2) and array.dtype.kind == "f" and not is_one_hot(array)

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        columns = {split: column(name, split, values) for split, values in targets.items()}
        return {split: _numbers(name, split, values) for split, values in columns.items()}, ()

    def outputs(self, targets: np.ndarray, class_names: object) -> int:
        return int(targets.shape[1])

    def of_column(self, numbers: np.ndarray) -> np.ndarray:
        return numbers.astype(np.float64)


def _numbers(name: str, split: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "O":
        raise InputError(
            f"data {name!r}: task='regression' needs numbers as targets, received text such as "
            f"{shown(values.flat[0])}; leave task out, or pass task='classification'."
        )
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its row
        numbers = values.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1))
    if len(bad):
        raise InputError(
            f"data {name!r}: the {split} targets are NaN or infinite (in float32) for {len(bad)} samples, "
            f"the first is sample {bad[0]}; remove or mend them."
        )
    return numbers.reshape(len(numbers), -1)
