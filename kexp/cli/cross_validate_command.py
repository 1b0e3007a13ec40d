"""`kexp cross-validate RECIPE`: the recipe's own options, and those of the folds."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from kexp.cli.command_options import options_of, own_options
from kexp.cli.recipe_commands import first_line
from kexp.sweep.cross_validation import cross_validate, run_folds
from kexp.sweep.fold_options import FOLD_OPTION_TYPES, FOLD_OPTIONS

_GIVEN_BY_THE_FOLDS = ("checkpoint_dir", "run_dir", *FOLD_OPTIONS)


def command(
    recipe: Callable[..., Any], texts: dict[str, str], start_tensorflow: Callable[[], object]
) -> Callable[..., None]:
    """Return a command with the recipe's arguments and those of `kexp.cross_validate`.

    Args:
        recipe: A recipe.
        texts: What the help says of each of its arguments.
        start_tensorflow: Imports TensorFlow without its notices.
    """

    def run(*args: Any, **kwargs: Any) -> None:
        given = inspect.signature(run).bind(*args, **kwargs)
        arguments = {name: value for name, value in given.arguments.items() if name not in FOLD_OPTIONS}
        given.apply_defaults()
        options: Mapping[str, Any] = {name: given.arguments[name] for name in FOLD_OPTION_TYPES}
        found = run_folds(recipe, arguments, {**options, "resources": None}, on_start=start_tensorflow)
        if any(run.error for run in found.runs):
            sys.exit(1)

    parameters = [
        parameter for parameter in options_of(recipe, texts) if parameter.name not in _GIVEN_BY_THE_FOLDS
    ]
    parameters += own_options(cross_validate, FOLD_OPTION_TYPES, FOLD_OPTION_TYPES)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = first_line(recipe)
    return run
