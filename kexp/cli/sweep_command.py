"""`kexp sweep RECIPE`: the recipe's own options, each of which also takes a range or choices."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from kexp.cli.command_options import own_options
from kexp.core.call_signatures import command_parameters
from kexp.sweep.space.overrides import read_override
from kexp.sweep.sweep import search, sweep
from kexp.sweep.sweep_options import OPTION_TYPES, OPTIONS

_GIVEN_BY_THE_SWEEP = ("checkpoint_dir", "run_dir", *OPTIONS)


def command(
    recipe: Callable[..., Any], texts: Mapping[str, str], start_tensorflow: Callable[[], object]
) -> Callable[..., None]:
    """Return a command with the recipe's arguments as texts and those of `kexp.sweep` as they are.

    Args:
        recipe: A recipe.
        texts: What the help says of each of its arguments.
        start_tensorflow: Imports TensorFlow without its notices.
    """

    def run(*args: Any, **kwargs: Any) -> None:
        given = inspect.signature(run).bind(*args, **kwargs)
        given.apply_defaults()
        options = {name: given.arguments.pop(name) for name in OPTIONS}
        types = {parameter.name: parameter.annotation for parameter in command_parameters(recipe)}
        space = {
            name: value if value is True else read_override(name, value, types[name])
            for name, value in given.arguments.items()
            if value not in (None, False)
        }
        search(recipe, space, options, on_start=start_tensorflow)

    parameters = [
        _as_text(parameter, texts.get(parameter.name, ""))
        for parameter in command_parameters(recipe)
        if parameter.name not in _GIVEN_BY_THE_SWEEP
    ]
    parameters += own_options(sweep, OPTIONS, OPTION_TYPES)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = (recipe.__doc__ or "").strip().partition("\n")[0]
    return run


def _as_text(parameter: inspect.Parameter, text: str) -> inspect.Parameter:
    """Return an option that takes a value, a range or choices; flags of training stay flags."""
    if (
        parameter.annotation is bool
        and parameter.default is False
        and parameter.kind is parameter.KEYWORD_ONLY
    ):
        kind: Any = Annotated[list[str] | None, Parameter(help=f"{text} [true, false or both: true,false]")]
        if parameter.name == "fast_dev_run":
            return parameter.replace(annotation=Annotated[bool, Parameter(help=text)])
    else:
        kind = Annotated[list[str] | None, Parameter(help=text)]
    return parameter.replace(annotation=kind, default=None)
