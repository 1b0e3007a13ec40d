"""Images of a segmentation with their true and their predicted masks."""

from __future__ import annotations

from html import escape

import numpy as np

from kexp.core.images import png
from kexp.data import DatasetSpec, class_names
from kexp.report.html import heading, picture
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import colour, grey_or_colour, painted

ORDER = 50
_COUNT = 12


def applies(run: ReportedRun) -> bool:
    """True for a run with data whose predictions are masks."""
    return "mask" in run.prediction_names


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    masks = np.asarray(run.predictions(_COUNT).masks)
    text = (
        f"<p>The first {len(masks)} of {len(run.split):,} {run.split_name} samples. "
        "Above one another: image, true mask, predicted mask.</p>"
    )
    columns = "".join(
        _column(image, mask, predicted)
        for image, mask, predicted in zip(run.split.inputs, run.split.targets, masks, strict=False)
    )
    content = f'{_legend(run.spec)}<div class="masks">{columns}</div>'
    return f"<section>{heading(f'Samples of the {run.split_name} part')}{text}{content}</section>"


def _column(image: np.ndarray, mask: np.ndarray, predicted: np.ndarray) -> str:
    pictures = {
        "image": grey_or_colour(image),
        "mask": painted(mask),
        "predicted mask": painted(predicted),
    }
    return "<div>" + "".join(picture(name, png(pixels)) for name, pixels in pictures.items()) + "</div>"


def _legend(spec: DatasetSpec) -> str:
    entries = [
        f'<span><i style="background:{colour(index)}"></i>{escape(name)}</span>'
        for index, name in enumerate(class_names(spec))
    ]
    return f'<p class="legend">{"".join(entries)}</p>'
