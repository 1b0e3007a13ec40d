"""What the coordinator asks of whoever runs the trials, and what it is told of workers that have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LOST_LEASE, FULL_DISK = 70, 71  # exit codes of a worker


@dataclass(frozen=True)
class WorkerExit:
    """A worker that has ended.

    Attributes:
        owner: Its name, which its lease carries.
        reason: In words.
        code: Its exit code; negative is a signal.
        log: Its standard output and errors.
    """

    owner: str
    reason: str
    code: int
    log: Path

    def log_tail(self, characters: int = 3000) -> str:
        """Return the end of what the worker wrote, such as the trace of a crash."""
        return log_tail(self.log, characters)


class Executor(Protocol):
    """Runs trials inside a `with` block: by processes on this machine, or by tasks on a cluster.

    What the record asks for (trials that wait, a probe, values to draw, winners to evaluate) it does, and
    writes the outcome into the record.
    """

    def schedule(self) -> None:
        """Hand out what waits to be done, as far as there is room for it."""

    def poll(self) -> Sequence[WorkerExit]:
        """Return the workers that have ended since the last call, each of them replaced."""

    def reap_stalled(self, heartbeats: Mapping[str, float], lease_s: float) -> Sequence[WorkerExit]:
        """Kill and replace the workers without a sign of life for so long, and return them."""

    def stop(self) -> None:
        """Have all save their state and end."""


def log_tail(log: Path, characters: int = 3000) -> str:
    """Return the trace of a crash from a log, else the end of it; empty when there is none.

    Example:
        >>> log_tail(Path("no/such/log.txt"))
        ''
    """
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    crash = text[max(0, text.rfind("Fatal Python error")) :] if "Fatal Python error" in text else ""
    return (crash.partition("Extension modules:")[0][:characters] or text[-characters:]).strip()
