"""First-layer filters as pictures."""

from __future__ import annotations

import numpy as np

from kexp.core.images import to_uint8
from kexp.evaluation.explain.network_findings import Findings
from kexp.report.heat import framed
from kexp.report.html import short, text_section
from kexp.report.line_picture import left_out, line_picture
from kexp.report.sample_images import grey_or_colour, image_grid

ORDER = 40
_COLUMNS = 8
_SIDE = 48  # pixels of a filter


def applies(found: Findings) -> bool:
    """True where the first layer's filters can be looked at."""
    return found.filters is not None


def html(found: Findings) -> str:
    """HTML of the section."""
    filters = found.filters
    assert filters is not None
    shown = len(filters.filters)
    which = f"The {shown} largest of {filters.count:,}" if shown < filters.count else f"All {shown}"
    text = f"{which} of layer {short(filters.layer, 60)}, each between its own least and greatest weight."
    name = f"filters of {filters.layer}"
    if filters.kind == "series":
        text += left_out(filters.filters.shape[2])
        lines = "".join(f"<figure>{line_picture(name, one)}</figure>" for one in filters.filters)
        return text_section("First-layer filters", text, f'<div class="cards">{lines}</div>')
    coloured = filters.filters.shape[-1] == 3
    if filters.filters.shape[-1] not in (1, 3):
        text += f" Grey is the mean over its {filters.filters.shape[-1]} channels."
    pixels = filters.filters if coloured else filters.filters.mean(axis=-1, keepdims=True)
    pictures = [framed(grey_or_colour(to_uint8(_scaled(one))), _SIDE) for one in pixels]
    content = image_grid(name, np.stack(pictures), min(_COLUMNS, len(pictures)))
    return text_section("First-layer filters", text, content)


def _scaled(one: np.ndarray) -> np.ndarray:
    return (one - one.min()) / max(float(np.ptp(one)), 1e-12)
