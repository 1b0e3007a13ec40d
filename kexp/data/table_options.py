"""The options of tables: how a file is written, and what its columns are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ColumnKind = Literal["number", "category", "date", "ignore"]


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be read.

    Attributes:
        columns: Kinds of columns by name, of those whose values leave a doubt.
        missing: Words that stand for a missing value in every column; an empty cell always does.
        separator: What stands between the columns of a CSV file, or, where something else does, between the
            labels of the target; None: found out.
        decimal: What stands before the fraction of numbers, "." or ","; None: found out by column.
        thousands: What stands between groups of three digits; None: the other of "." and ",".
        encoding: Of a CSV file; None: UTF-8, or UTF-16 where the file says so.
        header: Whether the first line of a CSV file has the names of the columns; None: found out.
        group: Column of what a row belongs to, such as a patient: no group is in two parts. It is no input.
        time: Column of dates or numbers in whose order the rows are: the latest are tested on.
        weight: Column with the weight of each row in the loss. It is no input.
    """

    columns: Mapping[str, ColumnKind] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: bool | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
