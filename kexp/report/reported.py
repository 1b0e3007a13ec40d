"""Subjects of pages: a run or a sweep, with what several sections show of it, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.array_specs import Head
from kexp.data.batch_feed import FedSplit
from kexp.data.dataset import Inputs
from kexp.data.splits import taken
from kexp.report.importance import Importance
from kexp.report.judged_classes import JudgedClasses, judge_classes
from kexp.report.judged_values import JudgedValues, judge_values
from kexp.report.sweep_record import SweepRecord
from kexp.tasks import Task, task_named
from kexp.tasks.several import head_spec

if TYPE_CHECKING:
    from kexp.evaluation.explain.network_findings import Findings
    from kexp.run.record import RunRecord
    from kexp.tasks.predictions import Predictions


MOST_JUDGED = 2000  # samples of a split that a page compares with their targets


class ReportedRun:
    """A run and its data; predictions and samples that sections share are made once.

    Args:
        record: A finished run.
        data: What it was trained on, or None: nothing of it is shown.
        findings: What its network learned, or None (default): that was not asked for.
    """

    def __init__(self, record: RunRecord, data: Dataset | None, findings: Findings | None = None) -> None:
        self.record = record
        self.data = data
        self.findings = findings
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

    @cached_property
    def judged_rows(self) -> np.ndarray:
        """(n,) places in `split` of the samples that are compared with their targets, in order.

        All of them, or 2,000 drawn by chance: the first ones of data that are sorted would tell of some
        classes alone.
        """
        count = len(self.split)
        if count <= MOST_JUDGED:
            return np.arange(count)
        return np.sort(np.random.default_rng(0).choice(count, MOST_JUDGED, replace=False))

    @cached_property
    def judged(self) -> Split:
        """The samples that are compared with their targets."""
        return self.split if len(self.judged_rows) == len(self.split) else taken(self.split, self.judged_rows)

    @property
    def judged_name(self) -> str:
        """How many samples these are, and of which part, for a sentence."""
        count, whole = len(self.judged_rows), len(self.split)
        if count == whole:
            return f"{count:,} {self.split_name} samples"
        return f"{count:,} {self.split_name} samples drawn by chance from {whole:,}"

    @cached_property
    def classes(self) -> JudgedClasses | None:
        """Truth and predictions of a classifier; None of another model, without data, or of soft labels."""
        if not self.task.has_labels or not self._has_targets:
            return None
        return judge_classes(self.judged.targets, self.judged_predictions, self.spec)

    @cached_property
    def values(self) -> JudgedValues | None:
        """Truth and predictions of a regression; None of another model, or without data."""
        if not self.task.has_residuals or not self._has_targets:
            return None
        return judge_values(self.judged.targets, self.judged_predictions, self.spec)

    @cached_property
    def outputs(self) -> tuple[ReportedOutput, ...]:
        """Of a model with several outputs each that has targets; none of another model, or without data."""
        if not self._has_targets:
            return ()
        return tuple(
            ReportedOutput(self, head) for head in self.spec.heads if head.name in self.split.targets
        )

    @property
    def _has_targets(self) -> bool:
        # Of what comes in batches there is no more than a first one.
        return self.data is not None and not isinstance(self.split, FedSplit)

    @cached_property
    def judged_predictions(self) -> Predictions:
        if len(self.judged_rows) == len(self.split):
            return self.predictions(MOST_JUDGED)
        return self.record.predictions_of(self.judged.inputs)

    def sample(self, n: int, labels: Sequence[str] = ()) -> np.ndarray:
        """Return samples of seed 0, of some classes or of any."""
        asked = n, tuple(labels)
        if asked not in self._samples:
            self._samples[asked] = self.record.sample(n, labels=list(labels) or None)
        return self._samples[asked]


class ReportedOutput(ReportedRun):
    """One of several outputs of a run, which sections show as they do a run with this output alone.

    Args:
        run: The whole.
        head: The output.
    """

    def __init__(self, run: ReportedRun, head: Head) -> None:
        super().__init__(run.record, run.data)
        self._run = run
        self._head = head

    @property
    def name(self) -> str:
        """Name of the output."""
        return self._head.name

    @cached_property
    def spec(self) -> DatasetSpec:
        """What goes into the model and comes out of this output."""
        return head_spec(self._run.spec, self._head)

    @cached_property
    def split(self) -> Split:
        """The split of the run with the targets of this output."""
        return Split(self._run.split.inputs, self._run.split.targets[self.name])

    @property
    def judged_rows(self) -> np.ndarray:
        """(n,) places of the samples that are compared with their targets: the same for all outputs."""
        return self._run.judged_rows

    @property
    def judged_predictions(self) -> Predictions:
        outputs = self._run.judged_predictions.outputs
        assert outputs is not None
        return outputs[self.name]


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
