"""The command line: every command is a function, every recipe's signature its own options."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import cyclopts

from kexp import __version__
from kexp.cli.calibrate_command import calibrate
from kexp.cli.command_options import command_of
from kexp.cli.comparison_commands import compare, diff, runs
from kexp.cli.eject_command import eject
from kexp.cli.models_commands import models_app
from kexp.cli.page_commands import explain, report, watch
from kexp.cli.predict_command import predict
from kexp.cli.recipe_commands import (
    add_installed,
    add_training,
    argument_texts,
    check,
    find_learning_rate,
    of_recipes,
    profile,
    sample,
    train,
    verify_distributed,
    verify_resume,
)
from kexp.cli.recipe_lookup import READING, imported_recipe, recipes_of, sentence
from kexp.cli.serve_command import serve
from kexp.cli.streams import close_streams, open_streams, output_lost, say
from kexp.cli.verify_export_command import verify_export
from kexp.core.constraints import Between, Count, ExampleCount
from kexp.core.errors import InputError, TrainingDiverged, WorkerLost
from kexp.core.machine_faults import OUTPUT, machine_fault
from kexp.core.tensorflow_start import KERAS_EXTRAS, start_tensorflow
from kexp.core.user_paths import output_folder

_MISTAKE = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    The code is 0 when it did what was asked, 1 when a check did not hold, 2 for what the user can mend, a
    mistake or a machine without the room, the rights or the memory, 75 when another worker is gone, and 128
    and its number after a signal: SIGINT and SIGTERM save the state of a run first, SIGPIPE is that nobody
    reads the output.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        open_streams()
        code = _exit_code(words)
    except InputError as error:
        say(str(error))
        code = _MISTAKE
    sys.exit(close_streams(code))


def _exit_code(arguments: list[str]) -> int:
    try:
        command_app(arguments)(arguments, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return _mistake(sentence(error))
    except InputError as error:
        return _mistake(str(error))
    except TrainingDiverged as divergence:
        say(str(divergence))
        return 1
    except WorkerLost as loss:
        say(str(loss))
        # TensorFlow would wait at its end for the worker that is gone.
        os._exit(close_streams(loss.exit_code))
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "signal_number", signal.SIGINT)
        then = "; the same line goes on from the last checkpoint" if _is_resumable(arguments) else ""
        say(f"interrupted{then}.")
        return 128 + int(number)
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception as error:
        if isinstance(error, OSError) and error.filename == OUTPUT:
            return output_lost(error)
        fault = machine_fault(error)
        if fault is None:  # of kexp's own, to be seen whole
            raise
        return _mistake(fault)
    return 0


def _mistake(text: str) -> int:
    say(text)
    return _MISTAKE


def _is_resumable(arguments: Sequence[str]) -> bool:
    return arguments[:1] in (["run"], ["resume"], ["sweep"], ["cross-validate"], ["backtest"])


def command_app(arguments: Sequence[str]) -> cyclopts.App:
    """Return the parser of a command line, which has the options of the recipe that the line names.

    Args:
        arguments: The words of the line after `kexp`.

    Raises:
        InputError: The line names a recipe that there is not, or that cannot be imported.

    Example:
        >>> words = ["run", "mlp_images", "--epochs", "3"]
        >>> command_app(words).parse_args(words)[1].arguments
        {'epochs': 3}
    """
    arguments = list(arguments)
    app = cyclopts.App(
        name="kexp",
        help="Train, record and export Keras models with one line.",
        version=f"kexp {__version__}",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=READING,
    )
    pages = (list_, report, explain, runs, compare, diff, watch)
    for command in (*pages, calibrate, export, eject, predict, serve, sample, reproduce, launch, doctor):
        app.command(command_of(command), name=command.__name__.rstrip("_"))
    add_training(app, train, arguments)
    verify = cyclopts.App(
        name="verify", help="Prove that kexp keeps its promises: on a recipe, or of an export."
    )
    for name, text, action in (
        ("resume", "Kill a recipe at random moments; it must end as if left alone.", verify_resume),
        ("distributed", "Train on one device, on several, by processes: all the same.", verify_distributed),
    ):
        verify.command(of_recipes(("verify", name), text, action, arguments))
    verify.command(command_of(verify_export), name="export")
    looks: tuple[tuple[str, str, Callable[..., None]], ...] = (
        ("check", "Look for what would make a recipe's run fail, and estimate what it takes", check),
        ("lr-find", "Find the learning rate to begin with", find_learning_rate),
        ("profile", "Measure where the time of a training step goes", profile),
    )
    for name, text, look in looks:
        text = f"{text}; `kexp {name} RECIPE --help` lists its arguments."
        app.command(of_recipes((name,), text, look, arguments))
    app.command(verify)
    app.command(_sweep_app(arguments))
    app.command(_cross_validate_app(arguments))
    app.command(_backtest_app(arguments))
    data = cyclopts.App(name="data", help="Data sets from tensorflow-datasets.")
    data.command(command_of(prepare))
    app.command(data)
    app.command(models_app())
    return app


def _sweep_app(arguments: Sequence[str]) -> cyclopts.App:
    text = "Search a recipe's arguments; each option also takes a range (1e-4..1e-2) or choices (adam,sgd)."
    app = cyclopts.App(name="sweep", help=text)
    if arguments[:1] == ["sweep"]:
        from kexp.cli.sweep_command import command
        from kexp.sweep.sweep_options import OPTIONS

        _add_recipes(app, arguments, OPTIONS, command)
    return app


def _cross_validate_app(arguments: Sequence[str]) -> cyclopts.App:
    name = "cross-validate"
    app = cyclopts.App(name=name, help="Train a recipe once without each fold, and measure it there.")
    if arguments[:1] == [name]:
        from kexp.cli.cross_validate_command import command
        from kexp.sweep.fold_options import FOLD_OPTIONS

        _add_recipes(app, arguments, FOLD_OPTIONS, command)
    return app


def _backtest_app(arguments: Sequence[str]) -> cyclopts.App:
    text = "Forecast at many cuts in time, and measure classical forecasts beside it."
    app = cyclopts.App(name="backtest", help=text)
    if arguments[:1] == ["backtest"]:
        from kexp.cli.backtest_command import command
        from kexp.sweep.backtest import BACKTEST_OPTIONS

        _add_recipes(app, arguments, BACKTEST_OPTIONS, command)
    return app


def _add_recipes(
    app: cyclopts.App, arguments: Sequence[str], options: Sequence[str], command: Callable[..., Any]
) -> None:
    """Add a command for every recipe, made of it and of what the help says of its arguments."""
    path = tuple(arguments[:1])
    found = recipes_of(path, arguments, options)
    for name, recipe in found.items():
        app.command(command(recipe, argument_texts(recipe), start_tensorflow), name=name)
    add_installed(app, path, arguments, found)


def list_() -> None:
    """List the recipes and the data sets at hand."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from kexp.data import names
    from kexp.run.recipe_names import recipe_lines

    console = Console(highlight=False)
    for title, rows in (
        ("recipe", list(recipe_lines().items())),
        ("data", sorted(names().items())),
    ):
        table = Table(title, "", box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
        console.print()
    console.print("Your own recipes are too: kexp run FILE.py:FUNCTION, or MODULE:FUNCTION")
    console.print("Any path to a CSV, Parquet, .npz, IDX or image folder is data too: --data PATH")


def export(
    run_dir: str,
    directory: str,
    *,
    format: str | tuple[str, ...] = "saved_model",
    quantize: Literal["float16", "int8"] | None = None,
    max_drop: Annotated[float, Between(0.0, 1.0)] = 0.01,
    overwrite: bool = False,
    license: str | None = None,
    examples: ExampleCount = 8,
    docker: bool = False,
) -> None:
    """Write the model of a run as a SavedModel and check that it computes what was trained.

    Args:
        run_dir: Folder of a finished run.
        directory: New folder for the SavedModel; or that of an earlier one, for the next version.
        format: Of what is written, one or several: saved_model, onnx, litert.
        quantize: Hold the weights of litert and onnx in fewer bits: float16, int8.
        max_drop: What that may take from accuracy, or the share by which it may make an error grow.
        overwrite: Remove earlier versions there.
        license: Of the model, for its card; by default the card says that it was not given.
        examples: How many inputs of the validation part are recorded with their outputs, from 0 to 64.
        docker: Write a Dockerfile beside the folder too, of an image that serves it.
    """
    from kexp.export import ExportError, load_exported
    from kexp.export.export_checks import check_license
    from kexp.export.exporter import exporters_of
    from kexp.result import load
    from kexp.serve.dockerfile import check_dockerfile, write_dockerfile

    if docker:
        check_dockerfile(directory)

    exporters_of(format, quantize)
    check_license(license)
    result = load(run_dir)
    try:
        start_tensorflow(without=KERAS_EXTRAS)
        options: dict[str, Any] = {"formats": format, "quantize": quantize, "max_drop": max_drop}
        options |= {"overwrite": overwrite, "license": license, "examples": examples}
        path = result.export(directory, **options)
        exported = load_exported(path)
        if examples and exported.manifest.examples is None:
            print(
                "no examples are recorded: an earlier kexp took the samples of this run from the test part."
            )
        for form, cost in exported.provenance.get("quantization", {}).items():
            figures = f"{cost['metric']} {cost['before']:.4g} before, {cost['after']:.4g} after"
            print(f"{form} in {cost['type']}: {figures}, on {cost['samples']} validation samples")
        print(f"{path} answers {'within max_drop of the run' if quantize else 'as the run does'}.")
        if docker:
            print(write_dockerfile(directory))
    except ExportError as error:
        print(f"kexp: {error}", file=sys.stderr)
        sys.exit(1)


def reproduce(
    recipe: str | None = None, *, seeds: Count = 3, dir: str = "reproduced", table: str | None = None
) -> None:
    """Run what recipes refer to in papers and pages, and exit with 1 when a published figure is not met.

    Args:
        recipe: Its name, also MODULE:FUNCTION or FILE.py:FUNCTION; by default all of kexp's own.
        seeds: How many seeds, from 0, 1 or more.
        dir: Where the run folders go; the same line again goes on with them.
        table: Markdown file to write the figures to.
    """
    from kexp import recipes
    from kexp.verify.reproduce import check_table, reproduce, write_table

    own = [getattr(recipes, name) for name in recipes.__all__]
    chosen = own if recipe is None else [imported_recipe(recipe)]
    if table is not None:
        check_table(table)
    start_tensorflow()
    found = reproduce(chosen, seeds=seeds, dir=dir)
    if table is not None:
        write_table(found, table)
    if not all(one.met for one in found):
        sys.exit(1)


def prepare(name: str, *, data_dir: str | None = None) -> None:
    """Download a data set of tensorflow-datasets and prepare it for use by its name.

    Args:
        name: Name of the data set, such as cifar10.
        data_dir: Where to put it; by default TFDS_DATA_DIR, or tensorflow_datasets in the home folder.
    """
    from kexp.data import prepare as prepare_data

    if data_dir is not None:
        output_folder("data_dir", data_dir)
    start_tensorflow()
    prepare_data(name, data_dir)


def launch(*line: str, workers: Count, cores_per_worker: Count | None = None) -> None:
    """Start several workers of one training on this machine: `kexp launch --workers 2 -- run RECIPE ...`.

    The exit code is that of the workers, or of the one that failed first.

    Args:
        line: After `--`, `run` or `resume` and what follows it.
        workers: How many, 1 or more.
        cores_per_worker: Cores that each worker has to itself; by default all share all of them.
    """
    from kexp.cli.launch import launch as launch_workers

    sys.exit(launch_workers(line, workers, cores_per_worker=cores_per_worker))


def doctor() -> None:
    """Print versions and devices, what would be trained on and why, and exit with 1 if something is wrong."""
    from kexp.cli.doctor import doctor as look

    diagnosis = look()
    print(diagnosis)
    if not diagnosis.ok:
        sys.exit(1)


if __name__ == "__main__":
    main()
