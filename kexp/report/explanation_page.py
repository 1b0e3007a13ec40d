"""The page of an explanation alone: what a network learned, one self-contained HTML file."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.report.html import document, writable, write
from kexp.report.sections import render_sections

if TYPE_CHECKING:
    from kexp.evaluation.explain.network_findings import Findings


def write_explanation_page(found: Findings, path: str | os.PathLike[str], title: str) -> Path:
    """Write the page of what a network learned to a file, and return its path.

    Args:
        found: What was found.
        path: A file whose folder exists; an earlier page there is replaced.
        title: Of the page, not escaped yet.

    Raises:
        InputError: The folder does not exist or the path is a folder.
    """
    target = writable(path)
    notes = [f"<p>{escape(note)}</p>" for note in found.notes]
    return write(document(title, [*notes, *render_sections("explanation", found)], pictures=True), target)
