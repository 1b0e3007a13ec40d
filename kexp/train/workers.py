"""Processes that train one model together: how they begin, agree, and notice that one is gone."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.errors import InputError, WorkerLost
from kexp.train.cluster import Cluster

# What TensorFlow raises in those that are left; which of them depends on what it was doing.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


class Workers:
    """The processes of the strategy in scope, which may be this one alone.

    All of them take the same steps and hold the same state. What depends on the clock, on a signal or on the
    disk is for the chief to say, or for all to add up, so that none goes on where another waits.
    """

    def __init__(self) -> None:
        self._strategy = tf.distribute.get_strategy()
        together = isinstance(self._strategy, tf.distribute.MultiWorkerMirroredStrategy)
        resolver = self._strategy.cluster_resolver if together else None
        self.count: int = len(resolver.cluster_spec().as_dict().get("worker", [0])) if resolver else 1
        self.index: int = (resolver.task_id or 0) if resolver else 0

    @property
    def chief(self) -> bool:
        """Whether this is the one that writes."""
        return self.index == 0

    def summed(self, numbers: Sequence[int]) -> list[int]:
        """Return the sums of whole numbers over all workers; each waits for the others."""
        return list(numbers) if self.count == 1 else self._summed(np.asarray(numbers, np.int64)).tolist()

    def from_chief(self, content: bytes) -> bytes:
        """Return what the chief gives, everywhere; what the others give is left out."""
        if self.count == 1:
            return content
        (size,) = self.summed([len(content) if self.chief else 0])
        if not size:
            return b""  # TensorFlow's ring crashes on nothing
        words = np.zeros(-(-size // 4), np.int32)
        if self.chief:
            words.view(np.uint8)[:size] = np.frombuffer(content, np.uint8)
        return self._summed(words).tobytes()[:size]

    def _summed(self, numbers: np.ndarray) -> Any:
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant(numbers), axis=None).numpy()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say in one sentence that another worker is gone, where TensorFlow finds that out.

        Raises:
            WorkerLost: It is.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            reason = re.sub(r"\{\{.*?\}\} ?", "", error.message).strip().partition("\n")[0]
            raise WorkerLost(
                f"Another of the {self.count} workers is gone ({reason}). Start all of them again: the same "
                "call goes on from the last checkpoint."
            ) from error


@cache
def start_workers(cluster: Cluster, timeout_s: float) -> tf.distribute.Strategy:
    """Return the strategy of this process's cluster, when all of its workers are there.

    Args:
        cluster: Who they are.
        timeout_s: How long to wait for them.

    Raises:
        WorkerLost: They are not all there in time.
        InputError: TensorFlow has been in use before, and cannot become a worker any more.
    """
    os.environ["TF_CONFIG"] = cluster.to_json()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    outcome: list[Any] = []
    # TensorFlow waits for ever, deaf to signals; so another thread waits for it.
    thread = threading.Thread(target=_start, args=(outcome,), daemon=True)
    thread.start()
    thread.join(timeout_s)
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)  # TensorFlow puts its own in
    if not outcome:
        raise WorkerLost(
            f"Not all of the {len(cluster.workers)} workers came within {timeout_s:g} s; this is worker "
            f"{cluster.index}, and {_missing(cluster)}. Start all of them, or give them more time with "
            "start_timeout_s."
        )
    if isinstance(outcome[0], RuntimeError):
        raise InputError(
            f"strategy 'multiworker' must be set up before TensorFlow computes anything ({outcome[0]}); call "
            "the recipe, or enter kexp.scope('multiworker'), first of all."
        )
    if isinstance(outcome[0], Exception):
        raise WorkerLost(f"The workers could not begin together: {outcome[0]}.")
    return outcome[0]


def _start(outcome: list[Any]) -> None:
    ring = tf.distribute.experimental.CommunicationImplementation.RING
    auto = tf.distribute.experimental.CommunicationImplementation.AUTO
    try:
        gpus = tf.config.list_physical_devices("GPU")
        options = tf.distribute.experimental.CommunicationOptions(implementation=auto if gpus else ring)
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant([1]), axis=None)  # all are there
        outcome.append(strategy)
    except Exception as error:
        outcome.append(error)


def _missing(cluster: Cluster) -> str:
    """Return which workers do not answer at their addresses."""

    def answers(address: str) -> bool:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
        except OSError:
            return False
        return True

    others = [place for place in enumerate(cluster.workers) if place[0] != cluster.index]
    silent = [f"{number} ({address})" for number, address in others if not answers(address)]
    return f"no answer came from {', '.join(silent)}" if silent else "the others did not get ready"
