"""The base of all classical methods: what each takes, how many rows it has time for, and how it is fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split
from kexp.tasks import Task, task_named


class FittedMethod(NamedTuple):
    """A method that is fitted to training data.

    Attributes:
        predict: From raw inputs to (samples, outputs): probabilities of classes or labels, or values.
        words: What it is called in a sentence, with what was chosen in fitting it.
    """

    predict: Callable[[Inputs], np.ndarray]
    words: str


class ClassicalMethod(ABC):
    """A method of statistics or machine learning that is no neural network.

    A method has no state. How many rows it is fitted to depends on the data alone, never on the clock: as
    many as `work` allows at `row_work` each, so that the same data give the same figures on any machine.

    Attributes:
        name: Of the file's method.
        work: Operations that fitting may take, in the unit of `row_work`: about 2 to 5 s on a core of 2020.
        least_rows: Rows below which fitting it would tell nothing; it fits no data of which it has time for
            fewer.
    """

    name: ClassVar[str]
    work: ClassVar[float]
    least_rows: ClassVar[int] = 200

    @abstractmethod
    def applies(self, data: Dataset) -> bool:
        """Return whether it takes such inputs and targets."""

    @abstractmethod
    def row_work(self, data: Dataset) -> float:
        """Return what fitting takes for each row, in the unit of `work`; 0 or more."""

    @abstractmethod
    def title(self, spec: DatasetSpec) -> str:
        """Return what it is called in the names of metrics, such as "ridge_regression_on_pixels"."""

    @abstractmethod
    def fit(self, train: Split, choice: Split, spec: DatasetSpec, seed: int) -> FittedMethod:
        """Return it fitted to data.

        Args:
            train: What it is fitted to, in memory.
            choice: What anything is chosen on, in memory.
            spec: What the data is.
            seed: Of what it draws by chance.
        """

    def most_rows(self, data: Dataset) -> int:
        """Return how many rows of a part it is fitted to or measured on at most."""
        return int(self.work / max(self.row_work(data), 1e-9))


def predicts_classes(spec: DatasetSpec) -> bool:
    """Return whether one class is predicted for each sample."""
    return task_named(spec.task).has_labels


def predicts_numbers(spec: DatasetSpec) -> bool:
    """Return whether numbers are predicted for each sample."""
    return task_named(spec.task).has_residuals


def predicts_labels(spec: DatasetSpec) -> bool:
    """Return whether any number of labels is predicted for each sample."""
    task: Task = task_named(spec.task)
    return task.has_logits and not task.has_classes and task.units_apart(spec, spec.outputs)


def spread(chosen: np.ndarray, shares: np.ndarray, outputs: int) -> np.ndarray:
    """Return (samples, outputs) shares of all classes, of those that training had.

    Args:
        chosen: (classes,) indices of the classes that training had.
        shares: (samples, classes) of them.
        outputs: How many classes there are.

    Example:
        >>> spread(np.array([0, 2]), np.array([[0.25, 0.75]]), 3).tolist()
        [[0.25, 0.0, 0.75]]
    """
    whole = np.zeros((len(shares), outputs), np.float32)
    whole[:, chosen] = shares
    return whole
