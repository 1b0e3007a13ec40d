"""The context of a run: the recipe call that is recorded, and what takes the place of training or is hidden.

A recipe is code of the user's, which hands no more than its training options on to `kexp.fit`. All else that
`fit` has to know of the call it is part of goes by the one context here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError, shown
from kexp.core.graph_names import names_counted_anew
from kexp.core.options import OUTPUT_ONLY, TrainOptions, check_rise
from kexp.data.memory_content import Content
from kexp.data.memory_forms import form_of
from kexp.run.folder import RunFolder
from kexp.run.recipe_names import require_not_imported
from kexp.run.run_files import FORMAT

if TYPE_CHECKING:
    import keras

    from kexp.data import Dataset
    from kexp.engine.base import Engine
    from kexp.run.training_setup import TrainingSetup
    from kexp.train.step_checksums import Checksums


@dataclass(frozen=True)
class RecipeCall:
    """One call of a recipe: what `fit` records and another call can repeat.

    Attributes:
        recipe: Its name.
        arguments: All of them by name, checked.
        default_batch_size: What batch_size="auto" begins with.
        changed: Training options that are not what the recipe has by default.
        callbacks: Keras callbacks of the caller's, which no record can hold.
    """

    recipe: str
    arguments: dict[str, Any]
    default_batch_size: int = 64
    changed: frozenset[str] = frozenset()
    callbacks: tuple[keras.callbacks.Callback, ...] = ()

    def config(self) -> dict[str, Any]:
        """Return what decides the result, as written to config.json."""
        deciding = {name: value for name, value in self.arguments.items() if name not in OUTPUT_ONLY}
        if self._data is not None:
            deciding["data"] = self._data
        return {"format": FORMAT, "recipe": self.recipe, "arguments": deciding}

    @cached_property
    def _data(self) -> dict[str, str] | None:
        """What is recorded of data in memory: not what they hold."""
        data = self.arguments.get("data")
        return None if form_of(data) is None else Content.of(data).described


@dataclass(frozen=True)
class OpenRun:
    """A run that may begin: its call is checked, and its folder is chosen.

    Attributes:
        call: What is recorded of it.
        options: Complete training options.
        folder: Where it is recorded.
    """

    call: RecipeCall
    options: TrainOptions
    folder: RunFolder

    @classmethod
    def of(cls, call: RecipeCall, options: TrainOptions) -> OpenRun:
        """Return the run of a call in the folder that is asked for, or a new one.

        Raises:
            InputError: The folder cannot be used or holds something else, the learning rate of a new run
                would jump, or a module with the call in it is being imported for another one.
        """
        require_not_imported()
        folder = RunFolder.choose(options["run_dir"], call.recipe, call.config())
        if not folder.begun():
            check_rise(options)
        asked: Any = options
        earlier = {name: None for name in folder.predated_options() if asked[name] is not None}
        if earlier:
            call = replace(call, arguments={**call.arguments, **earlier})
            return cls.of(call, {**options, **earlier})  # type: ignore[typeddict-item]
        return cls(call, {**options, "run_dir": str(folder.path)}, folder)


class Capture:
    """Takes the setup that is ready to be trained, does something else with it, and leaves the recipe.

    Args:
        action: Called with the first setup, in the place where it would be trained.
    """

    def __init__(self, action: Callable[[TrainingSetup], Any]) -> None:
        self._action = action
        self._error: Exception | None = None
        self._value: Any = None
        self.done = False

    def take(self, training: TrainingSetup) -> None:
        """Do the action and leave the recipe, past whatever it would do with a result."""
        if not self.done:
            self.done = True
            try:
                self._value = self._action(training)
            except Exception as error:
                self._error = error
        raise _Captured

    def value(self) -> Any:
        """Return what the action returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._value


class _Captured(Exception):
    """Leaves a recipe from inside `fit`; that it was taken is known, should the recipe catch this."""


@dataclass(frozen=True)
class RunContext:
    """What `kexp.fit` is told of the call that it is part of.

    Attributes:
        run: The run of the recipe call that is under way; None outside of one.
        capture: Takes the setup in place of training; None: it is trained.
        hides_test: Whether `fit` leaves the test split out, whoever made the data set.
        compares: Whether classical methods may be trained beside the network.
        on_data: Told of the data before anything is made of them; what it raises ends the run; None: nobody.
        on_engine: Told of the engine before it takes a step, and what it is to train; None: nobody.
        sweep: Folder of the sweep that the run is part of; None: of none.
        checksums: Gives what takes checksums of an engine's steps in place of the run's own; None: those.
    """

    run: OpenRun | None = None
    capture: Capture | None = None
    hides_test: bool = False
    compares: bool = True
    on_data: Callable[[Dataset], object] | None = None
    on_engine: Callable[[TrainingSetup, Engine], object] | None = None
    sweep: Path | None = None
    checksums: Callable[[Engine], Checksums] | None = None

    @property
    def call(self) -> RecipeCall | None:
        """The recipe call that is under way; None outside of one."""
        return None if self.run is None else self.run.call

    def seen(self, data: Dataset | None) -> Dataset:
        """Return the data of a run as it may see them, once who asked for it is told of them."""
        assert data is not None
        if self.on_data is not None:
            self.on_data(data)
        return replace(data, test=None) if self.hides_test else data


_context: ContextVar[RunContext | None] = ContextVar("context of the run", default=None)


def run_context() -> RunContext:
    """Return the context of the run that is under way, or an empty one."""
    return _context.get() or RunContext()


@contextmanager
def use_context(context: RunContext) -> Iterator[None]:
    """Make it the context of what runs inside the block."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)


@contextmanager
def recipe_run(run: OpenRun) -> Iterator[None]:
    """Have `kexp.fit` train a recipe's run."""
    with use_context(replace(run_context(), run=run)):
        yield


@contextmanager
def nested_run() -> Iterator[None]:
    """Let `kexp.fit` train and record a run of its own in the midst of a recipe's, or of a look at one."""
    with use_context(RunContext(hides_test=run_context().hides_test, compares=False)), names_counted_anew():
        yield


@contextmanager
def hidden_test_split() -> Iterator[None]:
    """Have `kexp.fit` leave out the test split of every data set, as selection by validation data needs it.

    Example:
        >>> import kexp
        >>> model = kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="uint8")
        >>> with hidden_test_split():
        ...     result = kexp.fit(model, kexp.data.load("digits"), epochs=1, run_dir=new_dir, quiet=True)
        >>> [name for name in result.metrics if name.startswith("test_")]
        []
    """
    with use_context(replace(run_context(), hides_test=True)):
        yield


@contextmanager
def watched_data(on_data: Callable[[Dataset], object]) -> Iterator[None]:
    """Have `kexp.fit` show the data of a recipe's run before it trains."""
    with use_context(replace(run_context(), on_data=on_data)):
        yield


@contextmanager
def watched_engine(on_engine: Callable[[TrainingSetup, Engine], object]) -> Iterator[None]:
    """Have `kexp.fit` show the engine of a recipe's run before it trains."""
    with use_context(replace(run_context(), on_engine=on_engine)):
        yield


@contextmanager
def part_of_sweep(folder: Path) -> Iterator[None]:
    """Have `kexp.fit` tell trackers that a recipe's run is part of the sweep in a folder."""
    with use_context(replace(run_context(), sweep=folder)):
        yield


@contextmanager
def watched_steps(checksums: Callable[[Engine], Checksums]) -> Iterator[None]:
    """Have checksums of a recipe's run be taken by something else than the run itself."""
    with use_context(replace(run_context(), checksums=checksums)):
        yield


def _require_trainer(recipe: object) -> None:
    """Refuse what cannot be a recipe, `kexp.fit` or a function like them: it takes their options."""
    try:
        parameters = inspect.signature(recipe).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        parameters = {}.values()
    if not any(one.name == "run_dir" or one.kind is one.VAR_KEYWORD for one in parameters):
        raise InputError(f"recipe must be a recipe, or kexp.fit; received {shown(recipe)}.")


def capture_training(
    action: Callable[[TrainingSetup], Any], recipe: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Call a recipe, or `kexp.fit`, and do something else where it would train.

    Args:
        action: Called with the setup that is ready to begin; no run folder is made.
        recipe: A recipe, or `kexp.fit`.
        *args: Arguments of the recipe.
        **kwargs: Keyword arguments of the recipe.

    Returns:
        What `action` returned.

    Raises:
        InputError: An argument does not fit, or the recipe never called `kexp.fit`.
    """
    _require_trainer(recipe)
    capture = Capture(action)
    try:
        with use_context(replace(run_context(), capture=capture)):
            recipe(*args, **{**kwargs, "run_dir": None, "checkpoint_dir": None})
    except Exception:
        if not capture.done:
            raise
    if not capture.done:
        raise InputError(f"{recipe.__name__} must call kexp.fit; it returned without.")
    return capture.value()
