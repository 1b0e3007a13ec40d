"""Columns of pandas as plain arrays, and back again: type, categories and what is missing included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.constraints import plain
from kexp.core.errors import InputError, shown

if TYPE_CHECKING:
    import pandas as pd

# Takes an array, of numbers or of texts with None for what is missing, and returns the name it is kept by.
Put = Callable[[np.ndarray, str], str]
Node = dict[str, Any]  # in JSON
_TAGS: dict[type, str] = {bool: "b", int: "i", float: "f", Decimal: "d", str: "s"}
_PARSERS: dict[str, Callable[[str], Any]] = {
    "b": "True".__eq__,
    "i": int,
    "f": float,
    "d": Decimal,
    "s": str,
}
_ADVICE = "convert it to numbers, text or categories, or drop it"


def frame_node(frame: pd.DataFrame, put: Put, place: str) -> Node:
    """Return the description of a DataFrame, after its columns and its index were put away.

    Args:
        frame: It is left as it is.
        put: Keeps an array, and returns the name it is kept by.
        place: What it is, for messages.

    Raises:
        InputError: A column, a label or the index cannot be kept.
    """
    labels = [_label(label, place) for label in frame.columns]
    columns = [
        _column(frame.iloc[:, number], put, f"{place}: column {shown(label)}", str(label))
        for number, label in enumerate(frame.columns)
    ]
    return {"labels": labels, "columns": columns, "rows": len(frame), "index": _index(frame, put, place)}


def frame_of(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the DataFrame of a description that `frame_node` made, on copies of its arrays."""
    import pandas as pd

    columns = [_values(column, arrays) for column in node["columns"]]
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(node["rows"]))
    labels = [_label_of(label) for label in node["labels"]]
    together = bool(labels) and all(isinstance(label, tuple) for label in labels)
    frame.columns = pd.MultiIndex.from_tuples(labels) if together else pd.Index(labels, tupleize_cols=False)
    if node["index"] is not None:
        frame.index = _index_of(node["index"], arrays)
    return frame


def series_node(series: pd.Series, put: Put, place: str) -> Node:
    """Return the description of a Series, as `frame_node` that of a DataFrame."""
    name = _label(series.name, place)
    return {
        "values": _column(series, put, place, "values"),
        "index": _index(series, put, place),
        "name": name,
    }


def series_of(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> pd.Series:
    """Return the Series of a description that `series_node` made."""
    series = _values(node["values"], arrays)
    series.name = _label_of(node["name"])
    if node["index"] is not None:
        series.index = _index_of(node["index"], arrays)
    return series


def _column(series: pd.Series, put: Put, place: str, name: str) -> Node:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy()
        categories = _category_values(dtype.categories, place)
        return {"codes": put(codes, name), "categories": categories, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.StringDtype):
        absent = "nan" if isinstance(dtype.na_value, float) else "NA"
        texts = put(_texts(series), name)
        return {"strings": texts, "storage": dtype.storage, "missing": absent}
    if isinstance(dtype, np.dtype) and dtype.kind in "biufc":
        return {"numbers": put(series.to_numpy(), name)}
    if isinstance(dtype, pd.DatetimeTZDtype) or (isinstance(dtype, np.dtype) and dtype.kind in "mM"):
        return {"times": put(_ticks(series), name), "dtype": _type_name(dtype, place)}
    arrays = pd.arrays
    if isinstance(series.array, arrays.IntegerArray | arrays.FloatingArray | arrays.BooleanArray):
        plain_type = series.array.dtype.numpy_dtype
        gaps = series.isna().to_numpy()
        filled = series.array.to_numpy(dtype=plain_type, na_value=plain_type.type(0))
        filled[gaps] = 0
        return {"nullable": put(filled, name), "gaps": put(gaps, f"{name} gaps"), "dtype": str(dtype)}
    node = scalars_node(series.to_numpy(dtype=object).tolist(), put, place, name)
    is_plain = isinstance(dtype, np.dtype) and dtype.kind == "O"
    return node if is_plain else {**node, "dtype": _type_name(dtype, place)}


def _values(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> pd.Series:
    import pandas as pd

    if "codes" in node:
        kind = pd.CategoricalDtype(_categories_of(node["categories"]), node["ordered"])
        return pd.Series(pd.Categorical.from_codes(arrays[node["codes"]].copy(), dtype=kind))
    if "strings" in node:
        # Before pandas 2.3 the name of the storage said it.
        is_nan = node["missing"] == "nan" and node["storage"] != "pyarrow_numpy"
        extra = {"na_value": np.nan} if is_nan else {}
        return pd.Series(arrays[node["strings"]], dtype=pd.StringDtype(node["storage"], **extra))
    if "numbers" in node:
        return pd.Series(arrays[node["numbers"]].copy())
    if "times" in node:
        return _times_of(arrays[node["times"]], node["dtype"])
    if "nullable" in node:
        kind = pd.api.types.pandas_dtype(node["dtype"])
        made = kind.construct_array_type()(arrays[node["nullable"]].copy(), arrays[node["gaps"]].copy())
        return pd.Series(made)
    return pd.Series(scalars_of(node, arrays), dtype=node.get("dtype", object))


def _texts(series: pd.Series) -> np.ndarray:
    """Return (samples,) str objects, None for what is missing."""
    values = series.to_numpy(dtype=object)
    values = np.array(values, dtype=object)
    values[series.isna().to_numpy()] = None
    return values


def _ticks(series: pd.Series) -> np.ndarray:
    if series.dtype.kind == "M" and getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return series.to_numpy().view(np.int64)


def _times_of(ticks: np.ndarray, name: str) -> pd.Series:
    import pandas as pd

    dtype = pd.api.types.pandas_dtype(name)
    if isinstance(dtype, pd.DatetimeTZDtype):
        series = pd.Series(ticks.copy().view(f"M8[{dtype.unit}]"))
        return series.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
    return pd.Series(ticks.copy().view(dtype))


def _type_name(dtype: Any, place: str) -> str:
    """Return the name of a type, by which pandas finds it again."""
    import pandas as pd

    name = str(dtype)
    try:
        found = pd.api.types.pandas_dtype(name) == dtype
    except TypeError:
        found = False
    if not found:
        raise InputError(f"{place} is of the type {name}, which cannot be kept for workers; {_ADVICE}.")
    return name


def are_scalars(values: Sequence[Any]) -> bool:
    """Return whether values are texts, numbers, truth values and missing ones, which `scalars_node` takes.

    Example:
        >>> are_scalars(["a", None, 1]), are_scalars([[1]])
        (True, False)
    """
    return all(_is_missing(value) or type(plain(value)) in _TAGS for value in values)


def scalars_node(values: Sequence[Any], put: Put, place: str, name: str) -> Node:
    """Put away scalars of Python: texts as they are, others as texts with a letter for their type.

    Args:
        values: (samples,) of any of the types that `are_scalars` allows.
        put: As of `frame_node`.
        place: What they are, for messages.
        name: By which the texts are kept, unless it is taken.

    Raises:
        InputError: One is of another type.
    """
    found = [None if _is_missing(value) else plain(value) for value in values]
    kinds = {type(value) for value in found if value is not None}
    strange = sorted(kind.__name__ for kind in kinds - {*_TAGS})
    if strange:
        raise InputError(f"{place} holds objects of the type {strange[0]}, which cannot be kept; {_ADVICE}.")
    tagged = bool(kinds - {str})
    texts = np.empty(len(found), object)
    texts[:] = [f"{_TAGS[type(one)]}{one}" if tagged and one is not None else one for one in found]
    absent = {_missing_name(value) for value in values if _is_missing(value)}
    # Where several things stand for missing values, None will do for all.
    return {
        "scalars": put(texts, name),
        "tagged": tagged,
        "missing": absent.pop() if len(absent) == 1 else None,
    }


def scalars_of(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what `scalars_node` put away, as objects."""
    absent: Any = None
    if node["missing"] == "nan":
        absent = np.nan
    elif node["missing"] is not None:
        import pandas as pd

        absent = getattr(pd, node["missing"])
    values = arrays[node["scalars"]].copy()
    for row, text in enumerate(values):
        if text is None:
            values[row] = absent
        elif node["tagged"]:
            values[row] = _PARSERS[text[0]](text[1:])
    return values


def _is_missing(value: object) -> bool:
    return value is None or _missing_name(value) is not None


def _missing_name(value: object) -> str | None:
    """Return what pandas calls a missing value; None for None, and for what is there."""
    # Told without pandas, which takes a third of a second to import: its NA has no truth value.
    known = {"NAType": "NA", "NaTType": "NaT"}.get(type(value).__name__)
    return "nan" if isinstance(value, float) and value != value else known


def _category_values(categories: pd.Index, place: str) -> Node:
    """Return categories in JSON: there are few of them, and they are no rows."""
    import pandas as pd

    if isinstance(categories, pd.IntervalIndex):
        ends = (_category_values(end, place) for end in (categories.left, categories.right))
        return {"intervals": list(ends), "closed": categories.closed}
    inferred = pd.api.types.infer_dtype(categories, skipna=False)
    if inferred not in ("string", "integer", "floating", "boolean", "datetime64", "empty"):
        raise InputError(f"{place} has categories of the type {inferred}, which cannot be kept; {_ADVICE}.")
    if inferred == "datetime64":
        dtype = _type_name(categories.dtype, place)
        return {"ticks": _ticks(categories.to_series()).tolist(), "dtype": dtype}
    if isinstance(categories.dtype, np.dtype) and categories.dtype.kind in "biuf":
        return {"list": categories.tolist(), "dtype": str(categories.dtype)}
    return {"list": [plain(value) for value in categories], "dtype": _type_name(categories.dtype, place)}


def _categories_of(node: Mapping[str, Any]) -> pd.Index:
    import pandas as pd

    if "intervals" in node:
        left, right = map(_categories_of, node["intervals"])
        return pd.IntervalIndex.from_arrays(left, right, closed=node["closed"])
    if "ticks" in node:
        return pd.Index(_times_of(np.array(node["ticks"], np.int64), node["dtype"]))
    return pd.Index(node["list"], dtype=node["dtype"])


def _index(holder: pd.DataFrame | pd.Series, put: Put, place: str) -> list[Node] | None:
    """Return the description of an index by its levels; None for one that counts the rows from 0."""
    index = holder.index
    counted = index.nlevels == 1 and index.name is None and index.dtype.kind == "i"
    if counted and np.array_equal(index.to_numpy(), np.arange(len(index))):
        return None
    return [
        {
            **_column(
                index.get_level_values(level).to_series(), put, f"{place}: the index", f"index {level}"
            ),
            "name": _label(index.names[level], place),
        }
        for level in range(index.nlevels)
    ]


def _index_of(nodes: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> pd.Index:
    import pandas as pd

    levels = [_values(node, arrays) for node in nodes]
    names = [_label_of(node["name"]) for node in nodes]
    if len(levels) == 1:
        return pd.Index(levels[0], name=names[0])
    return pd.MultiIndex.from_arrays(levels, names=names)


def _label(label: Any, place: str) -> Any:
    label = plain(label)
    if isinstance(label, tuple):
        return [_label(part, place) for part in label]
    if label is not None and not isinstance(label, str | int | float | bool):
        raise InputError(
            f"{place} has the label {shown(label)} of the type {type(label).__name__}, which cannot be kept; "
            "rename it to a text."
        )
    return label


def _label_of(label: Any) -> Any:
    return tuple(map(_label_of, label)) if isinstance(label, list) else label
