"""The command line: every command is a function, every recipe's signature its own options."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from kexp import __version__
from kexp.backend import require_tensorflow
from kexp.errors import InputError, TrainingDiverged

_MISTAKE = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    The code is 0 when it did what was asked, 1 when a check did not hold, 2 for a mistake that the
    user can mend, and 130 or 143 after SIGINT or SIGTERM, which save the state of a run first.
    """
    sys.exit(_exit_code(list(sys.argv[1:] if arguments is None else arguments)))


def _exit_code(arguments: list[str]) -> int:
    try:
        app = _app(arguments)
        app(arguments, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return _say(_sentence(error))
    except InputError as error:
        return _say(str(error))
    except TrainingDiverged as divergence:
        _say(str(divergence))
        return 1
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "signal_number", signal.SIGINT)
        resumable = arguments[:1] in (["run"], ["resume"], ["sweep"])
        then = "; the same line goes on from the last checkpoint" if resumable else ""
        print(f"kexp: interrupted{then}.", file=sys.stderr)
        return 128 + number
    return 0


def _say(sentence: str) -> int:
    print(f"kexp: {sentence}", file=sys.stderr)
    return _MISTAKE


def _sentence(error: cyclopts.CycloptsError) -> str:
    words = " ".join(str(error).split())
    return words if words.endswith((".", "?")) else f"{words}."


def _app(arguments: Sequence[str]) -> cyclopts.App:
    app = cyclopts.App(
        name="kexp",
        help="Train, record and export Keras models with one line.",
        version=f"kexp {__version__}",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative=(), consume_multiple=True),
    )
    for command in (list_, resume, export, predict):
        app.command(command, name=command.__name__.rstrip("_"))
    verify = cyclopts.App(name="verify", help="Prove that kexp keeps its promises on a recipe.")
    verify.command(
        _recipes(
            ("verify", "resume"),
            "Kill a recipe at random moments; it must end as if left alone.",
            _verify_resume,
            arguments,
        )
    )
    for name, text, action in (
        ("run", "Train a recipe", _train),
        ("check", "Look for what would make a recipe's run fail, and estimate what it takes", _check),
        ("lr-find", "Find the learning rate to begin with", _find_learning_rate),
    ):
        text = f"{text}; `kexp {name} RECIPE --help` lists its arguments."
        app.command(_recipes((name,), text, action, arguments))
    app.command(verify)
    app.command(_sweep_app(arguments))
    data = cyclopts.App(name="data", help="Data sets from tensorflow-datasets.")
    data.command(prepare)
    app.command(data)
    return app


def _recipes(
    path: tuple[str, ...], text: str, action: Callable[..., None], arguments: Sequence[str]
) -> cyclopts.App:
    """Return a command with a command for every recipe, which are only looked for where they are needed."""
    app = cyclopts.App(name=path[-1], help=text)
    if tuple(arguments[: len(path)]) == path:
        from kexp import recipes

        for name in recipes.__all__:
            app.command(_with_help(getattr(recipes, name), action), name=name)
    return app


def _sweep_app(arguments: Sequence[str]) -> cyclopts.App:
    text = "Search a recipe's arguments; each option also takes a range (1e-4..1e-2) or choices (adam,sgd)."
    app = cyclopts.App(name="sweep", help=text)
    if arguments[:1] == ["sweep"]:
        from kexp import recipes
        from kexp.sweep.command import command

        for name in recipes.__all__:
            recipe = getattr(recipes, name)
            app.command(command(recipe, _argument_texts(recipe), start_tensorflow), name=name)
    return app


def list_() -> None:
    """List the recipes and the data sets at hand."""
    from rich.console import Console
    from rich.table import Table

    from kexp import recipes
    from kexp.data import names

    console = Console(highlight=False)
    for title, rows in (
        ("recipe", [(name, _first_line(getattr(recipes, name))) for name in recipes.__all__]),
        ("data", sorted(names().items())),
    ):
        table = Table(title, "", box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()
    console.print("Any path to a CSV, Parquet, .npz, IDX or image folder is data too: --data PATH")


def export(run_dir: str, directory: str, *, overwrite: bool = False) -> None:
    """Write the model of a run as a SavedModel and check that it computes what was trained.

    Args:
        run_dir: Folder of a finished run.
        directory: New folder for the SavedModel.
        overwrite: Replace an earlier export there.
    """
    from kexp.export import ExportError
    from kexp.run.result import load

    result = load(run_dir)
    try:
        start_tensorflow()
        print(f"{result.export(directory, overwrite=overwrite)} answers as the run does.")
    except ExportError as error:
        print(f"kexp: {error}", file=sys.stderr)
        sys.exit(1)


def resume(run_dir: str, *, quiet: bool = False) -> None:
    """Go on with an unfinished run from its last checkpoint.

    Args:
        run_dir: Folder of the run.
        quiet: Print nothing.
    """
    from kexp.run.resume import recorded_call

    recipe, arguments = recorded_call(run_dir)
    _train(recipe, **arguments, quiet=quiet)


def predict(directory: str, inputs: str) -> None:
    """Print what an exported model answers, as CSV: one line per sample, in order.

    Args:
        directory: Folder of an exported model.
        inputs: An image, a CSV or Parquet file with the columns of the training data, or a .npy array.
    """
    from kexp.data.inputs import read_inputs
    from kexp.export import load_exported

    exported = load_exported(directory)
    samples = read_inputs(inputs, exported.spec)
    start_tensorflow()
    exported.predict(samples).to_frame(exported.spec).to_csv(sys.stdout, index=False)


def prepare(name: str, *, data_dir: str | None = None) -> None:
    """Download a data set of tensorflow-datasets and prepare it for use by its name.

    Args:
        name: Name of the data set, such as cifar10.
        data_dir: Where to put it; the folder KEXP_DATA_DIR, or TensorFlow Datasets' own.
    """
    from kexp.data import prepare as prepare_data

    start_tensorflow()
    prepare_data(name, data_dir)


def _with_help(recipe: Callable[..., Any], action: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the recipe's signature, and the options of `action`, that hands both to it."""

    def command(*args: Any, **kwargs: Any) -> None:
        action(recipe, *args, **kwargs)

    texts = _argument_texts(recipe)
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
    command.__doc__ = _first_line(recipe)
    return command


def _train(recipe: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Check the arguments before TensorFlow is imported, call the recipe and print its figures."""
    from kexp.run.recipe import bind

    bind(recipe, *args, **kwargs)
    start_tensorflow()
    result = recipe(*args, **kwargs)
    if not kwargs.get("quiet"):
        _report(result)


def _check(recipe: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print what a look before the run finds, and exit with 1 when there is a problem."""
    from kexp.run.recipe import bind

    bind(recipe, *args, **kwargs)
    start_tensorflow()
    from kexp.run.preflight import check

    report = check(recipe, *args, **kwargs)
    if not kwargs.get("quiet"):
        print(report)
    if not report.ok:
        sys.exit(1)


def _find_learning_rate(
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


def _verify_resume(
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


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


def _argument_texts(recipe: Callable[..., Any]) -> dict[str, str]:
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


def start_tensorflow() -> None:
    """Import TensorFlow with its start-up notices, which C++ writes past Python, off the terminal.

    Raises:
        InputError: TensorFlow is not installed.
    """
    require_tensorflow()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


if __name__ == "__main__":
    main()
