"""The command line: every command is a function, every recipe's signature its own options."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from kexp import __version__
from kexp.backend import require_tensorflow
from kexp.errors import InputError

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
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "signal_number", signal.SIGINT)
        print("kexp: interrupted; the same line goes on from the last checkpoint.", file=sys.stderr)
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
    app.command(_run_app(arguments))
    app.command(_verify_app(arguments))
    data = cyclopts.App(name="data", help="Data sets from tensorflow-datasets.")
    data.command(prepare)
    app.command(data)
    return app


def _run_app(arguments: Sequence[str]) -> cyclopts.App:
    run = cyclopts.App(name="run", help="Train a recipe; `kexp run RECIPE --help` lists its arguments.")
    if "run" in arguments[:1]:
        from kexp import recipes

        for name in recipes.__all__:
            run.command(_with_help(getattr(recipes, name), _train), name=name)
    return run


def _verify_app(arguments: Sequence[str]) -> cyclopts.App:
    verify = cyclopts.App(name="verify", help="Prove that kexp keeps its promises on a recipe.")
    resumed = cyclopts.App(
        name="resume", help="Kill a recipe at random moments; it must end as if left alone."
    )
    if list(arguments[:2]) == ["verify", "resume"]:
        from kexp import recipes

        for name in recipes.__all__:
            resumed.command(_with_help(getattr(recipes, name), _verify_resume, kills=20), name=name)
    verify.command(resumed)
    return verify


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


def _with_help(recipe: Callable[..., Any], action: Callable[..., None], **extra: int) -> Callable[..., None]:
    """Return a command with the recipe's signature, and options of its own, that hands both to `action`."""

    def command(*args: Any, **kwargs: Any) -> None:
        action(recipe, *args, **kwargs)

    texts = _argument_texts(recipe)
    signature = inspect.signature(recipe)
    parameters = [
        parameter.replace(annotation=Annotated[parameter.annotation, Parameter(help=texts.get(name))])
        for name, parameter in signature.parameters.items()
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=int)
        for name, default in extra.items()
    ]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
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


def _verify_resume(recipe: Callable[..., Any], *args: Any, kills: int = 20, **kwargs: Any) -> None:
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
