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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError, shown
from kexp.sweep.executors.base import FULL_DISK, WorkerExit, log_tail
from kexp.sweep.executors.ray_task import (
    ATTEMPTS,
    Answer,
    Ended,
    EvaluateWinners,
    Probe,
    Request,
    RunTrial,
    TaskSpec,
    crash_log,
    run,
)
from kexp.sweep.folders import steps_done, trial_folder
from kexp.sweep.metadata import DESCRIPTION, EVALUATION, PROBE, WINNERS
from kexp.sweep.state import (
    Completed,
    Ending,
    Evaluation,
    Failed,
    FullDisk,
    Lost,
    ProbeResult,
    Refused,
    Requested,
    Stopped,
    Trial,
    TrialOutcome,
)
from kexp.sweep.store import Store

_CONNECT_S = 5.0  # until a machine has answered; Ray itself tries for minutes
_CLIENT_PORT = 10001
_SAVING_S = 60.0  # how long trials may take to save their state
_POLL_S = 0.1
_MOST_UNITS = 1e6  # of a resource
_VARIABLES = ("KEXP_", "KERAS_", "TF_", "XLA_")


@dataclass(frozen=True)
class _Task:
    request: Request
    trial: Trial | None = None  # whose lease it runs under
    step: int = 0  # of its newest checkpoint


class RayExecutor:
    """Has a Ray cluster run the trials inside a `with` block.

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
        self._marker = f"logs/ray-{uuid.uuid4().hex}"
        self._under_way: dict[Any, _Task] = {}  # by Ray's references
        self._connected = False  # by us, so that it is ours to end
        self._store = Store(self._directory)

    def __enter__(self) -> RayExecutor:
        environment = {"env_vars": _variables(self._threads)}
        try:
            if not self._ray.is_initialized():
                _connect(self._ray, self._address, environment)
                self._connected = True
            self._check_nodes()
            (self._directory / "logs").mkdir(exist_ok=True)
            (self._directory / self._marker).touch()
            self._run = self._ray.remote(**self._options(), runtime_env=environment)(run)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for reference in self._under_way:
            with contextlib.suppress(Exception):  # of a cluster that is gone
                self._ray.cancel(reference, force=True)
        self._under_way.clear()
        (self._directory / self._marker).unlink(missing_ok=True)
        self._store.close()
        if self._connected:
            self._ray.shutdown()

    def schedule(self) -> None:
        """Hand tasks to Ray: what is asked for once, and as many trials as there are workers."""
        self._schedule_requests()
        while sum(ray_task.trial is not None for ray_task in self._under_way.values()) < self._workers:
            trial = self._store.claim(f"ray-{os.getpid()}")
            if trial is None:
                break
            crash_log(self._directory, trial.number).unlink(missing_ok=True)
            step = steps_done(self._folder(trial))
            held = self._store.require(DESCRIPTION).held(trial.number)
            self._submit(_Task(RunTrial(trial.number, trial.arguments, step, held), trial, step))

    def poll(self) -> list[WorkerExit]:
        """Write down what the tasks that have ended gave, and return what only the coordinator can handle."""
        references = list(self._under_way)
        ended = self._ray.wait(references, num_returns=len(references), timeout=0)[0] if references else []
        exits = []
        for reference in ended:
            ray_task, answer = self._under_way[reference], self._answer(reference)
            outcome = answer.outcome if isinstance(answer, Ended) else answer
            if isinstance(outcome, Refused):
                raise InputError(outcome.mistake)
            if isinstance(outcome, FullDisk):
                exits.append(WorkerExit("ray", "the disk is full", FULL_DISK, self._directory / self._marker))
            elif ray_task.trial is not None and isinstance(outcome, Completed | Failed | Stopped | Lost):
                self._record_trial(
                    ray_task.trial, ray_task.step, answer if isinstance(answer, Ended) else Ended(outcome)
                )
            else:
                self._record_request(ray_task.request, answer)
            del self._under_way[reference]  # only now: whatever raises before, it is taken in again
        return exits

    def reap_stalled(self, heartbeats: Mapping[str, float], lease_s: float) -> list[WorkerExit]:
        """Return nothing: Ray itself watches over its nodes."""
        return []

    def stop(self) -> None:
        """Have all trials save their state and wait; those that take too long are killed."""
        for reference in self._under_way:
            self._ray.cancel(reference, force=False)  # to the task this is SIGINT
        deadline_s = time.monotonic() + _SAVING_S
        while self._under_way and time.monotonic() < deadline_s:
            self.poll()  # of a full disk nothing more is said: that trial goes on from its last checkpoint
            time.sleep(_POLL_S)
        for ray_task in self._under_way.values():
            if ray_task.trial is not None:
                self._store.end(ray_task.trial.number, ray_task.trial.token, Stopped())

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

    def _schedule_requests(self) -> None:
        under_way = [type(ray_task.request) for ray_task in self._under_way.values()]
        if Probe not in under_way and self._store.read(PROBE) is Requested.REQUESTED:
            description = self._store.require(DESCRIPTION)
            self._submit(_Task(Probe(description.arguments, description.objective, description.held(0))))
        winners = self._store.read(WINNERS)
        if EvaluateWinners not in under_way and winners:
            trials = [trial for trial in self._store.trials() if trial.number in winners]
            self._submit(_Task(EvaluateWinners([(trial.number, trial.arguments) for trial in trials])))

    def _submit(self, ray_task: _Task) -> None:
        spec = TaskSpec(
            ray_task.request,
            recipe=self._store.require(DESCRIPTION).recipe,
            directory=self._directory,
            marker=self._marker,
            cwd=Path.cwd(),
            threads=self._threads,
        )
        self._under_way[self._run.remote(spec)] = ray_task

    def _answer(self, reference: Any) -> Answer:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.TaskCancelledError:
            return Stopped()
        except (errors.RayTaskError, errors.RuntimeEnvSetupError) as error:
            _, _, said = str(error).strip().rpartition("\n")
            return Refused(
                f"cluster {self._address} cannot run kexp's tasks: {said}; "
                'install the same Python and "kexp[ray]" on all its machines.'
            )
        except errors.RayError as error:
            return Lost(str(error).strip().partition("\n")[0])

    def _record_trial(self, trial: Trial, step: int, ended: Ended) -> None:
        """Write down how a run ended that began at a step."""
        outcome = ending_of(
            ended.outcome,
            got_on=steps_done(self._folder(trial)) > step,
            log=crash_log(self._directory, trial.number),
        )
        columns: dict[str, float] = {"seconds": round(trial.seconds + ended.seconds, 3)}
        if isinstance(ended.outcome, Completed | Failed):
            columns["bytes"] = ended.bytes
        self._store.end(trial.number, trial.token, outcome, **columns)

    def _record_request(self, request: Request, answer: Answer) -> None:
        """Write down what a probe or an evaluation gave; one that was stopped is asked for again."""
        if isinstance(answer, Stopped):
            return
        if isinstance(request, Probe):
            # Of one that was lost nothing is known: the trials will say.
            self._store.write(PROBE.written(answer if isinstance(answer, ProbeResult) else ProbeResult()))
        elif isinstance(answer, Evaluation):
            self._store.write(EVALUATION.written(answer), WINNERS.written(None))
        elif isinstance(answer, Lost) and isinstance(request, EvaluateWinners):
            lost = Evaluation([number for number, _ in request.runs], [], answer.error)
            self._store.write(EVALUATION.written(lost), WINNERS.written(None))

    def _folder(self, trial: Trial) -> Path:
        return trial_folder(self._directory, trial.number)


def ending_of(outcome: TrialOutcome | Lost, *, got_on: bool, log: Path) -> Ending:
    """Return how a run ended, as the record has it.

    Args:
        outcome: What the task gave.
        got_on: Whether there is a newer checkpoint than when it began; a lost run then goes on, else it
            failed.
        log: Where its process left the trace of a crash.

    Example:
        >>> ending_of(Lost("its node died"), got_on=True, log=Path("no/such/log.txt"))
        Stopped()
    """
    match outcome:
        case Completed() | Failed():
            return outcome
        case Lost(error) if not got_on:
            return Failed(
                f"Its worker died {ATTEMPTS} times without progress; at last Ray said: {error}\n"
                f"{log_tail(log)}"
            )
        case _:
            return Stopped()


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
        and (0.0001 <= count < 1 or (1 <= count < _MOST_UNITS and count == int(count)))
        for name, count in resources.items()
    )
    if not fits:
        raise InputError(
            "resources must be numbers above 0 by name, whole ones from 1 on, such as {'CPU': 4, 'GPU': 1}; "
            f"received {shown(resources)}."
        )
    return {"CPU": 1, **resources}


def check_cluster(address: str, resources: Mapping[str, float]) -> None:
    """Refuse a cluster that Ray cannot reach at all, before anything is written.

    Raises:
        InputError: Ray is missing, the address has another form or does not answer, or a resource is none.
    """
    ray = _ray()
    checked_resources(resources)
    if not ray.is_initialized():
        _check_answers(address)


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
    address = _check_answers(address)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env=environment)
    except Exception as error:
        raise _out_of_reach(address, error) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has put its own in its place


def _check_answers(address: str) -> str:
    """Return the address that is meant, if something answers there; where "auto" leads, Ray alone knows."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    host, _, port = address.removeprefix("ray://").partition(":")
    try:
        if address != "auto":
            socket.create_connection((host, int(port or _CLIENT_PORT)), _CONNECT_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _out_of_reach(address, error) from None
    return address


def _out_of_reach(address: str, error: Exception) -> InputError:
    reason = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    return InputError(
        f"cluster must be 'auto', or the address of a Ray cluster that answers, such as 'ray://host:10001'; "
        f"received {shown(address)} ({reason}), so start one with `ray start --head`."
    )
