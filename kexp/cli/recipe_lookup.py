"""The recipe that a command line names: its misspelt options are answered before its module is imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cyclopts
from cyclopts import Parameter

from kexp.core.call_signatures import CALLBACKS
from kexp.core.errors import InputError, shown
from kexp.core.options import option_types
from kexp.core.tensorflow_start import quiet_tensorflow

# How every command line of kexp's reads its options.
READING = Parameter(negative_bool="no-", negative_iterable=(), consume_multiple=True)
_HELP = ("--help", "-h", "--version")


def recipes_of(
    path: tuple[str, ...], arguments: Sequence[str], options: Iterable[str]
) -> dict[str, Callable[..., Any]]:
    """Return the recipe that a command line of this beginning names, or all of kexp's own if it names none.

    Args:
        path: The words of the command.
        arguments: The whole command line.
        options: Names of the arguments that the command has beside the recipe's.

    Raises:
        InputError: It names a recipe that there is not, or one of a module or file that cannot be imported,
            or an option that the recipe has not.
    """
    if tuple(arguments[: len(path)]) != path:
        return {}
    name, *words = [*arguments[len(path) :], ""]
    if ":" in name or name.endswith(".py"):
        return {name: _imported(name, words, options)}
    from kexp import recipes

    if name in recipes.__all__:
        return {name: getattr(recipes, name)}
    if name in installed_lines(path, arguments):
        return {name: _imported(name, words, options)}
    return {known: getattr(recipes, known) for known in recipes.__all__}


def installed_lines(path: tuple[str, ...], arguments: Sequence[str]) -> dict[str, str]:
    """Return the first line about each installed recipe by name, for a command line of this beginning."""
    if tuple(arguments[: len(path)]) != path:
        return {}
    from kexp import recipes
    from kexp.run.recipe_names import installed, recipe_lines

    if not installed():
        return {}
    return {name: line for name, line in recipe_lines().items() if name not in recipes.__all__}


def imported_recipe(name: str) -> Callable[..., Any]:
    """Return the recipe of a name; what TensorFlow says as the recipe's module imports it is kept away.

    Raises:
        InputError: There is no such recipe, or it cannot be imported.
    """
    from kexp.run.recipe_names import find_recipe

    with quiet_tensorflow():
        return find_recipe(name)


def sentence(error: cyclopts.CycloptsError) -> str:
    """Return what is wrong with a command line, as a sentence."""
    if isinstance(error.__cause__, InputError):  # of a value
        return str(error.__cause__)
    argument = error.argument
    if isinstance(error, cyclopts.CoercionError) and error.target_type is bool and argument and error.token:
        # Of a flag with a value after =, which Cyclopts reads itself.
        return f"{argument.field_info.name} must be True or False; received {shown(error.token.value)}."
    if isinstance(error, cyclopts.UnusedCliTokensError) and error.unused_tokens:
        return (
            f"{shown(error.unused_tokens[0])} follows no option and is one word too many; put the name of "
            "its option before it, or quotes around a value of several words."
        )
    words = " ".join(str(error).split())
    return words if words.endswith((".", "?")) else f"{words}."


def _imported(name: str, words: Sequence[str], options: Iterable[str]) -> Callable[..., Any]:
    from kexp.run.recipe_names import source_of

    source = source_of(name)
    own = None if source is None else source.arguments
    if own is not None:
        _require_known(name, words, (*own, *options))
    return imported_recipe(name)


def _require_known(name: str, words: Sequence[str], own: Sequence[str]) -> None:
    """Refuse options that neither the recipe nor training has; of their values nothing is known yet."""

    def sketch() -> None:
        """Stand for the recipe."""

    types = {**dict.fromkeys(own, list[str] | None), **option_types()}
    sketch.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(one, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for one, kind in types.items()
            if one != CALLBACKS
        ]
    )
    app = cyclopts.App(default_parameter=READING, result_action="return_value")
    app.command(sketch, name=name)
    flags = {f"--no-{one.replace('_', '-')}" for one in own}
    for word in words[: words.index("--") if "--" in words else None]:
        option = word.partition("=")[0]
        if option.startswith("--") and option not in (*flags, *_HELP):
            try:
                app.parse_args([name, option], exit_on_error=False, print_error=False, verbose=False)
            except cyclopts.UnknownOptionError as error:
                raise InputError(sentence(error)) from None
            except cyclopts.CycloptsError:  # of the value that it lacks here
                continue
