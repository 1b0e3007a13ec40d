"""Commands about runs beside one another: lists, comparisons, and where two begin to differ."""

from __future__ import annotations

import sys

_WIDE = 1000  # columns, of what is no terminal


def runs(
    dir: str = "runs", *, where: str | None = None, sort: str | None = None, page: str | None = None
) -> None:
    """List the runs in a folder and below it, the newest first.

    Args:
        dir: The folder.
        where: Conditions that all have to hold, as "val_accuracy>0.9 and recipe=mlp_images": a column, a
            metric or an argument, then one of = != < <= > >= or ~ ("has in it"), and a value.
        sort: A column, a metric or an argument to sort by, "-" before it for the largest first.
        page: An HTML file to write the table to.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from kexp.comparison.run_listing import runs as listed_runs
    from kexp.comparison.runs_page import COLUMNS, cells

    found = listed_runs(dir, where=where, sort=sort)
    if page is not None:
        print(found.report(page))
        return
    table = Table(*COLUMNS, box=None, pad_edge=False, header_style="bold")
    for row in found:
        table.add_row(*map(Text, cells(row)))
    # What is not a terminal has no width: a line for each run.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    if found.rows:
        console.print(table)
    for row in found:
        if row.problem:
            print(f"kexp: {row.problem}", file=sys.stderr)
    print(found)


def diff(a: str, b: str, *, replay: bool = True, recipe: str | None = None) -> None:
    """Find the first step at which two runs differ, the layer and the likely cause; exit with 1 if they do.

    Args:
        a: Folder of a run.
        b: Folder of another.
        replay: Train both again between two checksums, to find the step, where recipe and data are at hand.
        recipe: The recipe of both, as MODULE:FUNCTION or FILE.py:FUNCTION, if it is your own.
    """
    from kexp.cli.recipe_lookup import imported_recipe
    from kexp.comparison.run_difference import diff as difference
    from kexp.core.tensorflow_start import KERAS_EXTRAS, quiet_tensorflow

    with quiet_tensorflow(without=KERAS_EXTRAS):  # which is imported where steps are taken again
        own = None if recipe is None else imported_recipe(recipe)
        found = difference(a, b, replay=replay, recipe=own)
    print(found)
    if not found.same:
        sys.exit(1)


def compare(*runs: str, page: str | None = None, predictions: bool = True) -> None:
    """Set finished runs beside one another: figures over seeds, arguments, tests on the same rows, curves.

    Args:
        runs: Two run folders or more; those that differ in their seed alone are one group.
        page: An HTML file to write it to, with the curves and the mistakes that only one run makes.
        predictions: Ask the models for answers to the same validation rows, where their data are at hand.
    """
    from kexp.comparison.run_comparison import compare as compared
    from kexp.core.tensorflow_start import KERAS_EXTRAS, quiet_tensorflow

    with quiet_tensorflow(without=KERAS_EXTRAS):  # which is imported where models are asked
        found = compared(*runs, predictions=predictions)
        print(found if page is None else found.report(page))
