"""The list of the runs in a folder: filtered, in an order, as a table and as a page."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.comparison.run_conditions import read_conditions, require_known
from kexp.comparison.run_row import RunRow, read_row, run_folders
from kexp.comparison.runs_page import write_runs_page
from kexp.core.constraints import check_value
from kexp.core.errors import InputError
from kexp.core.user_paths import user_path

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunList:
    """Runs in an order.

    Attributes:
        dir: The folder that they are in.
        rows: A row for each.
        found: How many there are in the folder, those that were filtered out included.

    Example:
        >>> found = runs(run_dir)
        >>> len(found), next(iter(found)).recipe
        (1, 'mlp_images')
    """

    dir: Path
    rows: tuple[RunRow, ...]
    found: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RunRow]:
        return iter(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per run: where it is, its state, recipe, data, date, seed, metrics and arguments."""
        import pandas as pd

        return pd.DataFrame([{"run_dir": str(row.run_dir), **row.known()} for row in self.rows])

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write a page with the table, which sorts by any column, and return its path.

        Args:
            path: An HTML file in a folder that exists.

        Raises:
            InputError: The path cannot be written.
        """
        return write_runs_page(self.rows, str(self), path)

    def __str__(self) -> str:
        return f"{len(self.rows)} of {self.found} runs in {self.dir}"


def runs(
    dir: str | os.PathLike[str] = "runs", *, where: str | None = None, sort: str | None = None
) -> RunList:
    """Return the runs in a folder and below it, the newest first; running and damaged ones too.

    Nothing of TensorFlow is needed, and no model is read.

    Args:
        dir: The folder, default runs.
        where: Conditions that all have to hold, as "val_accuracy>0.9 and recipe=mlp_images": a column, a
            metric or an argument, then one of = != < <= > >= or ~ ("has in it"), and a value; default None:
            none.
        sort: A column, a metric or an argument to sort by, "-" before it for the largest first; default None:
            the newest first. Runs that do not have it come last.

    Raises:
        InputError: There is no such folder, no run has a column that is named, or where cannot be read.

    Example:
        >>> [row.state for row in runs(run_dir, where="val_accuracy>0.5 and data=digits")]
        ['finished']
    """
    folder = user_path("dir", dir)
    where, sort = check_value("where", where, str | None), check_value("sort", sort, str | None)
    if not folder.is_dir():
        raise InputError(f"dir must be a folder with runs; {folder} is none.")
    conditions = () if where is None else read_conditions(where)
    rows = [read_row(path, _name(path, folder)) for path in run_folders(folder)]
    for condition in conditions:
        require_known(condition.name, "where", rows)
    kept = [row for row in rows if all(condition.holds(row) for condition in conditions)]
    if sort is None:
        kept.sort(key=lambda row: row.begun_s, reverse=True)
    else:
        name = sort.lstrip("+-")
        require_known(name, "sort", rows)
        kept = _sorted(kept, name, falling=sort.startswith("-"))
    return RunList(folder, tuple(kept), len(rows))


def _name(path: Path, folder: Path) -> str:
    return path.name if path == folder else path.relative_to(folder).as_posix()


def _sorted(rows: list[RunRow], name: str, *, falling: bool) -> list[RunRow]:
    """Return rows in the order of a fact: numbers, then texts, then those without it."""

    def lacks(row: RunRow) -> bool:
        value = row.known().get(name)
        return value is None or (isinstance(value, float) and math.isnan(value))

    def key(row: RunRow) -> tuple[bool, Any]:
        value = row.known()[name]
        return isinstance(value, str), value

    having = sorted((row for row in rows if not lacks(row)), key=key, reverse=falling)
    return [*having, *(row for row in rows if lacks(row))]
