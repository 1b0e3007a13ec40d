"""Text as inputs: one string per sample, whatever it came in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError


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
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)


def as_text(title: str, values: Any) -> np.ndarray:
    """Return text as models take it.

    Args:
        title: What it is, for messages.
        values: (samples,) strings; None and NaN are missing ones.

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
        if "\0" in texts[sample] or not _is_unicode(texts[sample]):
            raise InputError(
                f"{title} must be text that UTF-8 can say, without NUL characters, received something else "
                f"at sample {sample}; remove what is no text."
            )
    return texts


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, each of which is a sample; an empty line is an empty text.

    Raises:
        InputError: For an empty file, or another encoding than UTF-8.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")  # line ends of any system become "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"file {path}: cannot be read as UTF-8 text ({error}); convert it.") from None
    if not content:
        raise InputError(f"file {path}: expected a text in every line, received nothing; add some.")
    return content.removesuffix("\n").split("\n")
