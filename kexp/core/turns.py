"""Cooperative threads: one runs at a time, and all that wait are served together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
R = TypeVar("R")


class Turns(Generic[Q, A]):
    """Threads that take turns, in order, so that what they do to the process is deterministic.

    A thread runs until it waits for an answer or ends. When all that are left wait, questions are answered,
    of some of them or of all.

    Args:
        serve: From the questions of all that wait to an answer for each, None where it has to wait on; one
            of them at least must be answered, sooner or later.

    Example:
        >>> turns = Turns(lambda numbers: [sum(numbers) for _ in numbers])
        >>> turns.run([lambda: turns.wait(1), lambda: turns.wait(2) + turns.wait(5)], print)
        0 3
        1 8
    """

    def __init__(self, serve: Callable[[Sequence[Q]], Sequence[A | None]]) -> None:
        self._serve = serve
        self._back = threading.Semaphore(0)
        self._current: _Turn | None = None

    def run(self, jobs: Sequence[Callable[[], R]], on_end: Callable[[int, R], object]) -> None:
        """Run jobs to their ends, each in a thread of its own, in the context of this call.

        Args:
            jobs: In the order of their turns.
            on_end: Called, in the thread of this call, with the number of a job that has ended, from 0, and
                with what it returned.
        """
        turns = [_Turn(number, copy_context(), job, self._back) for number, job in enumerate(jobs)]
        ready = turns
        while turns:
            for turn in ready:
                self._current = turn
                turn.go.release()
                self._back.acquire()
                if turn.error is not None:
                    raise turn.error
                if turn.has_ended:
                    on_end(turn.number, turn.result)
            turns = [turn for turn in turns if not turn.has_ended]
            answers = self._serve([turn.question for turn in turns]) if turns else ()
            ready = []
            for turn, answer in zip(turns, answers, strict=True):
                if answer is not None:
                    turn.answer = answer
                    ready.append(turn)

    def wait(self, question: Q) -> A:
        """Return the answer to a question of the job that runs, once all others wait or have ended."""
        turn = self._current
        assert turn is not None
        turn.question = question
        self._back.release()
        turn.go.acquire()
        answer: A = turn.answer
        return answer


class _Turn(threading.Thread):
    question: Any
    answer: Any
    result: Any

    def __init__(
        self, number: int, context: Context, job: Callable[[], object], back: threading.Semaphore
    ) -> None:
        super().__init__(daemon=True)
        self.number = number
        self.go = threading.Semaphore(0)
        self.has_ended = False
        self.error: BaseException | None = None
        self._context, self._job, self._back = context, job, back
        self.start()

    def run(self) -> None:
        self.go.acquire()
        try:
            self.result = self._context.run(self._job)
        except BaseException as error:
            self.error = error
        self.has_ended = True
        self._back.release()
