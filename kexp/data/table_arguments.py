"""The arguments of tables, as `kexp.data.load` and recipes take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict, get_args

from kexp.core.constraints import AtLeast
from kexp.core.errors import InputError, nearest, shown
from kexp.data.split_ways import SplitName, SplitWay, chosen_way
from kexp.data.table_columns import column_name
from kexp.data.table_options import ColumnKind, TableOptions

_TEXTS = ("separator", "decimal", "thousands", "encoding", "group", "time", "weight")


class TableArguments(TypedDict, total=False):
    """How a table is read and its rows are divided; all may be left out.

    Attributes:
        columns: Kinds of columns, where their values leave a doubt: {"zip": "category", "when": "date", "id":
            "ignore"}, or texts such as "zip=category". Default: by their values; `spec.column_facts` lists
            what was found.
        missing: Words that stand for a missing value in all columns, as an empty cell always does; among
            numbers "?", "NA" and the like do without being named.
        separator: What stands between the columns of a CSV file; default: comma, semicolon, tab or "|", found
            out. Where something else does, it is what stands between the labels where those of a sample are
            one text, such as ";" in "red;round"; an empty text has none. Default: a text is one class.
        decimal: What stands before the fraction of numbers, "." or ","; default: found out by column.
        thousands: What stands between groups of three digits; default: the other of "." and ",".
        encoding: Of a CSV file; default UTF-8, or UTF-16 where the file says so.
        header: Whether the first line of a CSV file has the names of the columns; default: found out. Without
            names they are "column 1" and so on.
        group: Column that says what a row belongs to, such as a patient; no group is in two parts. It is no
            input.
        time: Column of dates or numbers; the latest rows are tested on, those before them validated on.
        weight: Column with the weight of each row in the loss. It is no input.
        split: How parts are drawn: "stratified" (each class in proportion), "random", "group" or "time";
            default: by group or time where these are given, else stratified.
        gap: Of a split by time, how much later a part begins than the one before it ends, in days for dates,
            else in units of the column; rows in between are left out. Default 0.
    """

    columns: Mapping[str, ColumnKind] | Sequence[str] | None
    missing: Sequence[str] | str | None
    separator: str | None
    decimal: Literal[".", ","] | None
    thousands: str | None
    encoding: str | None
    header: bool | None
    group: str | None
    time: str | None
    weight: str | None
    split: SplitName | None
    gap: Annotated[float, AtLeast(0.0)] | None


def table_options(given: Mapping[str, Any]) -> tuple[TableOptions, SplitWay]:
    """Return how a table is to be read and divided, checked.

    Args:
        given: As `TableArguments`.

    Raises:
        InputError: An argument is unknown, or of another type or value than it must be.

    Example:
        >>> options, way = table_options({"columns": ("zip=category",), "missing": "?", "group": "shop"})
        >>> options.columns, options.missing, way.name
        ({'zip': 'category'}, ('?',), 'group')
    """
    known = TableArguments.__annotations__
    for name in given:
        if name not in known:
            raise InputError(
                f"{name} is no argument of kexp.data.load{nearest(name, known)}; correct it or leave it out."
            )
    for name in _TEXTS:
        value = given.get(name)
        if value is not None and not (isinstance(value, str) and value):
            example = " such as ';'" if name == "separator" else ""
            raise InputError(f"{name}={shown(value)}: expected a text{example}; pass one or leave it out.")
    _require_encoding(given.get("encoding"))
    header, decimal, missing = given.get("header"), given.get("decimal"), given.get("missing")
    if header not in (None, True, False):
        raise InputError(f"header={shown(header)}: expected True or False; pass one of them.")
    if decimal not in (None, ".", ","):
        raise InputError(f"decimal={shown(decimal)}: expected '.' or ','; pass one of them.")
    words = (missing,) if isinstance(missing, str) else missing or ()
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise InputError(f"missing={shown(missing)}: expected words such as '?'; pass them in a tuple.")
    texts = {name: given.get(name) for name in _TEXTS}
    options = TableOptions(
        columns=_kinds(given.get("columns")),
        missing=tuple(word.strip() for word in words),
        header=header,
        **texts,
    )
    gap = given.get("gap")
    return options, chosen_way(given.get("split"), options, 0.0 if gap is None else gap)


def _require_encoding(encoding: str | None) -> None:
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise InputError(
            f"encoding={shown(encoding)}: expected the name of an encoding such as 'latin-1'; correct it."
        ) from None


def _kinds(columns: Any) -> dict[str, ColumnKind]:
    if columns is None:
        return {}
    if isinstance(columns, Mapping):
        pairs = [(column_name(name), kind) for name, kind in columns.items()]
    else:
        texts = [columns] if isinstance(columns, str) else [str(text) for text in columns]
        if len(texts) == 1 and all("=" in part for part in texts[0].split(",")):
            texts = texts[0].split(",")
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
