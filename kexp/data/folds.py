"""Folds of cross-validation: which rows of a data set are held out in turn, as scikit-learn divides them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from kexp.core.constraints import AtLeast, Seed
from kexp.core.errors import InputError
from kexp.data.split_ways import SplitName

HeldPart = Literal["test", "validation"]
FoldCount = Annotated[int, AtLeast(2, most=1000)]
RepeatCount = Annotated[int, AtLeast(1, most=1000)]


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation.

    Attributes:
        number: From 0.
        folds: How many there are, 2 or more.
        seed: Of the division of the rows, where it is drawn; another one for each repeat.
        part: What the held-out rows are: "test", or "validation", beside which the test part stays as it is.
        repeat: How often all rows have been divided before, from 0.
        repeats: How often they are divided in all; default 1.
    """

    number: int
    folds: int
    seed: int = 0
    part: HeldPart = "test"
    repeat: int = 0
    repeats: int = 1

    def divide(
        self,
        way: SplitName,
        strata: np.ndarray,
        groups: np.ndarray | None = None,
        times: np.ndarray | None = None,
        gap: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Divide rows into those that are trained on and those that this fold holds out.

        Args:
            way: "stratified", "random", "group" (scikit-learn's GroupKFold) or "time" (its TimeSeriesSplit of
                rows in the order of time).
            strata: (rows,) the class of each row; all the same where there are no classes.
            groups: (rows,) what each row belongs to, for "group".
            times: (rows,) when each row is from, for "time"; what is trained on is earlier than all that is
                held out.
            gap: Of "time", by how much more than none.

        Returns:
            The rows that are trained on and those that are held out; in the order of time where that is the
            way, else ascending.

        Raises:
            InputError: There are too few rows, groups or rows of a class for so many folds, or rows in the
                order of time are to be divided repeatedly.

        Source: https://scikit-learn.org/stable/modules/cross_validation.html

        Example:
            >>> kept, held = Fold(1, 3).divide("time", np.zeros(8, int), times=np.arange(8.0))
            >>> kept.tolist(), held.tolist()
            ([0, 1, 2, 3], [4, 5])
        """
        if way == "group":
            assert groups is not None
            return self._by_group(groups)
        if way == "time":
            assert times is not None
            return self._by_time(times, gap)
        return self._drawn(way, strata)

    def _drawn(self, way: SplitName, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.model_selection import KFold, StratifiedKFold

        counts = np.unique(strata, return_counts=True)[1]
        stratified = way == "stratified" and len(counts) > 1
        self._require("rows of the rarest class" if stratified else "rows", int(counts.min()), self.folds)
        kind = StratifiedKFold if stratified else KFold
        return self._of(kind(self.folds, shuffle=True, random_state=self.seed), strata)

    def _by_group(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.model_selection import GroupKFold, KFold

        names, codes = np.unique(_in_their_order(groups), return_inverse=True)
        self._require("groups", len(names), self.folds)
        if not self.repeat:
            return self._of(GroupKFold(self.folds), codes, codes)
        # GroupKFold alone draws nothing: every repeat would be the same.
        _, held = self._of(KFold(self.folds, shuffle=True, random_state=self.seed), np.zeros(len(names)))
        is_held = np.isin(codes, held)
        return np.flatnonzero(~is_held), np.flatnonzero(is_held)

    def _by_time(self, times: np.ndarray, gap: float) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.model_selection import TimeSeriesSplit

        self._require_one_division()
        self._require("rows", len(times), self.folds + 1)
        order = np.argsort(times, kind="stable")
        kept, held = (order[rows] for rows in self._of(TimeSeriesSplit(self.folds), times))
        before = times[kept] < times[held[0]] - gap if gap else times[kept] < times[held[0]]
        if not before.any():
            raise InputError(
                f"folds={self.folds}: expected rows before the first that fold {self.number + 1} holds out, "
                "received none; pass fewer folds, a smaller gap, or another time column."
            )
        return kept[before], held

    def _of(
        self, splitter: object, strata: np.ndarray, groups: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        with warnings.catch_warnings():
            # Each class and group has been counted already.
            warnings.simplefilter("ignore", UserWarning)
            pairs = list(splitter.split(np.zeros(len(strata)), strata, groups))  # type: ignore[attr-defined]
        kept, held = pairs[self.number]
        return kept, held

    def _require(self, what: str, count: int, least: int) -> None:
        if count < least:
            raise InputError(
                f"folds={self.folds}: expected {least} {what} or more, received {count}; pass fewer folds."
            )

    def _require_one_division(self) -> None:
        if self.repeats > 1:
            raise InputError(
                f"repeats={self.repeats}: expected 1 of folds by time, which are divided in one way alone; "
                "leave it out."
            )

    def steps(self, steps: int) -> tuple[int, int]:
        """Return the steps of a series that this fold has, and how many of them, the last, are held out.

        As TimeSeriesSplit divides them: each fold holds out the next steps, after all that come before them.

        Args:
            steps: Of the whole series.

        Raises:
            InputError: There are too few of them.

        Example:
            >>> [Fold(number, 3).steps(9) for number in range(3)]
            [(5, 2), (7, 2), (9, 2)]
        """
        self._require_one_division()
        held = steps // (self.folds + 1)
        self._require("steps", steps, self.folds + 1)
        return steps - (self.folds - 1 - self.number) * held, held


def _in_their_order(groups: np.ndarray) -> np.ndarray:
    """Return groups so that numbers that were read as texts are sorted as numbers."""
    try:
        return groups.astype(np.float64)
    except ValueError:
        return groups


@dataclass(frozen=True)
class FoldPlan:
    """All folds of a cross-validation, in order: every repeat divides all rows anew.

    Attributes:
        folds: Of each repeat, 2 to 1000.
        repeats: 1 to 1000; default 1.
        seed: Of the first repeat's division; the next one has the next. Default 0.
        part: What the held-out rows are; default "test".
    """

    folds: FoldCount
    repeats: RepeatCount = 1
    seed: Seed = 0
    part: HeldPart = "test"

    def __len__(self) -> int:
        return self.folds * self.repeats

    def fold(self, number: int) -> Fold:
        """Return a fold by its number in all repeats, from 0.

        Example:
            >>> FoldPlan(5, repeats=2).fold(6)
            Fold(number=1, folds=5, seed=1, part='test', repeat=1, repeats=2)
        """
        repeat, own = divmod(number, self.folds)
        return Fold(own, self.folds, self.seed + repeat, self.part, repeat, self.repeats)


_fold: ContextVar[Fold | None] = ContextVar("fold of a cross-validation", default=None)


def current_fold() -> Fold | None:
    """Return the fold that data are to be divided for, or None."""
    return _fold.get()


@contextmanager
def use_fold(fold: Fold | None) -> Iterator[None]:
    """Have `kexp.data.load` and `kexp.data.windows` divide data for a fold, in this block.

    Example:
        >>> from kexp.data import load
        >>> with use_fold(Fold(0, folds=5)):
        ...     data = load("iris")
        >>> len(data.train), len(data.validation), len(data.test), data.test.rows.shape
        (108, 12, 30, (30,))
    """
    token = _fold.set(fold)
    try:
        yield
    finally:
        _fold.reset(token)
