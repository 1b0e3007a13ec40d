"""Tasks: what a model is for decides its loss, metrics, predictions, export and page; one file per task.

A file here with a subclass of `Task` that has a `name` is a task; there is no list to enter it in.
"""

from __future__ import annotations

from functools import cache

from kexp.core.errors import InputError, nearest
from kexp.core.scan import instances_of
from kexp.tasks.base import Task

__all__ = ["Task", "task_named", "tasks"]


@cache
def tasks() -> dict[str, Task]:
    """Return all tasks by name.

    Example:
        >>> list(tasks())[:2]
        ['classification', 'detection']
    """
    return {task.name: task for task in instances_of(__name__, Task)}


def task_named(name: str) -> Task:
    """Return a task by its name, as `DatasetSpec.task` and the files of a run have it.

    Args:
        name: Such as "classification".

    Raises:
        InputError: There is no such task.

    Example:
        >>> task_named("segmentation").has_classes
        True
        >>> task_named("segmentatoin")
        Traceback (most recent call last):
        ...
        kexp.InputError: task='segmentatoin': there is no such task (did you mean 'segmentation'?); give
        one of classification, detection, forecast, generation, multilabel, ...
    """
    found = tasks().get(name)
    if found is None:
        raise InputError(
            f"task={name!r}: there is no such task{nearest(str(name), tasks())}; give one of "
            f"{', '.join(tasks())}."
        )
    return found
