"""Processes that prove something: one, or several workers of a cluster on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.processes import module_paths
from kexp.engine.tensorflow.cluster_spec import local_clusters

_PATIENCE_S = 60.0
_REFUSED = "kexp.InputError: "  # the end of a traceback


class Processes:
    """One command, started as often as there are workers, each of which knows its place.

    Args:
        command: What follows the Python interpreter.
        logs: Folder for what they say.
        workers: How many; 1 for a process that knows of no others.
    """

    def __init__(self, command: Sequence[str], logs: Path, workers: int = 1) -> None:
        variables = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
        variables["PYTHONPATH"] = module_paths()
        variables["TF_CPP_MIN_LOG_LEVEL"] = "2"
        configs = [{"TF_CONFIG": one.to_json()} for one in local_clusters(workers)] if workers > 1 else [{}]
        self._logs = [logs / f"process-{number}.log" for number in range(workers)]
        self._processes = []
        for config, path in zip(configs, self._logs, strict=True):
            with open(path, "w") as log:
                whole = [sys.executable, *command]
                self._processes.append(
                    subprocess.Popen(whole, env={**variables, **config}, stdout=log, stderr=log)
                )

    @property
    def over(self) -> bool:
        """Whether all of them have ended."""
        return all(process.poll() is not None for process in self._processes)

    def finish(self) -> None:
        """Wait for the end.

        Raises:
            InputError: One has been refused what it was to do.
            RuntimeError: One has failed; the message has the last of what those that failed said.
        """
        codes = [process.wait() for process in self._processes]
        said = [log.read_text(encoding="utf-8", errors="replace")[-2000:] for log in self._logs]
        failed = [f"exit code {code}: {last}" for code, last in zip(codes, said, strict=True) if code]
        for line in "\n".join(failed).splitlines():
            if line.startswith(_REFUSED):
                raise InputError(line.removeprefix(_REFUSED))
        if failed:
            raise RuntimeError("the run failed with " + "\nand with ".join(failed))

    def kill(self, victims: Iterable[int]) -> float:
        """Kill some by SIGKILL, and return how many seconds the others took to end by themselves.

        Raises:
            RuntimeError: They did not within a minute.
        """
        for victim in victims:
            self._processes[victim].kill()
        killed_s = time.monotonic()
        try:
            for process in self._processes:
                process.wait(max(0.0, killed_s + _PATIENCE_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            for process in self._processes:
                process.kill()
            raise RuntimeError(f"a worker did not end within {_PATIENCE_S:.0f} s of another's end") from None
        return time.monotonic() - killed_s
