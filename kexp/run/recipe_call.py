"""The call of a recipe: bound to its signature, checked, and run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from kexp.core.constraints import check_value
from kexp.core.errors import InputError, nearest, shown
from kexp.core.graph_names import names_counted_anew
from kexp.core.options import TrainOptions, complete, option_types
from kexp.core.storage import is_remote
from kexp.core.tensorflow_start import require_tensorflow
from kexp.data import check_source
from kexp.run.checkpoint_dir import CheckpointDir
from kexp.run.context import OpenRun, RecipeCall, recipe_run
from kexp.run.folder import RunFolder

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
    """Return all arguments of a recipe call, checked, with the defaults filled in.

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
    bound.apply_defaults()
    parameters = signature.parameters
    checked = {
        name: check_value(name, value, parameters[name].annotation) for name, value in bound.arguments.items()
    }
    complete({name: checked[name] for name in option_types()})
    if "data" in checked:
        check_source(checked["data"])
    return checked


def check_folders(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse the folders of a call that could not be used, before anything heavy is imported.

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


def run_recipe(function: Callable[..., R], call: RecipeCall, load: Callable[[Path], R]) -> R:
    """Do what a call of a recipe asks for, in its own scope of devices and with its seed.

    Args:
        function: The recipe's own.
        call: Its arguments, checked.
        load: What gives the result of a run that is finished already, from its folder.
    """
    options = {name: call.arguments[name] for name in option_types()}
    run = OpenRun.of(call, cast(TrainOptions, options))
    if run.folder.finished():
        if not run.options["quiet"]:
            print(f"{run.folder.path} is finished; its recorded result is returned.")
        return load(run.folder.path)
    require_tensorflow()
    import keras

    from kexp.core.precision import precision
    from kexp.engine.engine_choice import backend

    with (
        backend().strategy_scope(run.options),
        precision(run.options["precision"]),
        recipe_run(run),
        names_counted_anew(),
    ):
        keras.utils.set_random_seed(run.options["seed"])
        return function(**{**call.arguments, **run.options})
