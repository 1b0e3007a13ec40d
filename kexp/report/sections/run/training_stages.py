"""Samples that were drawn while a model was trained, from the first to the last."""

from __future__ import annotations

import re
from pathlib import Path

from kexp.report.html import picture, text_section
from kexp.report.reported import ReportedRun

ORDER = 80
_STAGES = 6


def applies(run: ReportedRun) -> bool:
    """True for a run that kept samples while it trained."""
    return bool(_pictures(run.folder))


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    pictures = _pictures(run.folder)
    chosen = sorted({round(step * (len(pictures) - 1) / (_STAGES - 1)) for step in range(_STAGES)})
    figures = [_figure(*pictures[index]) for index in chosen]
    text = f"Samples that were drawn after {len(figures)} of the epochs, the first and the last among them."
    return text_section("While training", text, f'<div class="steps">{"".join(figures)}</div>')


def _pictures(run_dir: Path) -> list[tuple[int, Path]]:
    """Return the epochs after which samples were kept, with their files."""
    files = (run_dir / "samples").glob("epoch-*.png")
    numbered = [(re.fullmatch(r"epoch-(\d+)\.png", path.name), path) for path in files]
    return sorted((int(match[1]), path) for match, path in numbered if match)


def _figure(epoch: int, path: Path) -> str:
    content = picture(f"samples after epoch {epoch}", path.read_bytes())
    return f"<figure>{content}<figcaption>epoch {epoch}</figcaption></figure>"
