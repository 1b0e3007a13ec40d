"""Batches that are read from disk by threads while the ones before are computed with."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing_extensions import Self

_THREADS = min(4, os.cpu_count() or 1)


class ReadAhead:
    """Reads batches by the positions of their samples, those that are planned before they are asked for.

    What is returned follows from the positions alone, whatever was planned: there is no place to save.

    Args:
        read: From (batch,) positions to the samples.

    Example:
        >>> with ReadAhead(lambda rows: [rows * 10]) as batches:
        ...     batches.plan([np.array([1, 2]), np.array([3])], 2)
        ...     [batches(np.array(rows))[0].tolist() for rows in ([1, 2], [3], [4])]
        [[10, 20], [30], [40]]
    """

    def __init__(self, read: Callable[[np.ndarray], list[np.ndarray]]) -> None:
        self._read = read
        self._threads = ThreadPoolExecutor(_THREADS, "read ahead")
        self._ahead = 1
        self._left: Iterator[np.ndarray] = iter(())
        self._begun: deque[tuple[bytes, Future[list[np.ndarray]]]] = deque()
        self._last: tuple[bytes, list[np.ndarray]] = (b"", [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def plan(self, batches: Iterable[np.ndarray], ahead: int) -> None:
        """Begin to read batches, which will be asked for in this order; those planned before are dropped.

        Args:
            batches: (batch,) positions each.
            ahead: Batches that are in memory, or on the way there, before they are asked for.
        """
        self._begun.clear()
        self._ahead = ahead
        self._left = iter(batches)
        self._begin()

    def __call__(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return the samples at (batch,) positions."""
        key = rows.tobytes()
        planned = [number for number, (begun, _) in enumerate(self._begun) if begun == key]
        if planned[:1] != [0] and key == self._last[0]:  # of the next player of the same step
            return self._last[1]
        if not planned:
            self._last = (key, self._read(rows))
            return self._last[1]
        for _ in range(planned[0]):
            self._begun.popleft()
        self._last = (key, self._begun.popleft()[1].result())
        self._begin()
        return self._last[1]

    def close(self) -> None:
        """Read no more."""
        self._begun.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while len(self._begun) < self._ahead and (rows := next(self._left, None)) is not None:
            self._begun.append((rows.tobytes(), self._threads.submit(self._read, rows)))


def read_rows(arrays: Iterable[Any], rows: np.ndarray) -> list[np.ndarray]:
    """Return rows of several arrays, which may be stored."""
    return [array[rows] for array in arrays]
