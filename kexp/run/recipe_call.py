"""The call of a recipe: bound to its signature, checked, and run."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kexp.core.argument_groups import Groups, grouped, keys_of
from kexp.core.call_signatures import CALLBACKS, GROUPS
from kexp.core.constraints import check_value, fits
from kexp.core.errors import InputError, nearest, shown
from kexp.core.graph_names import names_counted_anew
from kexp.core.options import TrainOptions, complete, option_types
from kexp.core.reading_progress import quiet_work
from kexp.core.storage import is_remote
from kexp.core.tensorflow_start import require_tensorflow
from kexp.core.user_paths import user_path
from kexp.data import check_source
from kexp.data.audio_arguments import AudioArguments, audio_options
from kexp.data.catalog import locate
from kexp.data.image_arguments import ImageArguments, checked_size
from kexp.data.memory_forms import form_of
from kexp.data.table_arguments import TableArguments, table_options
from kexp.run.checkpoint_dir import CheckpointDir
from kexp.run.context import OpenRun, RecipeCall, recipe_run
from kexp.run.folder import RunFolder
from kexp.trackers.base import check_trackers

if TYPE_CHECKING:
    import keras

R = TypeVar("R")


def require_recipe(recipe: object) -> None:
    """Refuse what is no recipe, where one is wanted.

    Raises:
        InputError: It is none.

    Example:
        >>> require_recipe("mlp_images")
        Traceback (most recent call last):
        ...
        kexp.InputError: recipe must be a function made by @kexp.recipe; received 'mlp_images'.
    """
    if not getattr(recipe, "is_recipe", False):
        raise InputError(f"recipe must be a function made by @kexp.recipe; received {shown(recipe)}.")


def bind(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return all arguments of a recipe call but its callbacks, checked, with the defaults filled in.

    Raises:
        InputError: An argument is unknown, missing, of the wrong type or out of its range, or the
            data source does not exist.
    """
    signature = inspect.signature(function)
    for name in kwargs:
        if name not in signature.parameters:
            hint = nearest(name, signature.parameters)
            raise InputError(f"{function.__name__} has no argument {name}{hint}.")
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise InputError(f"{function.__name__}: {error}.") from None
    if "epochs" in bound.arguments:
        bound.arguments.setdefault("least_steps", None)  # who says how many epochs has as many
    if "batch_size" in bound.arguments:
        bound.arguments.setdefault("least_batches", None)
    callbacks = checked_callbacks(bound.arguments.pop(CALLBACKS, None))
    if "validation" in bound.arguments or any(map(_waits_for_validation, callbacks)):
        # who says what share has it, or decides by it
        bound.arguments.setdefault("least_validation", None)
    bound.apply_defaults()
    bound.arguments.pop(CALLBACKS, None)
    checked = {
        name: argument_value(name, value, signature.parameters[name].annotation)
        for name, value in bound.arguments.items()
    }
    complete({name: checked[name] for name in option_types()})
    check_trackers(checked["track"])
    if "data" in checked:
        check_source(checked["data"])
    _check_groups(function, checked)
    return checked


def _check_groups(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of tables or images that contradict each other, where a recipe has a group of them."""
    plain = inspect.unwrap(function)
    own = inspect.signature(plain).parameters
    for group in getattr(plain, GROUPS, {}).values():
        if group is TableArguments:
            table_options({name: arguments[name] for name in keys_of(group, [*own])})
        elif group is AudioArguments:
            audio_options({name: arguments[name] for name in keys_of(group, [*own])})
        elif group is ImageArguments and not {"image_size", "resize"} & {*own}:
            checked_size(arguments["image_size"], arguments["resize"])


def argument_value(name: str, value: Any, annotation: Any) -> Any:
    """Return an argument as its annotation asks for; where data may be a name, also a path, or in memory.

    Raises:
        InputError: It is something else.
    """
    if name != "data" or isinstance(value, str) or not fits("", annotation):
        return check_value(name, value, annotation)
    if isinstance(value, os.PathLike):
        path = user_path("data", value)
        # What stands for a name as a text is written so that it is a path as a text, too.
        return str(path) if locate(str(path)) == locate(path) else os.path.join(os.curdir, path)
    if form_of(value) is None and not fits(value, annotation):
        raise InputError(
            "data must be a name, a path, or data in memory: a Dataset, (x, y), arrays by name, a DataFrame "
            f"or a tf.data.Dataset; received {shown(value)}."
        )
    return value


def checked_callbacks(given: object) -> tuple[keras.callbacks.Callback, ...]:
    """Return the callbacks that a recipe was called with, once they are known to be some.

    Raises:
        InputError: They are no list of Keras callbacks.

    Example:
        >>> checked_callbacks(["csv"])
        Traceback (most recent call last):
        ...
        kexp.InputError: callbacks must be a list of Keras callbacks such as TerminateOnNaN(); received 'csv'
        in it.
    """
    wanted = "callbacks must be a list of Keras callbacks such as TerminateOnNaN(); received"
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise InputError(f"{wanted} {shown(given)}.")
    library = sys.modules.get("keras")  # who has a callback has imported it
    for callback in given:
        if library is None or not isinstance(callback, library.callbacks.Callback):
            raise InputError(f"{wanted} {shown(callback)} in it.")
    return tuple(given)


def _waits_for_validation(callback: object) -> bool:
    """Return whether a callback decides by a metric on validation data, as EarlyStopping may."""
    return str(getattr(callback, "monitor", "")).startswith("val_")


def refuse_callbacks(arguments: Mapping[str, Any]) -> None:
    """Refuse callbacks where a recipe is called in other processes, or is to be searched.

    Raises:
        InputError: There are some.
    """
    if CALLBACKS in arguments:
        raise InputError(
            "callbacks must be left out here, since they are objects, which other processes cannot be given; "
            "make them in the recipe, and hand them to its kexp.fit."
        )


def checked_folder(name: str, arguments: Mapping[str, Any]) -> RunFolder:
    """Return the run folder of a call, once its folders can be used; nothing heavy is imported.

    Args:
        name: Of the recipe.
        arguments: All of the call, from `bind`.

    Raises:
        InputError: They hold something else, or cannot be written to.
    """
    call = RecipeCall(name, dict(arguments))
    folder = RunFolder.choose(arguments["run_dir"], name, call.config())
    if not is_remote(arguments["checkpoint_dir"] or ""):
        CheckpointDir.choose(arguments["checkpoint_dir"], folder.path)
    return folder


def run_recipe(function: Callable[..., R], groups: Groups, call: RecipeCall, load: Callable[[Path], R]) -> R:
    """Do what a call of a recipe asks for, in its own scope of devices and with its seed.

    Args:
        function: The recipe's own.
        groups: Of its parameters, by their names.
        call: Its arguments, checked.
        load: What gives the result of a run that is finished already, from its folder.
    """
    options = {name: call.arguments[name] for name in option_types()}
    run = OpenRun.of(call, cast(TrainOptions, options))
    if run.folder.finished():
        if not run.options["quiet"]:
            print(f"{run.folder.path} is finished; its recorded result is returned.")
        return load(run.folder.path)
    with _scope(run):
        return function(**grouped(function, groups, {**call.arguments, **run.options}))


@contextmanager
def _scope(run: OpenRun) -> Iterator[None]:
    """Have what is trained in this block use the devices, the precision and the seed of a run."""
    require_tensorflow()
    import keras

    from kexp.core.precision import precision
    from kexp.engine.engine_choice import backend

    with (
        backend().strategy_scope(run.options),
        precision(run.options["precision"]),
        recipe_run(run),
        names_counted_anew(),
        quiet_work(run.options["quiet"]),
    ):
        keras.utils.set_random_seed(run.options["seed"])
        yield
