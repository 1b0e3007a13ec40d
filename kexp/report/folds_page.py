"""The page of a cross-validation, one self-contained HTML file without scripts."""

from __future__ import annotations

import os
from pathlib import Path

from kexp.report.folds_record import FoldsRecord
from kexp.report.html import document, writable, write
from kexp.report.sections import render_sections


def folds_page(record: FoldsRecord, *, live: str = "") -> str:
    """Return the page of a cross-validation: its metrics with their intervals, and every fold.

    Args:
        record: The cross-validation; it may still be running.
        live: As of `kexp.report.html.document`.

    Example:
        >>> page = folds_page(FoldsRecord("<b>", 5))
        >>> "<b>" in page, "5 folds" in page
        (False, True)
    """
    return document(f"Cross-validation of {record.recipe}", render_sections("folds", record), live=live)


def write_folds_page(record: FoldsRecord, path: str | os.PathLike[str]) -> Path:
    """Write the page of a cross-validation to a file, and return its path.

    Args:
        record: The cross-validation.
        path: A file whose folder exists; an earlier page there is replaced.

    Raises:
        InputError: The folder does not exist or the path is a folder.

    Example:
        >>> write_folds_page(FoldsRecord("net", 5), "no/such/folder/page.html")
        Traceback (most recent call last):
        ...
        kexp.InputError: path must be a file in a folder that exists; received 'no/such/folder/page.html'.
    """
    writable(path)
    return write(folds_page(record), path)
