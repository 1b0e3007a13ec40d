"""Trackers: those who are told of a run as it goes. A tracker is a file here, and is found by being here.

The file has a function `tracker()` that returns a `Tracker`, or None where nobody has asked for it, which an
environment variable of its own says: a tracker changes nothing of what a run computes or records, so it is
none of a recipe's arguments. `base` has the protocol and `tensorboard` is an example.
"""

from __future__ import annotations

from kexp.core.scan import modules_of
from kexp.trackers.base import Tracker, Trackers


def active_trackers() -> Trackers:
    """Return the trackers that are asked for now.

    Example:
        >>> active_trackers()
        []
    """
    found = [module.tracker() for module in modules_of(__name__) if hasattr(module, "tracker")]
    return [tracker for tracker in found if tracker is not None]


__all__ = ["Tracker", "Trackers", "active_trackers"]
