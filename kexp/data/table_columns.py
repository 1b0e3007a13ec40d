"""The columns of a table: what each is to a model, and what was found in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from kexp.core.errors import shown
from kexp.core.json_files import require_keys
from kexp.data.array_specs import Size
from kexp.data.stored_arrays import StoredArray, blocks_of

MOST_CATEGORIES = 256  # that are told apart; of more, the rarest share a place


def column_name(name: object) -> str:
    """Return a column's name as models can carry it: Keras allows no "/" in the name of an input.

    Example:
        >>> column_name("km/h")
        'km∕h'
    """
    return str(name).replace("/", "\N{DIVISION SLASH}")


@dataclass(frozen=True)
class Column:
    """One input column: numbers (missing: NaN), categories, dates or text (missing: empty string).

    Attributes:
        name: Of the column.
        kind: Of its values.
        dtype: Of numbers: "float64" where float32 would make one of several.
        decimal: Of numbers that are written as texts, what stands before the fraction; empty: of others.
        date_format: Of dates, their format as of `time.strptime`.
        missing_words: Words that stand for a missing value.
        categories: Those of training, but for the rarest of very many.
        has_missing: Whether values are missing in training; None: nobody has looked.
    """

    name: str
    kind: Literal["number", "category", "date", "text"]
    dtype: Literal["float32", "float64"] = field(default="float32", repr=False)
    decimal: str = field(default="", repr=False)
    date_format: str = field(default="", repr=False)
    missing_words: tuple[str, ...] = field(default=(), repr=False)
    categories: tuple[str, ...] = field(default=(), repr=False, compare=False)
    has_missing: bool | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class ColumnFacts:
    """What was found in a column of a table, for people.

    Attributes:
        name: Of the column.
        kind: "number", "category", "date", "text"; "target"; "group", "weight"; or why it is no input: "id",
            "ignored".
        distinct: How many different values it has.
        missing: In how many rows it has none.
        examples: Some of its values.
        notes: What is strange about it, with what to do.
    """

    name: str
    kind: str
    distinct: int
    missing: int
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


_COLUMN_KEYS = {"name": str, "kind": Literal["number", "category", "date", "text"]}
_OPTIONAL_COLUMN_KEYS = {
    "dtype": Literal["float32", "float64"] | None,
    "decimal": str | None,
    "date_format": str | None,
    "missing_words": list[str] | None,
    "categories": list[str] | None,
    "has_missing": bool | None,
}
_FACTS_KEYS = {
    "name": str,
    "kind": str,
    "distinct": Size,
    "missing": Size,
    "examples": list[str],
    "notes": list[str],
}


def column_json(column: Column) -> dict[str, Any]:
    """Return name and kind, and of the rest what is not as usual."""
    usual = Column(column.name, column.kind)
    content = asdict(column)
    return {
        name: value
        for name, value in content.items()
        if name in _COLUMN_KEYS or value != getattr(usual, name)
    }


def column_of(content: Mapping[str, Any], place: str, advice: str) -> Column:
    """Return the column that `column_json` made JSON of.

    Raises:
        InputError: A field is missing, or holds what no column has.
    """
    require_keys(content, place, {**_COLUMN_KEYS, **_OPTIONAL_COLUMN_KEYS}, advice=advice)
    values = {name: content[name] for name in _OPTIONAL_COLUMN_KEYS if content.get(name) is not None}
    listed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Column(content["name"], content["kind"], **listed)


def facts_of(content: Mapping[str, Any], place: str, advice: str) -> ColumnFacts:
    """Return the facts that `dataclasses.asdict` made JSON of.

    Raises:
        InputError: A field is missing, or holds something else.
    """
    require_keys(content, place, _FACTS_KEYS, advice=advice)
    name, kind, distinct, missing, examples, notes = (content[key] for key in _FACTS_KEYS)
    return ColumnFacts(name, kind, distinct, missing, tuple(examples), tuple(notes))


def plain_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return columns with names and kinds alone, by which data are told apart."""
    return tuple(Column(column.name, column.kind) for column in columns)


def with_categories(columns: Sequence[Column], inputs: Any) -> tuple[Column, ...]:
    """Return columns with what training has in them: categories, but for the rarest of very many, and gaps.

    Args:
        columns: Of the data.
        inputs: The training inputs by column, (samples,) each; or what other data have.

    Example:
        >>> towns = {"town": np.array(["Ulm", ""], object)}
        >>> (column,) = with_categories([Column("town", "category")], towns)
        >>> column.categories, column.has_missing
        (('Ulm',), True)
    """
    if not isinstance(inputs, Mapping):
        return tuple(columns)
    found = []
    for column in columns:
        values = inputs[column.name]
        if values.dtype == object:
            has_gaps = "" in category_counts(values)
        else:
            has_gaps = any(np.isnan(block).any() for block in blocks_of(values))
        known = [one for one in kept_categories(values) if one] if column.kind == "category" else []
        found.append(replace(column, categories=tuple(known), has_missing=has_gaps))
    return tuple(found)


def kept_categories(values: np.ndarray) -> list[str]:
    """Return the categories of (samples,) values, the most frequent ones where there are very many.

    Example:
        >>> kept_categories(np.array(["b", "a", "b"], object))
        ['a', 'b']
    """
    counts = category_counts(values)
    often = sorted(counts, key=lambda one: -counts[one])  # of equal ones the first by name
    return sorted(often[:MOST_CATEGORIES])


def category_counts(values: Any) -> dict[str, int]:
    """Return how often each category occurs among (samples,) str objects, in the order of their names.

    Example:
        >>> category_counts(np.array(["b", "a", "b"], object))
        {'a': 1, 'b': 2}
    """
    if isinstance(values, StoredArray):
        counts = values.word_counts()
        return {word: counts[word] for word in sorted(counts)}
    seen, found = np.unique(values.astype(str), return_counts=True)
    return dict(zip(seen.tolist(), found.tolist(), strict=True))


def unknown_values(columns: Sequence[Column], inputs: Any) -> tuple[str, ...]:
    """Return what inputs have and training had not: new categories, and gaps in columns without any.

    Args:
        columns: Of the data that a model was trained on.
        inputs: By column, (samples,) each; or what other data have.

    Example:
        >>> town = Column("town", "category", categories=("Ulm",), has_missing=False)
        >>> new, gaps = unknown_values([town], {"town": np.array(["Ulm", "Ys", ""], object)})
        >>> new
        "column 'town': 1 of 3 values is none that training had, such as 'Ys'."
        >>> gaps
        "column 'town': 1 of 3 values is missing, as none was in training."
    """
    if not isinstance(inputs, Mapping):
        return ()
    found = []
    for column in columns:
        values = inputs[column.name]
        gaps = values == "" if values.dtype == object else np.isnan(values)
        if 0 < len(column.categories) < MOST_CATEGORIES - 1:
            known = {*column.categories, ""}
            new = [value for value in values.tolist() if value not in known]
            if new:
                words = f"none that training had, such as {shown(new[0])}"
                found.append(_counted(column, len(new), len(values), words))
        if gaps.any() and column.has_missing is False:
            found.append(_counted(column, int(gaps.sum()), len(values), "missing, as none was in training"))
    return tuple(found)


def _counted(column: Column, count: int, values: int, words: str) -> str:
    verb = "is" if count == 1 else "are"
    return f"column {shown(column.name)}: {count:,} of {values:,} values {verb} {words}."
