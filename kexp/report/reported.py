"""Subjects of pages: a run or a sweep, with what several sections show of it, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.dataset import Inputs
from kexp.report.importance import Importance
from kexp.report.sweep_record import SweepRecord

if TYPE_CHECKING:
    from kexp.run.record import RunRecord
    from kexp.tasks.predictions import Predictions


class ReportedRun:
    """A run and its data; predictions and samples that sections share are made once.

    Args:
        result: A finished run.
        data: What it was trained on, or None: nothing of it is shown.
    """

    def __init__(self, result: RunRecord, data: Dataset | None) -> None:
        self.result = result
        self.data = data
        self._predictions: dict[int, Predictions] = {}
        self._samples: dict[tuple[int, tuple[str, ...]], np.ndarray] = {}

    @property
    def spec(self) -> DatasetSpec:
        """What goes into the model and comes out."""
        return self.result.spec

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.result.run_dir

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Config, environment and metrics as they are recorded."""
        return self.result.provenance()

    @property
    def split(self) -> Split:
        """The validation split, or the training split where there is none; never the test split."""
        assert self.data is not None
        return self.data.validation or self.data.train

    @property
    def split_name(self) -> str:
        """What `split` is, in a sentence."""
        assert self.data is not None
        return "training" if self.data.validation is None else "validation"

    def predictions(self, count: int) -> Predictions:
        """Return the predictions for the first samples of the split, fewer where it has fewer."""
        if count not in self._predictions:
            self._predictions[count] = self.result.predict(first_samples(self.split.inputs, count))
        return self._predictions[count]

    def sample(self, n: int, labels: Sequence[str] = ()) -> np.ndarray:
        """Return samples of seed 0, of some classes or of any."""
        asked = n, tuple(labels)
        if asked not in self._samples:
            self._samples[asked] = self.result.sample(n, labels=list(labels) or None)
        return self._samples[asked]


class ReportedSweep(NamedTuple):
    """A sweep and the importance of its searched arguments."""

    record: SweepRecord
    importance: Importance


def first_samples(inputs: Inputs, count: int) -> Inputs:
    """Return the first samples of inputs.

    Example:
        >>> first_samples({"age": np.array([1.0, 2.0])}, 1)
        {'age': array([1.])}
    """
    if isinstance(inputs, Mapping):
        return {name: column[:count] for name, column in inputs.items()}
    return inputs[:count]
