"""Processes that train one model together: how they begin, agree, and notice that one is gone."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.core.errors import InputError, WorkerLost
from kexp.core.keras_private import wait_for_workers
from kexp.core.signals import STOPPING
from kexp.engine.base import OutOfMemory
from kexp.engine.tensorflow.cluster_spec import Cluster
from kexp.engine.tensorflow.rendezvous import barrier

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


class TensorFlowWorkers:
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
    def is_chief(self) -> bool:
        """Whether this is the one that writes."""
        return self.index == 0

    def all_reduce(self, numbers: Sequence[int]) -> list[int]:
        """Return the sums of whole numbers over all workers; each waits for the others."""
        return list(numbers) if self.count == 1 else self._all_reduce(np.asarray(numbers, np.int64)).tolist()

    def broadcast(self, content: bytes) -> bytes:
        """Return the chief's content on every worker; that of the others is ignored."""
        if self.count == 1:
            return content
        (size,) = self.all_reduce([len(content) if self.is_chief else 0])
        if not size:
            return b""  # TensorFlow's ring crashes on nothing
        words = np.zeros(-(-size // 4), np.int32)
        if self.is_chief:
            words.view(np.uint8)[:size] = np.frombuffer(content, np.uint8)
        return self._all_reduce(words).tobytes()[:size]

    def _all_reduce(self, numbers: np.ndarray) -> Any:
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant(numbers), axis=None).numpy()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Say in one sentence that another worker is gone, where TensorFlow finds that out.

        Raises:
            WorkerLost: It is.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            raise WorkerLost(
                f"Another of the {self.count} workers is gone ({_first_line(error)}). Start all of them "
                "again: the same call goes on from the last checkpoint."
            ) from error


@contextmanager
def memory_checked() -> Iterator[None]:
    """Raise what TensorFlow says of memory that ran out as an error of any engine.

    Raises:
        OutOfMemory: It did.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise OutOfMemory(_first_line(error)) from error


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
    barrier(cluster, timeout_s)
    os.environ["TF_CONFIG"] = cluster.to_json()
    # While it waits TensorFlow lets no Python run, and then keeps a handler of its own.
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    in_main = threading.current_thread() is threading.main_thread()
    for number in STOPPING if in_main else ():
        signal.signal(number, signal.SIG_DFL)
    # One that is gone since would be waited for without an end; this ends the process.
    faulthandler.dump_traceback_later(timeout_s, exit=True)
    try:
        return _begun(cluster, timeout_s)
    except RuntimeError as error:
        raise InputError(
            f"strategy 'multiworker' must be set up before TensorFlow computes anything ({error}); call the "
            "recipe, or enter kexp.scope('multiworker'), first of all."
        ) from error
    except tf.errors.OpError as error:
        raise WorkerLost(f"The workers could not begin together ({_first_line(error)}).") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
        for number, handler in handlers.items() if in_main else ():
            signal.signal(number, handler)


def _begun(cluster: Cluster, timeout_s: float) -> tf.distribute.Strategy:
    wait_for_workers(len(cluster.workers), timeout_s)
    choices = tf.distribute.experimental.CommunicationImplementation
    gpus = tf.config.list_physical_devices("GPU")
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=choices.AUTO if gpus else choices.RING
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant([1]), axis=None)  # all are there
    return strategy


def _first_line(error: tf.errors.OpError) -> str:
    return re.sub(r"\{\{.*?\}\} ?", "", error.message).strip().partition("\n")[0].rstrip(":.")
