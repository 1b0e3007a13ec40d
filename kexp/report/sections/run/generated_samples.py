"""Samples of a model that makes images: of each of its classes, or of any."""

from __future__ import annotations

from html import escape

from kexp.report.generated_images import SIDE, generated_images, generator_classes
from kexp.report.html import rows, text_section
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import image_grid

ORDER = 60


def applies(run: ReportedRun) -> bool:
    """True for a model that makes images."""
    return run.task.makes_samples


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    images, names = generated_images(run), generator_classes(run)
    if not names:
        text = f"{len(images)} samples of seed 0, none of them chosen."
        return text_section("Samples", text, image_grid("samples", images, SIDE))
    pairs = [
        (escape(name), image_grid(f"samples of {name}", images[SIDE * row : SIDE * (row + 1)], SIDE))
        for row, name in enumerate(names[:SIDE])
    ]
    which = f"each of the first {SIDE} of {len(names)} classes" if len(names) > SIDE else "each class"
    text = f"{SIDE} samples of {which}, of seed 0, none of them chosen."
    return text_section("Samples", text, rows(pairs))
