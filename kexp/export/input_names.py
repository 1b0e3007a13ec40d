"""Signature keys: the names under which a SavedModel takes the columns of a table."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from kexp.data.dataset import DatasetSpec, Inputs

# What TensorFlow can neither take as the name of a signature's argument nor as that of a graph node
# has to be changed: tried with TensorFlow 2.21, where also "self" and two names that differ in case
# only make the save fail.
_VALID = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED = frozenset({"self"})

ARRAY_KEY = "inputs"  # of everything that is not a table
DEFAULT = "serving_default"  # the signature that is called when none is named
# The same from the bytes of image files. TensorFlow Serving takes what ends in _bytes in base64.
OF_BYTES = "serving_bytes"
BYTES_KEY = "image_bytes"


def signature_keys(columns: Iterable[str]) -> dict[str, str]:
    """Return the signature key of every column: its own name where that is a valid key.

    Args:
        columns: Distinct column names, with any characters.

    Example:
        >>> signature_keys(["age", "age (years)", "age/years", "class", "1st", "日本"])
        {'age': 'age', 'age (years)': 'age_years', 'age/years': 'age_years_2', 'class': 'class_',
         '1st': 'column_1st', '日本': 'column'}
    """
    columns = list(columns)
    keys: dict[str, str] = {}
    taken: set[str] = set()
    # Valid names first, so that none of them has to give way to one made up.
    for column in sorted(columns, key=lambda name: not _is_valid(name)):
        keys[column] = _unused(column if _is_valid(column) else _sanitised(column), taken)
        taken.add(keys[column].lower())
    return {column: keys[column] for column in columns}


def named_inputs(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the names of what a model takes: columns, several arrays, or the one name of a single array.

    Example:
        >>> named_inputs(DatasetSpec("array", (3,), "float32", "regression", 1))
        ('inputs',)
    """
    if spec.kind in ("table", "arrays"):
        return tuple(one.name for one in spec.inputs or spec.columns)
    return (ARRAY_KEY,)


def by_key(inputs: Inputs, keys: dict[str, str]) -> dict[str, np.ndarray]:
    """Return the inputs under the keys of the signature.

    Example:
        >>> by_key({"age (years)": np.array([3.0])}, {"age (years)": "age_years"})
        {'age_years': array([3.])}
    """
    if isinstance(inputs, np.ndarray):
        return {ARRAY_KEY: inputs}
    return {keys[column]: values for column, values in inputs.items()}


def _is_valid(name: str) -> bool:
    return _VALID.fullmatch(name) is not None and not keyword.iskeyword(name) and name not in _RESERVED


def _sanitised(name: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    key = re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_")
    if not key or key[0].isdigit():
        key = f"column_{key}".rstrip("_")
    return key if _is_valid(key) else f"{key}_"


def _unused(key: str, taken: set[str]) -> str:
    candidate, count = key, 1
    while candidate.lower() in taken:
        count += 1
        candidate = f"{key}_{count}"
    return candidate
