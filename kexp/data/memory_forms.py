"""What data in memory are, told without looking into them, and what a record says of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from kexp.core.search import label
from kexp.data.dataset import Dataset
from kexp.data.given_tables import given_tables
from kexp.data.sources.tf_data import is_dataset

if TYPE_CHECKING:

    class _Columns(Protocol):  # a DataFrame, without the types of pandas, which not everybody has
        @property
        def iloc(self) -> Any: ...

    class _Elements(Protocol):  # likewise a tf.data.Dataset
        def as_numpy_iterator(self) -> Any: ...

    DataLike: TypeAlias = (
        str
        | Path
        | Dataset
        | tuple[Any, ...]
        | list[Any]
        | Mapping[str, Any]
        | np.ndarray
        | _Columns
        | _Elements
    )
else:
    # To a recipe its signature is its command line, where all data are a name or a path.
    DataLike = str


def form_of(data: object) -> str | None:
    """Return what data in memory are, in a word, or None for a name, a path and what can be no data.

    Example:
        >>> form_of("digits"), form_of(np.zeros((2, 2))), form_of(([[0.0]], [1])), form_of(["a", "b"])
        (None, 'array', '(x, y)', None)
    """
    if isinstance(data, Dataset):
        return "Dataset"
    if isinstance(data, tuple | list) and given_tables(data):
        return "(train, test)"
    if isinstance(data, tuple | list):
        is_names = all(isinstance(item, str | Path) for item in data)
        return None if is_names else "(x, y)" if len(data) == 2 else "array"
    if isinstance(data, Mapping):
        return "mapping"
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    if pandas is not None and isinstance(data, pandas.DataFrame | pandas.Series):
        return type(data).__name__
    if is_dataset(data):
        return "tf.data.Dataset"
    is_array = hasattr(data, "__array__") and not isinstance(data, type | np.generic)
    return "array" if is_array else None


def is_described(value: object) -> bool:
    """Return whether a recorded argument is `Content.described`.

    Example:
        >>> is_described({"in_memory": "DataFrame", "fingerprint": "3f"}), is_described("digits")
        (True, False)
    """
    return isinstance(value, Mapping) and set(value) == {"in_memory", "fingerprint"}


def in_words(value: Any) -> str:
    """Return a recorded argument for a sentence, data in memory by their form and fingerprint.

    Example:
        >>> in_words({"in_memory": "DataFrame", "fingerprint": "3f" * 32}), in_words("digits")
        ('a DataFrame in memory (3f3f3f3f)', "'digits'")
    """
    if not is_described(value):
        return repr(value)
    form = str(value["in_memory"])
    return f"{'an' if form[:1] in 'aeiou' else 'a'} {form} in memory ({str(value['fingerprint'])[:8]})"


def argument_label(value: Any) -> str:
    """Return a recorded argument as pages show it, data in memory by their form and fingerprint.

    Example:
        >>> argument_label([64, 32])
        '64, 32'
    """
    return in_words(value) if is_described(value) else label(value)
