"""`kexp backtest RECIPE`: the recipe's own options, and those of the cuts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from kexp.cli.command_options import options_of, own_options
from kexp.cli.recipe_commands import first_line
from kexp.sweep.backtest import BACKTEST_OPTION_TYPES, BACKTEST_OPTIONS, backtest, run_backtest

_GIVEN_BY_THE_CUTS = ("checkpoint_dir", "compare", "leave_out", "run_dir", "test", *BACKTEST_OPTIONS)


def command(
    recipe: Callable[..., Any], texts: dict[str, str], start_tensorflow: Callable[[], object]
) -> Callable[..., None]:
    """Return a command with the recipe's arguments and those of `kexp.backtest`.

    Args:
        recipe: A recipe.
        texts: What the help says of each of its arguments.
        start_tensorflow: Imports TensorFlow without its notices.
    """

    def run(*args: Any, **kwargs: Any) -> None:
        given = inspect.signature(run).bind(*args, **kwargs)
        arguments = {name: value for name, value in given.arguments.items() if name not in BACKTEST_OPTIONS}
        given.apply_defaults()
        start_tensorflow()
        run_backtest(recipe, arguments, {name: given.arguments[name] for name in BACKTEST_OPTIONS})

    parameters = [one for one in options_of(recipe, texts) if one.name not in _GIVEN_BY_THE_CUTS]
    parameters += own_options(backtest, BACKTEST_OPTION_TYPES, BACKTEST_OPTION_TYPES)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = first_line(recipe)
    return run
