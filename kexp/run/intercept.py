"""Catching a recipe at the moment it would train, to look at what it would train with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kexp.core.errors import InputError


class _Caught(BaseException):
    """Leaves the recipe from inside `fit`, past whatever it would do with a result."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


_action: ContextVar[Callable[[Any], Any] | None] = ContextVar("action in place of training", default=None)


def capture_training(
    action: Callable[[Any], Any], recipe: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Call a recipe, or `kexp.fit`, and do something else where it would train.

    Args:
        action: Called with the `TrainingSetup` that is ready to begin; no run folder is made.
        recipe: A recipe, or `kexp.fit`.
        *args: Arguments of the recipe.
        **kwargs: Keyword arguments of the recipe.

    Returns:
        What `action` returned.

    Raises:
        InputError: An argument does not fit, or the recipe never called `kexp.fit`.
    """
    token = _action.set(action)
    try:
        recipe(*args, **{**kwargs, "run_dir": None, "checkpoint_dir": None})
    except _Caught as capture:
        return capture.value
    finally:
        _action.reset(token)
    raise InputError(f"{recipe.__name__} must call kexp.fit; it returned without.")


@contextmanager
def resume_normal() -> Iterator[None]:
    """Train as usual inside `capture_training`: something that the recipe itself needs to be trained."""
    token = _action.set(None)
    try:
        yield
    finally:
        _action.reset(token)


def capture(training: Any) -> None:
    """Leave through `capture_training` if the call is inside one."""
    action = _action.get()
    if action is not None:
        raise _Caught(action(training))
