"""Text as inputs: one string per sample, whatever it came in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.compressed_files import open_within_budget, sample_of
from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import guarded
from kexp.core.memory_budget import require_bytes

_TEXT = "UTF-8 text"
_CHARACTER_BYTES = 2  # the file's own and the text's; one of many scripts takes more, its samples less


def is_text(values: Any) -> bool:
    """Whether values are one-dimensional text: a list, an array or a pandas Series of strings.

    Args:
        values: Anything; among objects the first that is not missing counts.

    Example:
        >>> is_text(["Anna", None]), is_text(np.array(["Anna"])), is_text([["Anna"]]), is_text([1.5])
        (True, True, False, False)
    """
    if not isinstance(values, list | tuple) and np.ndim(values) != 1:
        return False
    if getattr(getattr(values, "dtype", None), "kind", "O") in "biufcmMV":
        return False
    return isinstance(next((value for value in values if not _is_missing(value)), None), str)


def _is_missing(value: Any) -> bool:
    # Told without pandas, which takes a third of a second to import: its NA has no truth value.
    absent = value is None or value is np.ma.masked or type(value).__name__ == "NAType"
    return absent or (isinstance(value, float) and value != value)


def as_text(title: str, values: Any) -> np.ndarray:
    """Return text as models take it.

    Args:
        title: What it is, for messages.
        values: (samples,) strings; None, NaN and masked ones are missing.

    Returns:
        (samples,) str objects, "" for what is missing.

    Raises:
        InputError: For something else among them, and for characters that UTF-8 or NumPy cannot keep.

    Example:
        >>> as_text("x:", ["Anna", None])
        array(['Anna', ''], dtype=object)
    """
    texts = np.empty(len(values), object)
    for sample, value in enumerate(values):
        if not isinstance(value, str) and not _is_missing(value):
            raise InputError(
                f"{title} must be text, received a {type(value).__name__} at sample {sample}; convert it "
                "with str."
            )
        texts[sample] = str(value) if isinstance(value, str) else ""
        if not is_unicode(texts[sample]):
            raise InputError(
                f"{title} must be text that UTF-8 can say, without NUL characters, received something else "
                f"at sample {sample}; remove what is no text."
            )
    return texts


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 and NumPy can keep a text: it has no half of a surrogate pair, and no NUL.

    Example:
        >>> is_unicode("Zoë"), is_unicode(chr(0xD800)), is_unicode(chr(0))
        (True, False, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def as_categories(place: str, series: Any) -> np.ndarray:
    """Return a column of categories as text, "" for what is missing.

    Args:
        place: What it is, for messages.
        series: (samples,) a pandas Series of whatever has a str.

    Returns:
        (samples,) str objects.

    Raises:
        InputError: UTF-8 or NumPy cannot keep one.

    Example:
        >>> import pandas as pd
        >>> as_categories("inputs in column 'town'", pd.Series(["Bonn", None])).tolist()
        ['Bonn', '']
    """
    gaps = series.isna().to_numpy()
    values = ["" if gap else str(value) for value, gap in zip(series.tolist(), gaps.tolist(), strict=True)]
    if not all(map(is_unicode, set(values))):
        strange = next(row for row, value in enumerate(values) if not is_unicode(value))
        raise InputError(
            f"{place} must have text that UTF-8 can say, without NUL characters; received "
            f"{shown(values[strange])} in row {strange + 1} of {len(values)}, so remove it."
        )
    return np.array(values, dtype=object)


def read_text(path: Path) -> str:
    """Return what a UTF-8 text file holds, .gz or not; line ends of any system become "\\n".

    Raises:
        InputError: For another encoding, a damaged file, and for more than fits into memory.
    """
    _, count = sample_of(path, _TEXT, "convert it")
    require_bytes(_CHARACTER_BYTES * count, f"file {path}")
    with (
        open_within_budget(path, _TEXT, "convert it") as file,
        guarded(f"file {path}", _TEXT, "convert it"),
        io.TextIOWrapper(file, encoding="utf-8-sig") as text,
    ):
        return text.read()


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, each of which is a sample; an empty line is an empty text.

    Raises:
        InputError: For an empty file, or another encoding than UTF-8.
    """
    content = read_text(path)
    if not content:
        raise InputError(f"file {path}: expected a text in every line, received nothing; add some.")
    return content.removesuffix("\n").split("\n")
