"""The protocol of a check, and what checks have in common: kinds of target, parts, samples of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from kexp.data import Dataset, Split
from kexp.data.dataset import sample_count
from kexp.preflight.findings import Finding
from kexp.tasks import task_named

_FEWEST = 50  # training rows, below which chance explains too much


class DataCheck:
    """A check of the data alone.

    Attributes:
        name: Of its finding, two words at most.
    """

    name: ClassVar[str]

    def applies(self, data: Dataset) -> bool:
        """Return whether there is anything to check in such data."""
        raise NotImplementedError

    def findings(self, data: Dataset) -> Sequence[Finding]:
        """Return what is found: "ok" or "warning", with the numbers and one thing to do."""
        raise NotImplementedError


def class_labels(data: Dataset) -> np.ndarray | None:
    """Return the (samples,) classes of training data, None where a sample has none or there is but one.

    Example:
        >>> import kexp
        >>> class_labels(kexp.data.load("iris")).shape, class_labels(kexp.data.load("diabetes"))
        ((108,), None)
    """
    if not task_named(data.spec.task).has_labels or len(np.unique(data.train.targets)) < 2:
        return None
    return np.asarray(data.train.targets)


def target_numbers(data: Dataset) -> np.ndarray | None:
    """Return the (samples, outputs) numbers that training data has for targets, None where they are none.

    Example:
        >>> import kexp
        >>> target_numbers(kexp.data.load("diabetes")).shape
        (319, 1)
    """
    targets = data.train.targets
    is_number = isinstance(targets, np.ndarray) and targets.dtype.kind == "f" and targets.ndim == 2
    return targets if is_number and targets.shape[1] and np.ptp(targets, axis=0).any() else None


def has_targets(data: Dataset) -> bool:
    """Return whether enough training rows have a class or numbers to be predicted."""
    enough = sample_count(data.train.targets) >= _FEWEST
    return enough and (class_labels(data) is not None or target_numbers(data) is not None)


def other_parts(data: Dataset) -> Iterator[tuple[str, Split]]:
    """Yield validation and test data by name, where they are."""
    for name, part in (("validation", data.validation), ("test", data.test)):
        if part is not None and not (name == "test" and part is data.validation):
            yield name, part


def some_rows(count: int, most: int) -> np.ndarray:
    """Return the ascending positions of at most so many rows out of `count`, drawn with a fixed seed.

    Example:
        >>> some_rows(3, 10).tolist(), len(some_rows(100, 10))
        ([0, 1, 2], 10)
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def sampled_note(count: int, most: int) -> str:
    """Return the words that say how many rows were looked at, nothing where it was all of them.

    Example:
        >>> sampled_note(50_000, 20_000), sampled_note(10, 20)
        (' (looked at: 20,000 of 50,000 training rows)', '')
    """
    return f" (looked at: {most:,} of {count:,} training rows)" if count > most else ""
