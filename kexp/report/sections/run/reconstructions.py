"""Images above what an autoencoder makes of them."""

from __future__ import annotations

import numpy as np

from kexp.core.images import to_uint8
from kexp.data.dataset import single_array
from kexp.report.html import text_section
from kexp.report.reconstructed_samples import are_images
from kexp.report.reconstructed_samples import reconstructions as predictions_of
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import image_grid

ORDER = 90
_SHOWN = 20
_COLUMNS = 10


def applies(run: ReportedRun) -> bool:
    """True for an autoencoder of images."""
    return are_images(run)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    predictions = predictions_of(run)
    count = min(_SHOWN, len(predictions))
    pixels = to_uint8(np.asarray(predictions.reconstructions)[:count])
    images = np.asarray(single_array(run.split.inputs)[:count])
    blocks = [
        np.concatenate([images[start : start + _COLUMNS], pixels[start : start + _COLUMNS]])
        for start in range(0, count, _COLUMNS)
    ]
    text = f"The first {count} {run.split_name} images, and below each what comes out of its code."
    name = "images above their reconstructions"
    content = "".join(image_grid(name, block, len(block) // 2) for block in blocks)
    return text_section("Reconstructions", text, content)
