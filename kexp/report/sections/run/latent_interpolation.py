"""Images of the codes on the way from one image's code to another's."""

from __future__ import annotations

import numpy as np

from kexp.core.images import to_uint8
from kexp.report.html import text_section
from kexp.report.reconstructed_samples import are_variational_images, reconstructions
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import image_grid

ORDER = 150
_PAIRS, _STEPS = 5, 9


def applies(run: ReportedRun) -> bool:
    """True for a variational autoencoder of two images or more."""
    return are_variational_images(run) and len(reconstructions(run)) >= 2


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    codes = np.asarray(reconstructions(run).codes)[: 2 * _PAIRS]
    steps = [np.linspace(codes[2 * pair], codes[2 * pair + 1], _STEPS) for pair in range(len(codes) // 2)]
    images = to_uint8(np.asarray(run.record.model.decode(np.concatenate(steps).astype("float32"))))
    text = (
        "Left and right in each row the reconstructions of two images; between them those of codes at equal "
        "steps from one to the other."
    )
    picture = image_grid("from one image to another", images, _STEPS)
    return text_section("From one image to another", text, picture)
