"""Dynamic batching: requests that come while a prediction is computed are computed together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Inputs
from kexp.tasks.predictions import Predictions

Outputs = dict[str, np.ndarray]
_MOST_WAITING = 64  # full batches of rows, beyond which a server is too busy to promise an answer


class ServerBusy(RuntimeError):
    """So many rows are waiting that no more are taken."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    inputs: Inputs
    rows: int
    outputs: asyncio.Future[Outputs]


class Batcher:
    """Predicts what several requests ask for in one call, in one thread, in the order they came.

    A request that finds the thread idle waits for others `wait_s` at most; while it computes, all that come
    gather for the next batch. Its numbers may differ from those of the request alone by rounding, as for any
    other size of batch.

    Args:
        predict: What computes a batch.
        thread: Of one worker, where it computes; it may be shared.
        most_rows: Of a batch, unless one request has more, 1 or more.
        wait_s: How long the first request of a batch waits, 0 or more.
        observe: Told the rows of each batch.
    """

    def __init__(
        self,
        predict: Callable[[Inputs], Predictions],
        thread: Executor,
        *,
        most_rows: int,
        wait_s: float,
        observe: Callable[[int], object],
    ) -> None:
        self._predict, self._thread = predict, thread
        self._most_rows, self._wait_s, self._observe = most_rows, wait_s, observe
        self._waiting: list[_Waiting] = []
        self._full = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    async def predict(self, inputs: Inputs, rows: int) -> Outputs:
        """Return the predictions for samples, by name as of `Predictions.named`.

        Args:
            inputs: As of `kexp.data.adapters.adapt_inputs`.
            rows: How many samples, 1 or more.

        Raises:
            ServerBusy: Too many rows are waiting.
            InputError: The model cannot compute them.
        """
        if self._rows >= _MOST_WAITING * self._most_rows:
            raise ServerBusy
        waiting = _Waiting(inputs, rows, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._working is None or self._working.done():
            self._full = asyncio.Event()
            self._working = asyncio.create_task(self._work())
        if self._rows >= self._most_rows:
            self._full.set()
        return await waiting.outputs

    @property
    def _rows(self) -> int:
        return sum(one.rows for one in self._waiting)

    async def _work(self) -> None:
        """Compute batches until nothing waits."""
        if self._wait_s and not self._full.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._wait_s)
        while batch := self._next_batch():
            self._observe(sum(one.rows for one in batch))
            computing = asyncio.get_running_loop().run_in_executor(
                self._thread, self._computed, [one.inputs for one in batch], [one.rows for one in batch]
            )
            try:
                found: Sequence[Outputs | Exception] = await computing
            except Exception as error:  # which every request of it is told
                found = [error] * len(batch)
            for one, outputs in zip(batch, found, strict=True):
                _settle(one.outputs, outputs)

    def _next_batch(self) -> list[_Waiting]:
        """Take the first requests whose samples have one shape, as many as fit; nobody waits for others."""
        self._waiting = [one for one in self._waiting if not one.outputs.done()]
        batch: list[_Waiting] = []
        rows = 0
        for one in self._waiting:
            if batch and (
                rows + one.rows > self._most_rows or _shapes(one.inputs) != _shapes(batch[0].inputs)
            ):
                break
            batch.append(one)
            rows += one.rows
        del self._waiting[: len(batch)]
        return batch

    def _computed(self, inputs: list[Inputs], rows: list[int]) -> list[Outputs | Exception]:
        """Return the outputs of each request; one that fails has the others computed without it."""
        try:
            outputs = self._predict(_joined(inputs)).named()
        except InputError as error:
            if len(inputs) == 1:
                return [error]
            return [self._computed([one], [count])[0] for one, count in zip(inputs, rows, strict=True)]
        ends = np.cumsum(rows)
        return [
            {name: values[end - count : end] for name, values in outputs.items()}
            for end, count in zip(ends, rows, strict=True)
        ]


def _settle(future: asyncio.Future[Outputs], outputs: Outputs | Exception) -> None:
    if future.done():  # whoever asked has gone
        return
    if isinstance(outputs, Exception):
        future.set_exception(outputs)
    else:
        future.set_result(outputs)


def _shapes(inputs: Inputs) -> list[tuple[int, ...]]:
    arrays = [inputs] if isinstance(inputs, np.ndarray) else inputs.values()
    return [array.shape[1:] for array in arrays]


def _joined(inputs: list[Inputs]) -> Inputs:
    """Return the samples of several requests as one batch.

    Example:
        >>> _joined([np.zeros((1, 2)), np.ones((2, 2))]).shape
        (3, 2)
    """
    first = inputs[0]
    if len(inputs) == 1:
        return first
    if isinstance(first, np.ndarray):
        return np.concatenate([one for one in inputs if isinstance(one, np.ndarray)])
    return {
        name: np.concatenate([one[name] for one in inputs if not isinstance(one, np.ndarray)])
        for name in first
    }
