"""Trials on the machines of a Ray cluster, which places and retries them; the record stays at home."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.sweep.folders import FULL_DISK, trial_folder
from kexp.sweep.pool import Death
from kexp.sweep.store import Store, Trial
from kexp.sweep.task import ATTEMPTS, Call, Order, crash_log, perform
from kexp.train.checkpoint.checkpoint import newest_step

_CONNECT_S = 5.0  # until a machine has answered; Ray itself tries for minutes
_CLIENT_PORT = 10001
_SAVING_S = 60.0  # how long trials may take to save their state
_LOOK_S = 0.1
_VARIABLES = ("KEXP_", "KERAS_", "TF_", "XLA_")


@dataclass(frozen=True)
class _Task:
    order: Order
    trial: Trial | None = None


class Cluster:
    """Has a Ray cluster run the trials inside a `with` block, in the place of a `Pool`.

    Tasks read and write run folders alone, which all machines see. How they ended comes back as plain data,
    and the coordinator's process writes it down.

    Args:
        directory: The sweep folder, on a file system that all machines share.
        workers: How many trials may be under way at a time.
        threads: Of each worker's TensorFlow, the same for any number of workers.
        address: "auto", "host:6379" of a cluster that this machine belongs to, or "ray://host:10001".
        resources: What a trial takes of a node, by Ray's names; one CPU unless it says otherwise.

    Raises:
        InputError: Ray is missing, no cluster answers, or none of its nodes has the resources.
    """

    def __init__(
        self, directory: Path, workers: int, threads: int, *, address: str, resources: Mapping[str, float]
    ) -> None:
        self._ray = _ray()
        self._resources = checked_resources(resources)
        self._directory = directory.absolute()
        self._workers = workers
        self._threads = threads
        self._address = address
        self._mark = f"logs/ray-{uuid.uuid4().hex}"
        self._under_way: dict[Any, _Task] = {}  # by Ray's references
        self._connected = False  # by us, so that it is ours to end
        self._store = Store(self._directory)

    def __enter__(self) -> Cluster:
        environment = {"env_vars": _variables(self._threads)}
        try:
            if not self._ray.is_initialized():
                _connect(self._ray, self._address, environment)
                self._connected = True
            self._check_nodes()
            (self._directory / "logs").mkdir(exist_ok=True)
            (self._directory / self._mark).touch()
            self._perform = self._ray.remote(**self._options(), runtime_env=environment)(perform)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for reference in self._under_way:
            with contextlib.suppress(Exception):  # of a cluster that is gone
                self._ray.cancel(reference, force=True)
        self._under_way.clear()
        (self._directory / self._mark).unlink(missing_ok=True)
        self._store.close()
        if self._connected:
            self._ray.shutdown()

    def deaths(self) -> Iterator[Death]:
        """Hand tasks to Ray and take in those that have ended; yield what only the coordinator can handle."""
        self._hand_out_what_is_asked_once()
        while sum(task.trial is not None for task in self._under_way.values()) < self._workers:
            trial = self._store.claim(f"ray-{os.getpid()}")
            if trial is None:
                break
            crash_log(self._directory, trial.number).unlink(missing_ok=True)
            self._hand_out("trial", [(trial.number, trial.arguments)], trial)
        yield from self._ended()

    def frozen(self, beats: Mapping[str, float], lease_s: float) -> Iterator[Death]:
        """Yield nothing: Ray itself watches over its nodes."""
        return iter(())

    def stop(self) -> None:
        """Have all trials save their state and wait; those that take too long are killed."""
        for reference in self._under_way:
            self._ray.cancel(reference, force=False)  # to the task this is SIGINT
        deadline_s = time.monotonic() + _SAVING_S
        while self._under_way and time.monotonic() < deadline_s:
            for _ in self._ended():
                pass  # of a full disk: that trial goes on from its last checkpoint
            time.sleep(_LOOK_S)
        for task in self._under_way.values():
            if task.trial is not None:
                self._store.release(task.trial.number, task.trial.token)

    def _check_nodes(self) -> None:
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= count for name, count in self._resources.items()) for node in nodes):
            return
        most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in self._resources}
        raise InputError(
            f"resources must be what one node of the cluster has; received {self._resources}, and the most "
            f"that a node has of each is {most}, so ask for less or add a node."
        )

    def _options(self) -> dict[str, Any]:
        own = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
        options: dict[str, Any] = {own[name]: count for name, count in self._resources.items() if name in own}
        others = {name: count for name, count in self._resources.items() if name not in own}
        return {
            **options,
            "resources": others,
            "max_retries": ATTEMPTS - 1,
            "scheduling_strategy": "SPREAD",
        }

    def _hand_out_what_is_asked_once(self) -> None:
        calls = {task.order.call for task in self._under_way.values()}
        if "look" not in calls and self._store.fact("look") == "wanted":
            self._hand_out("look", [(-1, self._store.fact("sweep")["arguments"])])
        winners = self._store.fact("winners")
        if "test" not in calls and winners:
            trials = [trial for trial in self._store.trials() if trial.number in winners]
            self._hand_out("test", [(trial.number, trial.arguments) for trial in trials])

    def _hand_out(self, call: Call, runs: Any, trial: Trial | None = None) -> None:
        order = Order(
            call,
            runs,
            step=0 if trial is None else newest_step(self._checkpoints(trial)),
            recipe=self._store.fact("sweep")["recipe"],
            directory=self._directory,
            mark=self._mark,
            place=Path.cwd(),
            threads=self._threads,
        )
        self._under_way[self._perform.remote(order)] = _Task(order, trial)

    def _ended(self) -> Iterator[Death]:
        """Write down what has ended, each thing before it is forgotten here."""
        references = list(self._under_way)
        ended = self._ray.wait(references, num_returns=len(references), timeout=0)[0] if references else []
        for reference in ended:
            task, outcome = self._under_way[reference], self._outcome(reference)
            if outcome["state"] == "refused":
                raise InputError(outcome["mistake"])
            if outcome["state"] == "full":
                yield Death("ray", "the disk is full", FULL_DISK, self._directory / self._mark)
            elif task.trial is not None:
                self._write_trial(task, task.trial, outcome)
            else:
                self._write_fact(task, outcome)
            del self._under_way[reference]

    def _outcome(self, reference: Any) -> dict[str, Any]:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.TaskCancelledError:
            return {"state": "stopped"}
        except (errors.RayTaskError, errors.RuntimeEnvSetupError) as error:
            mistake = (
                f"cluster {self._address} cannot run kexp's tasks: {str(error).strip().splitlines()[-1]}; "
                'install the same Python and "kexp[ray]" on all its machines.'
            )
            return {"state": "refused", "mistake": mistake}
        except errors.RayError as error:
            return {"state": "lost", "error": str(error).strip().partition("\n")[0]}

    def _write_trial(self, task: _Task, trial: Trial, outcome: dict[str, Any]) -> None:
        state, seconds = outcome["state"], round(trial.seconds + outcome.get("seconds", 0.0), 3)
        lease = (trial.number, trial.token)
        if state == "completed":
            self._store.complete(*lease, outcome["metrics"], seconds=seconds, bytes=outcome["bytes"])
        elif state == "failed":
            self._store.fail(*lease, outcome["error"], seconds=seconds, bytes=outcome["bytes"])
        elif state == "stopped" or newest_step(self._checkpoints(trial)) > task.order.step:
            self._store.release(*lease, seconds=seconds)
        else:
            log = crash_log(self._directory, trial.number)
            words = Death("ray", "", 0, log).last_words()
            self._store.fail(
                *lease,
                f"Its worker died {ATTEMPTS} times without progress; at last Ray said: {outcome['error']}\n"
                f"{words}",
            )

    def _write_fact(self, task: _Task, outcome: dict[str, Any]) -> None:
        if task.order.call == "look":
            if outcome["state"] != "stopped":
                self._store.set_facts(look=outcome.get("look", {}))  # the trials will say what is wrong
        elif outcome["state"] == "completed":
            numbers = [number for number, _ in task.order.runs]
            tested = {"trials": numbers, "metrics": outcome["metrics"]}
            self._store.set_facts(tested=tested, winners=None)
        elif outcome["state"] != "stopped":
            raise RuntimeError(f"The winner could not be measured on test data: {outcome['error']}")

    def _checkpoints(self, trial: Trial) -> Path:
        return trial_folder(self._directory, trial.number) / "checkpoints"


def checked_resources(resources: Mapping[str, float]) -> dict[str, float]:
    """Return what a trial takes of a node, with one CPU unless it says otherwise.

    Raises:
        InputError: It is no mapping from names to amounts that Ray can share out.

    Example:
        >>> checked_resources({"GPU": 0.5})
        {'CPU': 1, 'GPU': 0.5}
    """
    fits = isinstance(resources, Mapping) and all(
        isinstance(name, str)
        and isinstance(count, int | float)
        and not isinstance(count, bool)
        and (0.0001 <= count < 1 or (count >= 1 and count == int(count)))
        for name, count in resources.items()
    )
    if not fits:
        raise InputError(
            "resources must be numbers above 0 by name, whole ones from 1 on, such as {'CPU': 4, 'GPU': 1}; "
            f"received {resources!r}."
        )
    return {"CPU": 1, **resources}


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise InputError('cluster needs Ray, which is not installed; run: pip install "kexp[ray]".') from None
    return ray


def _variables(threads: int) -> dict[str, str]:
    """Return what makes a task find the modules and the data that this process finds."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    own = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}
    # Ray would say as many as the trial has CPUs; sums are split by it.
    return {**own, "PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads)}


def _connect(ray: Any, address: str, environment: dict[str, Any]) -> None:
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address != "auto":
            _check_answers(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env=environment)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        raise InputError(
            f"cluster must be 'auto', or the address of a Ray cluster that answers, such as "
            f"'ray://host:10001'; received {address!r} ({reason}), so start one with `ray start --head`."
        ) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has put its own in its place


def _check_answers(address: str) -> None:
    host, _, port = address.removeprefix("ray://").partition(":")
    socket.create_connection((host, int(port or _CLIENT_PORT)), _CONNECT_S).close()
