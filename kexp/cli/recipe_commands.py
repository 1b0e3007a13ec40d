"""What the command line does with a recipe, which each function gets with its arguments; and with samples."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter

from kexp.cli.command_options import command_of, options_of
from kexp.cli.finished_run import print_summary
from kexp.cli.recipe_lookup import imported_recipe, installed_lines, recipes_of
from kexp.core.constraints import (
    Count,
    Difference,
    RangeTestSteps,
    SampleCount,
    SampleSeed,
    SeveralDevices,
    SeveralWorkers,
)
from kexp.core.errors import InputError
from kexp.core.tensorflow_start import KERAS, KERAS_EXTRAS, start_tensorflow
from kexp.core.user_paths import output_file, user_path

if TYPE_CHECKING:
    from kexp.export import Exported
    from kexp.result import Result


def add_training(app: cyclopts.App, action: Callable[..., Any], arguments: Sequence[str]) -> None:
    """Add the commands `run` and `resume`, which both hand a recipe and its arguments to `action`."""

    def resume(
        run_dir: str,
        *,
        recipe: str | None = None,
        checkpoint_dir: str | None = None,
        track: str | tuple[str, ...] | None = None,
        quiet: bool = False,
    ) -> Any:
        """Go on with an unfinished run from its last checkpoint.

        Args:
            run_dir: Folder of the run.
            recipe: FILE.py:FUNCTION or MODULE:FUNCTION of a recipe of your own, which no folder is asked for.
            checkpoint_dir: Where the state of the run is, if that is outside of its folder.
            track: Trackers to tell of the run: tensorboard, mlflow, wandb.
            quiet: Print nothing.
        """
        from kexp.run.recorded_call import recorded_call

        given = None if recipe is None else imported_recipe(recipe)
        again, recorded = recorded_call(run_dir, given, checkpoint_dir)
        return action(again, {**recorded, "track": track, "quiet": quiet})

    text = "Train a recipe, also FILE.py:FUNCTION; `kexp run RECIPE --help` lists its arguments."
    app.command(of_recipes(("run",), text, action, arguments))
    app.command(command_of(resume), name="resume")


def of_recipes(
    path: tuple[str, ...], text: str, action: Callable[..., Any], arguments: Sequence[str]
) -> cyclopts.App:
    """Return a command with a command for every recipe, which are only looked for where they are needed."""
    app = cyclopts.App(name=path[-1], help=text)
    options = [
        one.name for one in inspect.signature(action).parameters.values() if one.kind is one.KEYWORD_ONLY
    ]
    found = recipes_of(path, arguments, options)
    for name, recipe in found.items():
        app.command(with_help(recipe, action), name=name)
    add_installed(app, path, arguments, found)
    return app


def add_installed(app: cyclopts.App, path: tuple[str, ...], arguments: Sequence[str], found: Sized) -> None:
    """Add a line for each installed recipe to the help of a command that takes recipes.

    Args:
        app: The command.
        path: The words of the command.
        arguments: The whole command line.
        found: The recipes that it has already.
    """

    def listed() -> None:
        """Stand for a recipe, which is imported when it is named."""

    if len(found) > 1:
        for name, line in installed_lines(path, arguments).items():
            app.command(listed, name=name, help=line)


def with_help(recipe: Callable[..., Any], action: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with a recipe's arguments and the options of an action.

    Args:
        recipe: A recipe.
        action: Takes the recipe, a mapping of the arguments that were given, and its own options by keyword.
    """

    def command(*args: Any, **kwargs: Any) -> Any:
        given = {option.name: kwargs.pop(option.name) for option in own if option.name in kwargs}
        return action(recipe, signature.bind(*args, **kwargs).arguments, **given)

    texts = argument_texts(recipe)
    signature = inspect.signature(recipe)
    own = [parameter for parameter in options_of(action) if parameter.kind is parameter.KEYWORD_ONLY]
    parameters = [
        parameter
        for parameter in options_of(recipe, texts)
        if parameter.name not in {option.name for option in own}
    ]
    command.__signature__ = signature.replace(parameters=[*parameters, *own])  # type: ignore[attr-defined]
    command.__doc__ = first_line(recipe)
    return command


def train(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Check the arguments before TensorFlow is imported, call the recipe and print its figures.

    A finished run is answered from its folder, without TensorFlow.
    """
    from kexp.engine.tensorflow.cluster_spec import check_tf_config, read_cluster
    from kexp.run.recipe_call import bind, checked_folder

    options = bind(recipe, **arguments)
    folder = checked_folder(recipe.__name__, options)
    if options["devices"] is None:
        check_tf_config()
    if folder.finished() and options["strategy"] != "multiworker" and read_cluster() is None:
        _report(recipe(**arguments), arguments)
        return

    def begin() -> None:
        from kexp.engine.tensorflow.strategy import join_workers

        join_workers(options)

    start_tensorflow(begin, without=_unused_packages(recipe))
    result = recipe(**arguments)
    from kexp.engine.tensorflow.strategy import is_chief

    if is_chief(options):
        _report(result, arguments)


def _unused_packages(recipe: Callable[..., Any]) -> frozenset[str]:
    """Return what Keras can do without where one of kexp's recipes runs: another one may need all of it."""
    return KERAS_EXTRAS if recipe.__module__.startswith("kexp.recipes.") else frozenset()


def check(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Print what a look before the run finds, and exit with 1 when there is a problem."""
    from kexp.run.recipe_call import bind

    bind(recipe, **arguments)
    start_tensorflow()
    from kexp import preflight

    report = preflight.check(recipe, **arguments)
    if not arguments.get("quiet"):
        print(report)
    if not report.ok:
        sys.exit(1)


def profile(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Print where the time of a training step goes."""
    from kexp.run.recipe_call import bind

    bind(recipe, **arguments)
    start_tensorflow(without=_unused_packages(recipe))
    from kexp.evaluation.profiler import profile

    found = profile(recipe, **arguments)
    if not arguments.get("quiet"):
        print(found)


def find_learning_rate(
    recipe: Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    steps: Annotated[
        RangeTestSteps, Parameter(help="Training steps, each at a higher rate. [10 or more]")
    ] = 100,
    plot: Annotated[str | None, Parameter(help="PNG file to draw to; replaced if it exists.")] = None,
) -> None:
    """Print the suggested rate, and draw the losses if asked for."""
    from kexp.core.files import replacing
    from kexp.run.recipe_call import bind

    bind(recipe, **arguments)
    drawing = None if plot is None else output_file("plot", plot, ".png")
    start_tensorflow(without=_unused_packages(recipe))
    from kexp.evaluation.learning_rate_finder import lr_find

    search = lr_find(recipe, steps=steps, **arguments)
    print(search)
    if drawing is not None:
        with replacing(drawing) as temporary:
            search.plot().savefig(temporary, dpi=110)


def verify_resume(
    recipe: Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    kills: Annotated[Count, Parameter(help="How often it is killed. [1 or more]")] = 20,
    workers: Annotated[Count, Parameter(help="Processes that train together. [1 or more]")] = 1,
    victim: Annotated[Literal["all", "chief", "other"], Parameter(help="Which of them are killed.")] = "all",
    history: Annotated[bool, Parameter(help="Whether those that are killed trained before.")] = False,
) -> None:
    """Print the proof's outcome, and exit with 1 when the runs differ."""
    from kexp import verify

    report = verify.resume(recipe, kills=kills, workers=workers, victim=victim, history=history, **arguments)
    print(report)
    if report.difference is not None:
        sys.exit(1)


def verify_distributed(
    recipe: Callable[..., Any],
    arguments: Mapping[str, Any],
    *,
    replicas: Annotated[SeveralDevices | None, Parameter(help="Devices of this CPU. [2 or more]")] = 2,
    workers: Annotated[SeveralWorkers | None, Parameter(help="Processes together. [2 or more]")] = 2,
    train_steps: Annotated[Count, Parameter(help="Steps that are compared. [1 or more]")] = 20,
    tolerance: Annotated[Difference, Parameter(help="Largest difference of weights. [0 or more]")] = 1e-5,
) -> None:
    """Print the proof's outcome, and exit with 1 when there is a difference."""
    from kexp import verify

    # Only what was given: the proof has an optimizer of its own.
    report = verify.distributed(
        recipe,
        replicas=replicas,
        workers=workers,
        train_steps=train_steps,
        tolerance=tolerance,
        **arguments,
    )
    print(report)
    if not report.same:
        sys.exit(1)


def sample(
    directory: str,
    *,
    output: str,
    n: SampleCount = 16,
    seed: SampleSeed = 0,
    label: tuple[str, ...] = (),
    quiet: bool = False,
) -> None:
    """Draw images from a generative model or a variational autoencoder, and write them as one picture.

    Args:
        directory: Folder of a finished run, or of an exported model.
        output: PNG file to write; replaced if it exists.
        n: How many images, 1 or more, at most 100,000.
        seed: Of the draws, 0 or more; the same one gives the same images.
        label: Classes to draw, in turn; by default any.
        quiet: Print nothing.
    """
    from kexp.core.images import grid, save_png
    from kexp.export import Exported
    from kexp.tasks.sample_requests import check_sample_request

    path = output_file("output", output, ".png")
    source, classes = _drawn_from(directory)
    labels = [label[index % len(label)] for index in range(n)] if label else None
    check_sample_request(n, seed, labels, classes)
    if source.spec.kind != "image":
        raise InputError(
            f"directory must hold a model of images, whose samples make a picture; {directory} holds one of "
            f"kind {source.spec.kind!r}."
        )
    start_tensorflow(without=KERAS if isinstance(source, Exported) else KERAS_EXTRAS)
    images = source.sample(n, seed=seed, labels=labels)
    save_png(path, grid(images, len(label) if 1 < len(label) <= n else math.ceil(math.sqrt(n))))
    if not quiet:
        print(f"{path}: {n} image{'s' if n > 1 else ''}, seed {seed}.")


def _drawn_from(directory: str) -> tuple[Result | Exported, tuple[str, ...] | None]:
    """Return what is in a folder, and the classes that it draws, before TensorFlow is imported."""
    from kexp.export import load_exported
    from kexp.result import load
    from kexp.run.sampleable_classes import sampleable_classes

    path = user_path("directory", directory)
    if not path.is_dir():
        raise InputError(
            f"directory must be the folder of a finished run or of an exported model; {directory} is none."
        )
    if (path / "config.json").is_file():
        result = load(path)
        return result, sampleable_classes(path / "model.keras", result.spec)
    exported = load_exported(path)
    return exported, exported.sampleable_classes


def _report(result: Any, arguments: Mapping[str, Any]) -> None:
    if not arguments.get("quiet"):
        print_summary(result)


def first_line(function: Callable[..., Any]) -> str:
    """Return the first line of a function's docstring."""
    return (function.__doc__ or "").strip().partition("\n")[0]


def argument_texts(recipe: Callable[..., Any]) -> dict[str, str]:
    """Return what the help says of each argument: its docstring, and its range."""
    from kexp.core.call_signatures import argument_docs, command_parameters
    from kexp.core.constraints import fits, ranges_of
    from kexp.core.options import OPTIONS, OUTPUT_ONLY

    texts = {name: option.doc for name, option in OPTIONS.items()} | argument_docs(recipe)
    for parameter in command_parameters(recipe):
        name = parameter.name
        notes = [" and ".join(str(limit) for limit in ranges_of(parameter.annotation))]
        if (
            name not in OUTPUT_ONLY
            and fits(None, parameter.annotation)
            and fits("None", parameter.annotation)
        ):
            notes.append("""None is no text; '"None"' is""")
        texts[name] = " ".join([texts.get(name, ""), *(f"[{note}]" for note in notes if note)])
    return texts
