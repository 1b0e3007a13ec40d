"""The options of tables: how a file is written, and what its columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from kexp.core.errors import InputError, nearest, shown
from kexp.data.table_columns import column_name

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


def table_options(columns: Any, missing: Any, **others: Any) -> TableOptions:
    """Return options of tables as a caller gives them, checked.

    Args:
        columns: A mapping from names to kinds, or texts such as "zip=category".
        missing: A word, or several.
        **others: As the other attributes of `TableOptions`.

    Raises:
        InputError: One of them is of another type, or a kind is unknown.

    Example:
        >>> table_options(("zip=category",), "?").columns, table_options(None, "?").missing
        ({'zip': 'category'}, ('?',))
    """
    for name in ("separator", "decimal", "thousands", "encoding", "group", "time", "weight"):
        value = others.get(name)
        if value is not None and not (isinstance(value, str) and value):
            example = " such as ';'" if name == "separator" else ""
            raise InputError(f"{name}={shown(value)}: expected a text{example}; pass one or leave it out.")
    if others.get("header") not in (None, True, False):
        raise InputError(f"header={shown(others['header'])}: expected True or False; pass one of them.")
    if others.get("decimal") not in (None, ".", ","):
        raise InputError(f"decimal={shown(others['decimal'])}: expected '.' or ','; pass one of them.")
    words = (missing,) if isinstance(missing, str) else missing or ()
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise InputError(f"missing={shown(missing)}: expected words such as '?'; pass them in a tuple.")
    kinds = _kinds(columns)
    return TableOptions(columns=kinds, missing=tuple(word.strip() for word in words), **others)


def _kinds(columns: Any) -> dict[str, ColumnKind]:
    if columns is None:
        return {}
    if isinstance(columns, Mapping):
        pairs = [(column_name(name), kind) for name, kind in columns.items()]
    else:
        listed = [columns] if isinstance(columns, str) else columns
        texts = [part for text in listed for part in str(text).split(",")]
        pairs = [
            (column_name(name), kind.strip()) for name, _, kind in (text.rpartition("=") for text in texts)
        ]
    known = get_args(ColumnKind)
    for name, kind in pairs:
        if kind not in known or not name:
            raise InputError(
                f"columns={shown(columns)}: expected kinds by name, of {', '.join(map(repr, known))}, such "
                f"as zip=category; received {shown(kind)}{nearest(str(kind), known)}."
            )
    return dict(pairs)
