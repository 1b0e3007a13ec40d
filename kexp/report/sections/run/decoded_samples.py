"""Images that a variational autoencoder makes of random codes."""

from __future__ import annotations

from kexp.report.html import text_section
from kexp.report.reconstructed_samples import are_variational_images
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import image_grid

ORDER = 140
_SIDE = 8  # samples beside and below one another


def applies(run: ReportedRun) -> bool:
    """True for a variational autoencoder of images."""
    return are_variational_images(run)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    images = run.sample(_SIDE * _SIDE)
    text = f"Reconstructions of {len(images)} codes drawn from the standard normal distribution."
    return text_section("Samples", text, image_grid("samples", images, _SIDE))
