"""Commands of pages: of a run or a sweep, of what a network learned, and of what is under way."""

from __future__ import annotations

from typing import Annotated

from kexp.core.constraints import AtLeast
from kexp.core.errors import InputError
from kexp.core.tensorflow_start import KERAS_EXTRAS, quiet_tensorflow, start_tensorflow
from kexp.core.user_paths import user_path


def report(directory: str, *, explain: bool = False) -> None:
    """Write a page about a run, a sweep, a cross-validation or a backtest into its folder.

    Args:
        directory: Folder of a finished run, of a sweep, of a cross-validation, or of a backtest.
        explain: Whether the page of a run also shows what the network learned.
    """
    from kexp.result import load
    from kexp.sweep.backtest_result import BACKTEST, load_backtest
    from kexp.sweep.cross_validation_result import is_cross_validation, load_cross_validation
    from kexp.sweep.record_file import RECORD
    from kexp.sweep.sweep_result import load_sweep

    path = user_path("directory", directory)
    of_cuts = (path / BACKTEST).exists()
    if of_cuts or (path / RECORD).exists():
        if explain:
            raise InputError("explain must be left out for all but runs; give the folder of a run.")
        if of_cuts:
            print(load_backtest(path).report())
            return
        found = load_cross_validation(path) if is_cross_validation(path) else load_sweep(path)
        print(found.report())
        return
    result = load(directory)
    with quiet_tensorflow(without=KERAS_EXTRAS):  # which a page without samples does not import
        print(result.report(explain=explain))


def explain(run_dir: str, inputs: str | None = None) -> None:
    """Write a page of what the network of a run learned into its folder, as explanation.html.

    Args:
        run_dir: Folder of a finished run.
        inputs: Samples to explain, 16 at most: an image, a CSV or Parquet file with the columns of the
            training data, a .txt file with a text in every line, or a .npy array; by default six samples of
            the validation data.
    """
    from kexp.data.adapters import read_inputs
    from kexp.result import load

    result = load(run_dir)
    samples = None if inputs is None else read_inputs(inputs, result.spec)
    start_tensorflow(without=KERAS_EXTRAS)
    print(result.explain(samples).report())


def watch(
    directory: str,
    *,
    port: Annotated[int, AtLeast(0, most=65_535)] = 0,
    once: bool = False,
    quiet: bool = False,
) -> None:
    """Show how a run, a sweep or a cross-validation goes: a page that updates itself, and the terminal.

    The page is served to this machine alone, until Ctrl-C. A terminal shows what is under way, too; elsewhere
    a line is printed for each epoch, trial or fold that ends.

    Args:
        directory: Its folder; it may still be under way, or about to begin.
        port: Of the page, on 127.0.0.1, from 0 to 65535; 0 is any that is free.
        once: Print how it stands now, and serve no page.
        quiet: Print nothing.
    """
    from kexp.cli.watch_command import watch as watch_folder

    watch_folder(directory, port, once=once, quiet=quiet)
