"""What the command line does with a recipe: each function gets the recipe and its arguments."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from kexp.backend import start_tensorflow
from kexp.errors import InputError


def with_help(recipe: Callable[..., Any], action: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the recipe's signature, and the options of `action`, that hands both to it."""

    def command(*args: Any, **kwargs: Any) -> None:
        action(recipe, *args, **kwargs)

    texts = argument_texts(recipe)
    signature = inspect.signature(recipe)
    own = [
        parameter
        for parameter in inspect.signature(action, eval_str=True).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    parameters = [
        parameter.replace(annotation=Annotated[parameter.annotation, Parameter(help=texts.get(name))])
        for name, parameter in signature.parameters.items()
        if name not in {option.name for option in own}
    ]
    command.__signature__ = signature.replace(parameters=[*parameters, *own])  # type: ignore[attr-defined]
    command.__doc__ = first_line(recipe)
    return command


def train(recipe: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Check the arguments before TensorFlow is imported, call the recipe and print its figures."""
    from kexp.run.recipe import bind

    bind(recipe, *args, **kwargs)
    start_tensorflow()
    result = recipe(*args, **kwargs)
    if not kwargs.get("quiet"):
        _report(result)


def check(recipe: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print what a look before the run finds, and exit with 1 when there is a problem."""
    from kexp.run.recipe import bind

    bind(recipe, *args, **kwargs)
    start_tensorflow()
    from kexp.run import preflight

    report = preflight.check(recipe, *args, **kwargs)
    if not kwargs.get("quiet"):
        print(report)
    if not report.ok:
        sys.exit(1)


def find_learning_rate(
    recipe: Callable[..., Any],
    *args: Any,
    steps: Annotated[int, Parameter(help="Training steps, each at a higher rate. [10 or more]")] = 100,
    plot: Annotated[str | None, Parameter(help="PNG file to draw to; replaced if it exists.")] = None,
    **kwargs: Any,
) -> None:
    """Print the suggested rate, and draw the losses if asked for."""
    from kexp.atomic import replacing
    from kexp.ranges import AtLeast, check_value
    from kexp.run.recipe import bind

    bind(recipe, *args, **kwargs)
    check_value("steps", steps, Annotated[int, AtLeast(10)])
    if plot is not None and (not plot.endswith(".png") or not Path(plot).expanduser().parent.is_dir()):
        raise InputError(f"plot must be a .png file in a folder that exists; received {plot!r}.")
    start_tensorflow()
    from kexp.run.learning_rate import lr_find

    search = lr_find(recipe, *args, steps=steps, **kwargs)
    print(search)
    if plot is not None:
        with replacing(Path(plot).expanduser()) as temporary:
            search.plot().savefig(temporary, dpi=110)


def verify_resume(
    recipe: Callable[..., Any],
    *args: Any,
    kills: Annotated[int, Parameter(help="How often it is killed. [1 or more]")] = 20,
    **kwargs: Any,
) -> None:
    """Print the proof's outcome, and exit with 1 when the runs differ."""
    from kexp import verify

    arguments = inspect.signature(recipe).bind(*args, **kwargs).arguments
    report = verify.resume(recipe, kills=kills, **arguments)
    print(report)
    if report.difference is not None:
        sys.exit(1)


def _report(result: Any) -> None:
    for name, value in result.metrics.items():
        print(f"{name:<28} {value:.4f}")
    print(f"run folder                   {result.run_dir}")


def first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


def argument_texts(recipe: Callable[..., Any]) -> dict[str, str]:
    """Return what the help says of each argument: its docstring, and its range."""
    from docstring_parser import parse_from_object

    from kexp.ranges import ranges_of
    from kexp.train.options import TrainOptions

    documented = [*parse_from_object(TrainOptions).params, *parse_from_object(recipe).params]
    texts = {item.arg_name: " ".join((item.description or "").split()) for item in documented}
    for name, parameter in inspect.signature(recipe).parameters.items():
        limits = " and ".join(str(limit) for limit in ranges_of(parameter.annotation))
        texts[name] = f"{texts.get(name, '')} [{limits}]" if limits else texts.get(name, "")
    return texts
