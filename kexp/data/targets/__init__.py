"""Kinds of targets: one file per kind, of NumPy alone, found by scanning.

A file here with a subclass of `TargetKind` that has a `name` is a kind; there is no list to enter it in.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from kexp.core.scan import instances_of
from kexp.data.dataset import Kind
from kexp.data.targets.base import TargetKind, Targets

__all__ = ["TargetKind", "Targets", "has_labels", "kind_of", "target_kinds"]


@cache
def target_kinds() -> dict[str, TargetKind]:
    """Return the kinds of targets by the name of the task that they are for, in alphabetical order.

    Example:
        >>> [kind.name for kind in target_kinds().values()]
        ['labels', 'boxes', 'label_sets', 'numbers', 'captions', 'masks', 'texts', 'transcripts']
    """
    found = {kind.task: kind for kind in instances_of(__name__, TargetKind)}
    return dict(sorted(found.items()))


def kind_of(kind: Kind, inputs: Any, targets: Any) -> TargetKind:
    """Return the kind that targets are of when the caller does not say.

    Args:
        kind: Of the inputs.
        inputs: Of the training split.
        targets: Of the training split, as the source has them.

    Example:
        >>> kind_of("array", None, [0.5, 1.5]).name, kind_of("array", None, ["a", "b"]).name
        ('numbers', 'labels')
    """
    kinds = target_kinds().values()
    fallback = next(found for found in kinds if found.is_fallback)
    return next((found for found in kinds if found.applies(kind, inputs, targets)), fallback)


def has_labels(task: str) -> bool:
    """Return whether data of a task have one class index for each sample.

    Example:
        >>> has_labels("classification"), has_labels("segmentation"), has_labels("generation")
        (True, False, False)
    """
    kind = target_kinds().get(task)
    return kind is not None and kind.has_labels
