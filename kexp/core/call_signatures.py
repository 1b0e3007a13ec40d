"""Signatures with the training options flat, and the help text that goes with them."""

from __future__ import annotations

import functools
import inspect
import operator
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from kexp.core.argument_groups import Groups, argument_groups, flat_parameters
from kexp.core.constraints import describe
from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS, OPTIONS, TrainOptions, option_types

P = ParamSpec("P")
R = TypeVar("R")
_WIDTH = 92
# What every recipe takes from Python alone: objects are on no command line, in no search space and no record.
CALLBACKS = "callbacks"
GROUPS = "argument_groups"  # attribute of a recipe's own function: its arguments that stand for several
_CALLBACKS = inspect.Parameter(
    CALLBACKS, inspect.Parameter.KEYWORD_ONLY, default=(), annotation="a list of Keras callbacks, from Python"
)
_CALLBACKS_MEANING = "Told of the training, beside those that the recipe itself hands to kexp.fit."


class FlatSignature(inspect.Signature):
    """A signature with every training option as a keyword, which `help` shows without them.

    What asks for parameters (a notebook's completion, the command line, a sweep's space) sees all of them;
    the text has the function's own arguments alone, because the docstring lists every option.
    """

    __slots__ = ()

    def __str__(self) -> str:
        own = [parameter for name, parameter in self.parameters.items() if name not in OPTIONS]
        train = inspect.Parameter("train", inspect.Parameter.VAR_KEYWORD)
        return str(
            inspect.Signature(
                [parameter.replace(annotation=inspect.Parameter.empty) for parameter in own] + [train]
            )
        )

    def format(self, *, max_width: int | None = None, quote_annotation_strings: bool = True) -> str:
        """Return the text of the signature, as `str` does."""
        # pydoc asks this one from Python 3.13 on.
        return str(self)


def flat_signature(
    function: Callable[..., Any], types: Mapping[str, Any], defaults: TrainOptions
) -> FlatSignature:
    """Return the signature of a function that ends in `**train`, with the training options in its place.

    Args:
        function: Ends in `**train: Unpack[TrainOptions]`.
        types: Type of its own arguments, by name; those absent keep the annotation they have. In the place of
            one that is typed as a TypedDict its keys are arguments.
        defaults: Value of every training option.

    Example:
        >>> def fit(model: str, **train): ...
        >>> signature = flat_signature(fit, {}, DEFAULTS)
        >>> signature.parameters["epochs"].default, str(signature)
        (10, '(model, **train)')
    """
    signature = inspect.signature(function)
    typed = [
        parameter.replace(annotation=types.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    own = flat_parameters(typed, argument_groups(types))
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=option_types()[name]
        )
        for name, value in defaults.items()
    ]
    return FlatSignature([*own, *options], return_annotation=types.get("return", signature.return_annotation))


def recipe_signature(
    function: Callable[..., Any], types: Mapping[str, Any], defaults: TrainOptions
) -> FlatSignature:
    """Return the flat signature of a recipe, which also takes callbacks.

    Args:
        function: As of `flat_signature`, as the others are.
        types: Type of its own arguments.
        defaults: Value of every training option.

    Raises:
        InputError: It has an argument `callbacks` of its own.
    """
    signature = flat_signature(function, types, defaults)
    if CALLBACKS in signature.parameters:
        raise InputError(
            f"recipe {function.__name__} must have no argument {CALLBACKS} of its own; every recipe takes "
            "them, and kexp.fit in it gets them, so leave it out."
        )
    parameters = list(signature.parameters.values())
    setattr(function, GROUPS, argument_groups(types))
    own = len(parameters) - len(OPTIONS)
    return FlatSignature(
        [*parameters[:own], _CALLBACKS, *parameters[own:]], return_annotation=signature.return_annotation
    )


def command_parameters(recipe: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a recipe that a command line and a search space have."""
    return [one for name, one in inspect.signature(recipe).parameters.items() if name != CALLBACKS]


def shows_options(function: Callable[P, R]) -> Callable[P, R]:
    """Give a function that ends in `**train: Unpack[TrainOptions]` a flat signature and a help text of all.

    Example:
        >>> @shows_options
        ... def fit(model: str, **train):
        ...     '''Train a model.'''
        >>> inspect.signature(fit).parameters["epochs"].default
        10
    """
    signature = flat_signature(function, {}, DEFAULTS)
    function.__doc__ = help_text(function, signature)
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def argument_docs(function: Callable[..., Any]) -> dict[str, str]:
    """Return the meaning of each argument, as the Args section of a function's own docstring has it.

    Example:
        >>> argument_docs(flat_signature)["defaults"]
        'Value of every training option.'
    """
    plain = inspect.unwrap(function)
    groups: Groups = getattr(plain, GROUPS, {})
    documented = [_entries(group, "Attributes") for group in groups.values()]
    own = {name: text for name, text in _entries(plain, "Args").items() if name not in groups}
    return functools.reduce(operator.or_, [*documented, own])


def _entries(documented: Any, title: str) -> dict[str, str]:
    doc = inspect.cleandoc(documented.__doc__ or "")
    _, _, section = doc.partition(f"{title}:\n")
    entries = re.findall(r"^    \*{0,2}(\w+): (.*(?:\n {5,}.*)*)", section.partition("\n\n")[0], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def help_text(function: Callable[..., Any], signature: inspect.Signature) -> str:
    """Return a function's docstring with one entry for every argument: meaning, type, range and default.

    Args:
        function: What the docstring is of; its Args section is replaced.
        signature: Its flat signature.
    """
    doc = inspect.cleandoc(function.__doc__ or "")
    before, _, after = doc.partition("Args:\n")
    _, _, after = after.partition("\n\n")
    meanings = {CALLBACKS: _CALLBACKS_MEANING, **argument_docs(function)}
    own = [
        _entry(name, parameter.annotation, parameter.default, meanings.get(name, ""))
        for name, parameter in signature.parameters.items()
        if name not in OPTIONS
    ]
    options = [_option_entry(name, signature.parameters[name].default) for name in OPTIONS]
    parts = [before.strip(), _section("Args", own), _section("Training options", options), after.strip()]
    return "\n\n".join(part for part in parts if part)


def _section(title: str, entries: list[str]) -> str:
    return "\n".join([f"{title}:", *entries]) if entries else ""


@functools.cache  # Most recipes have the same default of most options.
def _option_entry(name: str, default: object) -> str:
    return _entry(name, option_types()[name], default, OPTIONS[name].doc)


def _entry(name: str, kind: Any, default: object, meaning: str) -> str:
    words = kind if isinstance(kind, str) else describe(kind)
    standard = "" if default is inspect.Parameter.empty else f"; default {default!r}"
    text = f"{name} ({words}{standard}): {meaning}"
    return textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="        ")


__all__ = [
    "CALLBACKS",
    "GROUPS",
    "FlatSignature",
    "argument_docs",
    "command_parameters",
    "flat_signature",
    "help_text",
    "recipe_signature",
    "shows_options",
]
