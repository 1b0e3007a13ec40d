"""Options of commands: `parse_words` reads their words, `check_value` judges them as a call from Python."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter, Token

from kexp.core.call_signatures import CALLBACKS
from kexp.core.command_values import parse_words
from kexp.core.constraints import check_value

R = TypeVar("R")
_SIGNED = ("monitor", "objective", "sort")  # metrics, with "-" before them where less is better
_PATHS = ("inputs", tuple[str, ...])  # of which "-" is the standard input


def option(name: str, annotation: Any, text: str | None = None) -> Any:
    """Return the annotation by which a command line takes an option.

    Args:
        name: The argument, for messages.
        annotation: As `check_value` takes it; Cyclopts reads from it how many words there may be.
        text: What the help says of it; default: what the command's docstring does.
    """

    def judged(_: Any, tokens: Sequence[Token]) -> Any:
        return check_value(name, parse_words([token.value for token in tokens], annotation), annotation)

    # Lists in JSON are read with everything else.
    leads = name in _SIGNED or (name, annotation) == _PATHS
    reading = Parameter(converter=judged, json_list=False, allow_leading_hyphen=leads)
    if text is not None:
        reading = Parameter.combine(reading, Parameter(help=text))
    return Annotated[annotation, reading]


def options_of(function: Callable[..., Any], texts: dict[str, str] | None = None) -> list[inspect.Parameter]:
    """Return the parameters of a function as options, all but words that it takes as they are.

    A recipe's callbacks are none: they are given from Python alone.
    """
    return [
        parameter
        if parameter.kind is parameter.VAR_POSITIONAL
        else parameter.replace(annotation=option(name, parameter.annotation, (texts or {}).get(name)))
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if name != CALLBACKS
    ]


def command_of(function: Callable[..., R]) -> Callable[..., R]:
    """Return a function as a command, whose docstring is the help."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> R:
        return function(*args, **kwargs)

    parameters = options_of(function)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}  # which Cyclopts asks first
    return command


def own_options(
    function: Callable[..., Any], names: Iterable[str], kinds: Mapping[str, Any]
) -> list[inspect.Parameter]:
    """Return options of a command for what a function takes beside the arguments of a recipe.

    Args:
        function: Whose docstring says what each is.
        names: Of its arguments.
        kinds: Their kinds by name; those that are absent are taken as they are annotated.
    """
    own = inspect.signature(function, eval_str=True).parameters
    texts = _argument_help(function)
    return [
        own[name].replace(
            annotation=option(name, kinds[name], texts[name])
            if name in kinds
            else Annotated[own[name].annotation, Parameter(help=texts[name])]
        )
        for name in names
    ]


def _argument_help(function: Callable[..., Any]) -> dict[str, str]:
    """Return what a function's docstring says of each argument, in one line each."""
    from docstring_parser import parse_from_object

    return {
        item.arg_name: " ".join((item.description or "").split())
        for item in parse_from_object(function).params
    }
