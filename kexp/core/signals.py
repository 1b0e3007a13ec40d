"""Stopping on request: the first signal ends a run at its next step, a second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A run was asked to stop by a signal and has saved its state; the same call goes on from there.

    Attributes:
        signal_number: SIGINT or SIGTERM; the command line exits with 128 and this number, 130 or 143.
        step: Steps that were taken since the run began.
    """

    def __init__(self, signal_number: int, step: int) -> None:
        super().__init__(f"stopped by signal {signal_number} after step {step}")
        self.signal_number = signal_number
        self.step = step


class StopRequest:
    """Listens for SIGINT and SIGTERM inside a `with` block.

    The first signal is only noted. It also puts back the handlers that were there before, so that
    a second signal does what it would have done without a run. Outside the main thread, where
    Python allows no handlers, it hears of what `told_to_threads` listens for, if of anything.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._elsewhere = _of_threads.get()
        self._before: dict[int, Any] = {}

    @property
    def signal_number(self) -> int | None:
        """The signal that came, None if none has."""
        return self._number if self._elsewhere is None else self._elsewhere.signal_number

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._number = number
        self._put_back()

    def _put_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())


_of_threads: ContextVar[StopRequest | None] = ContextVar("who listens for threads", default=None)


@contextmanager
def told_to_threads() -> Iterator[StopRequest]:
    """Listen for SIGINT and SIGTERM on behalf of the threads that run in copies of this context."""
    with StopRequest() as stop:
        token = _of_threads.set(stop)
        try:
            yield stop
        finally:
            _of_threads.reset(token)
