"""What follows a run while it trains: a file, a dashboard, a service."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from kexp.core.errors import InputError, nearest, shown
from kexp.core.name_lists import named

Track: TypeAlias = str | Sequence[str] | None  # the option: names, also with commas between them


@dataclass(frozen=True)
class TrackedRun:
    """A run, as trackers are told of it.

    Attributes:
        run_dir: Its folder.
        config: Its recipe and arguments.
        sweep: Folder of the sweep that it is part of; None: of none.
        first: Epochs before the first one that it trains, as `initial_epoch` has them.
    """

    run_dir: Path
    config: dict[str, Any]
    sweep: Path | None = None
    first: int = 0

    def numbered(self, history: Iterable[dict[str, float]]) -> Iterable[tuple[int, dict[str, float]]]:
        """Return the metrics of its epochs with their numbers, counted as `epoch` of a tracker is given them.

        Example:
            >>> list(TrackedRun(Path("runs/first"), {}, first=2).numbered([{"loss": 0.5}]))
            [(3, {'loss': 0.5})]
        """
        return enumerate(history, self.first + 1)

    @property
    def name(self) -> str:
        """The name of its folder, with that of the sweep where it is part of one.

        Example:
            >>> TrackedRun(Path("runs/first"), {}).name
            'first'
            >>> TrackedRun(Path("sweeps/a/trials/0003"), {}, Path("sweeps/a")).name
            'a/trials/0003'
        """
        own = self.run_dir.absolute()
        sweep = None if self.sweep is None else self.sweep.absolute()
        if sweep is None or not own.is_relative_to(sweep):
            return own.name
        return own.relative_to(sweep.parent).as_posix()


class Tracker(Protocol):
    """Is told of a run as it goes, in the process of the chief alone.

    What it writes into the run folder is its own: the files there that are the run's have checksums. What it
    raises is said in one line, and it is told of no more.

    Attributes:
        name: Its name, which is that of its file.
    """

    name: str

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        """Take note that a run begins, goes on from a checkpoint, or goes back to one.

        Args:
            run: Its folder, recipe and arguments.
            history: Metrics of the epochs so far; those of a later epoch are void.
        """
        ...

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Take note of the metrics of an epoch, counted from 1."""
        ...

    def finished(self, metrics: dict[str, float]) -> None:
        """Take note of the final metrics; the run is recorded."""
        ...

    def failed(self, error: BaseException) -> None:
        """Take note that the run ends before its end: by an error, or by a signal."""
        ...


Trackers = Sequence[Tracker]
MadeTrackers: TypeAlias = Callable[[Track], Trackers]


def no_trackers(track: Track) -> Trackers:
    """Return no trackers, whichever are asked for."""
    return ()


def tracker_names() -> list[str]:
    """Return the names of all trackers, which are those of their files; none of them is imported.

    Example:
        >>> tracker_names()
        ['mlflow', 'tensorboard', 'wandb']
    """
    files = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(found.name for found in files if f"{__package__}.{found.name}" != __name__)


def check_trackers(track: Track) -> tuple[str, ...]:
    """Return the names of the trackers that are asked for, each once; none of them is imported.

    Args:
        track: Names, also with commas between them; None: none.

    Raises:
        InputError: There is no such tracker, or the package of that name is not installed.

    Example:
        >>> check_trackers("tensorboard"), check_trackers(None)
        (('tensorboard',), ())
        >>> check_trackers(["mflow"])
        Traceback (most recent call last):
        ...
        kexp.InputError: track must name trackers, of mlflow, tensorboard, wandb; received 'mflow' (did you
        mean 'mlflow'?).
    """
    asked = named(track)
    known = tracker_names()
    for name in asked:
        if name not in known:
            raise InputError(
                f"track must name trackers, of {', '.join(known)}; received {shown(name)}"
                f"{nearest(name, known)}."
            )
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"track: {name} needs the package {name}, which is not installed; run pip install "
                f"'kexp[{name}]', or leave {name} out."
            )
    return tuple(asked)


def takes_note(name: str, action: Callable[[], object]) -> bool:
    """Do what a tracker does, and return whether that went well; else it is said, in one line.

    What its package warns of is not the run's, and no reason to end it where warnings are errors.

    Args:
        name: Of the tracker.
        action: What it does.

    Example:
        >>> takes_note("diary", lambda: None)
        True
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            action()
    except Exception as error:
        if sys.stderr is not None:
            reason = shown(f"{type(error).__name__}: {error}")[1:-1]
            print(f"kexp: tracker {name} failed and is left out from here on: {reason}", file=sys.stderr)
        return False
    return True
