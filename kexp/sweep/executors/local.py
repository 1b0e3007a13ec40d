"""Worker processes on this machine: started, watched, restarted, and none left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import psutil

from kexp.core.processes import module_paths, nvidia_gpus, usable_cores
from kexp.sweep.executors.base import WorkerExit

_IMPORT_S = 10.0  # until the first heartbeat
_SAVING_S = 60.0  # how long a worker may take to save its state


class LocalExecutor:
    """Keeps a number of workers running inside a `with` block.

    Args:
        directory: The sweep folder.
        workers: How many; each has its own share of the cores, or a GPU.
        threads: Of each worker's TensorFlow, the same for any number of workers.
    """

    _module: ClassVar[str] = "kexp.sweep.executors.local_worker"

    def __init__(self, directory: Path, workers: int, threads: int) -> None:
        self._directory = directory
        self._threads = threads
        self._devices = _devices(workers)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._born_s: dict[str, float] = {}
        self._started = 0

    def __enter__(self) -> LocalExecutor:
        self._kill_those_left()
        (self._directory / "logs").mkdir(exist_ok=True)
        for slot in range(len(self._devices)):
            self._start(slot)
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes.values():
            _kill(process)

    def schedule(self) -> None:
        """Do nothing: workers take what waits from the record themselves."""

    def poll(self) -> list[WorkerExit]:
        """Return the workers that have ended since the last call, with a new one in the place of each."""
        ended = [one for one, process in self._processes.items() if process.poll() is not None]
        return [self._replace(owner, _reason(self._processes[owner].returncode)) for owner in ended]

    def reap_stalled(self, heartbeats: Mapping[str, float], lease_s: float) -> list[WorkerExit]:
        """Kill and replace the workers that have given no sign of life for so long, and return them.

        Only when it is certainly gone may another one write in the folder of its trial.
        """
        now_s = time.monotonic()
        stalled = [
            owner
            for owner in self._processes
            if now_s - heartbeats.get(owner, self._born_s[owner] + _IMPORT_S) > lease_s
        ]
        return [self._replace(owner, f"it gave no sign of life for {lease_s:g} s") for owner in stalled]

    def stop(self) -> None:
        """Have all workers save their state and end; those that take too long are killed."""
        for process in self._processes.values():
            process.terminate()
        deadline_s = time.monotonic() + _SAVING_S
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                _kill(process)

    def _kill_those_left(self) -> None:
        """Kill what a killed coordinator has left: a worker that froze as it started stays for ever."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                is_worker = any(word.startswith("kexp.sweep.") for word in line)
                if is_worker and str(self._directory.absolute()) in line:
                    process.kill()
                    process.wait(_SAVING_S)

    def _start(self, slot: int) -> None:
        self._started += 1
        # Its coordinator's number makes a name unique over all calls of a sweep.
        owner = f"{slot}-{self._started}-{os.getpid()}"
        variables, options = self._devices[slot]
        log = open(self._log(owner), "wb")  # noqa: SIM115
        self._born_s[owner] = time.monotonic()
        with log:
            self._processes[owner] = subprocess.Popen(
                [
                    *(sys.executable, "-m", self._module, str(self._directory.absolute()), owner),
                    *("--coordinator", str(os.getpid()), "--threads", str(self._threads), *options),
                ],
                env={**os.environ, **variables, "PYTHONPATH": module_paths()},
                stdin=subprocess.PIPE,  # closed by the end of this process, whatever ends it
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is the coordinator's to handle
            )

    def _replace(self, owner: str, reason: str) -> WorkerExit:
        """Reap a worker and start another one in its place."""
        process = self._processes.pop(owner)
        _kill(process)  # if it is gone already, its pipe is to be closed
        self._start(_slot(owner))
        return WorkerExit(owner, reason, process.returncode, self._log(owner))

    def _log(self, owner: str) -> Path:
        return self._directory / "logs" / f"worker-{owner}.txt"


def _devices(workers: int) -> list[tuple[dict[str, str], Sequence[str]]]:
    """Return environment and options of each worker: a GPU of its own, or a share of the cores."""
    gpus = nvidia_gpus()
    if gpus and "CUDA_VISIBLE_DEVICES" not in os.environ:
        return [({"CUDA_VISIBLE_DEVICES": str(slot % gpus)}, ()) for slot in range(workers)]
    cores = usable_cores()
    shares = [cores[slot::workers] or [cores[slot % len(cores)]] for slot in range(workers)]
    return [({}, ("--cores", ",".join(map(str, share)))) for share in shares]


def _slot(owner: str) -> int:
    return int(owner.partition("-")[0])


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _reason(code: int) -> str:
    if code >= 0:
        return f"it exited with code {code}"
    name = signal.Signals(-code).name
    return f"it was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
