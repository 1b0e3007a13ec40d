"""Files of the rows of a table, which has their paths in a column."""

from __future__ import annotations

from pathlib import Path

from kexp.core.errors import InputError, shown
from kexp.core.user_paths import user_path
from kexp.data.sources.folder_layout import FileKind


def row_file(name: str, column: str | None, text: str, folder: Path | None, kind: FileKind) -> Path:
    """Return the file that a row of a table names.

    Args:
        name: Of the data, for messages.
        column: That has the paths, for messages.
        text: The path.
        folder: Of the table, below which the file lies; None: the table is in memory, and its paths are those
            of whoever made it.
        kind: What the file is.

    Raises:
        InputError: The path is empty, leads out of the folder, or is of another kind of file.
    """
    place = f"data {name!r}: column {shown(column)}"
    if not text.strip():
        raise InputError(f"{place} must have a path in each row; received an empty one, so mend it.")
    path = user_path(f"{place}: a path", text)
    if path.suffix.lower() not in kind.suffixes:
        raise InputError(
            f"{place} must have paths of {kind.noun}s ({', '.join(sorted(kind.suffixes))}); received "
            f"{shown(text)}, so name another column or convert it."
        )
    if folder is None:
        return path
    inside = (folder / path).resolve()
    if path.is_absolute() or not inside.is_relative_to(folder.resolve()):
        raise InputError(
            f"{place} must have paths of files below the folder of the table, {folder}; received "
            f"{shown(text)}, so put the {kind.noun} there, or pass the table as a DataFrame."
        )
    return inside
