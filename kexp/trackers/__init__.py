"""Trackers: those who are told of a run as it goes. A tracker is a file here, and is found by being here.

It is asked for by its name, `track="mlflow"`, which is also that of the package it needs, and of the extra
that brings it. The file has a function `tracker(asked)` that returns a `Tracker`, or None where nobody has
asked for it. One that holds runs within runs has `sweep_started(folder, config)` and `sweep_ended(folder,
error)` too. A tracker changes nothing of what a run computes or records. `base` has the protocol and
`tensorboard` is an example.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kexp.core.scan import modules_of
from kexp.trackers.base import Track, Tracker, Trackers, check_trackers, takes_note


def active_trackers(track: Track = None) -> Trackers:
    """Return the trackers that are asked for, by name or by an environment variable of their own.

    Args:
        track: Names, also with commas between them.

    Raises:
        InputError: There is no such tracker, or its package is not installed.

    Example:
        >>> active_trackers()
        []
        >>> [tracker.name for tracker in active_trackers("tensorboard")]
        ['tensorboard']
    """
    asked = {f"{__name__}.{name}" for name in check_trackers(track)}
    found = [
        module.tracker(module.__name__ in asked)
        for module in modules_of(__name__)
        if hasattr(module, "tracker")
    ]
    return [tracker for tracker in found if tracker is not None]


@contextmanager
def tracked_sweep(track: Track, folder: Path, config: dict[str, Any]) -> Iterator[None]:
    """Tell those trackers of a sweep that have a place for it, which the runs in this block then lie in.

    Args:
        track: Names, also with commas between them.
        folder: Of the sweep.
        config: Its recipe and what is searched, by name.
    """
    asked = {f"{__name__}.{name}": name for name in check_trackers(track)}
    modules = [] if not asked else [one for one in modules_of(__name__) if one.__name__ in asked]
    with_sweeps = [module for module in modules if hasattr(module, "sweep_started")]
    told = [
        module
        for module in with_sweeps
        if takes_note(asked[module.__name__], lambda: module.sweep_started(folder, config))  # noqa: B023  # called at once
    ]
    ended: BaseException | None = None
    try:
        yield
    except BaseException as error:
        ended = error
        raise
    finally:
        for module in told:
            takes_note(asked[module.__name__], lambda: module.sweep_ended(folder, ended))  # noqa: B023


__all__ = ["Tracker", "Trackers", "active_trackers", "tracked_sweep"]
