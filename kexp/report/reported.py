"""Subjects of pages: a run or a sweep, with what several sections show of it, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.dataset import Inputs
from kexp.report.importance import Importance
from kexp.report.sweep_record import SweepRecord
from kexp.tasks import Task, task_named

if TYPE_CHECKING:
    from kexp.run.record import RunRecord
    from kexp.tasks.predictions import Predictions


class ReportedRun:
    """A run and its data; predictions and samples that sections share are made once.

    Args:
        record: A finished run.
        data: What it was trained on, or None: nothing of it is shown.
    """

    def __init__(self, record: RunRecord, data: Dataset | None) -> None:
        self.record = record
        self.data = data
        self._predictions: dict[int, Predictions] = {}
        self._samples: dict[tuple[int, tuple[str, ...]], np.ndarray] = {}

    @property
    def spec(self) -> DatasetSpec:
        """What goes into the model and comes out."""
        return self.record.spec

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.record.run_dir

    @property
    def task(self) -> Task:
        """What the model is for."""
        return task_named(self.spec.task)

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

    @cached_property
    def prediction_names(self) -> frozenset[str]:
        """Names of the predictions of a sample; none without data, or of a model that takes no inputs."""
        if self.data is None or not self.task.predicts_inputs:
            return frozenset()
        return frozenset(self.predictions(1).named())

    def predictions(self, count: int) -> Predictions:
        """Return the predictions for the first samples of the split, fewer where it has fewer."""
        if count not in self._predictions:
            self._predictions[count] = self.record.predictions_of(first_samples(self.split.inputs, count))
        return self._predictions[count]

    def sample(self, n: int, labels: Sequence[str] = ()) -> np.ndarray:
        """Return samples of seed 0, of some classes or of any."""
        asked = n, tuple(labels)
        if asked not in self._samples:
            self._samples[asked] = self.record.sample(n, labels=list(labels) or None)
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
