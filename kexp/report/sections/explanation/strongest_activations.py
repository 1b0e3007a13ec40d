"""Strongest activations by depth: what units of an early, a middle and a late layer respond to."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from kexp.evaluation.explain.network_findings import Findings
from kexp.report.heat import framed
from kexp.report.html import heading, name_of, rows, short
from kexp.report.line_picture import line_picture
from kexp.report.sample_images import grey_or_colour, image_grid
from kexp.report.shown_samples import pixels_of, small_picture

ORDER = 50
_SIDE = 48  # pixels of a picture at least
_KINDS = ("image", "array", "text", "series")


def applies(found: Findings) -> bool:
    """True where there are units, and samples that can be looked at."""
    return bool(found.units) and found.spec.kind in _KINDS and _shown(found, [0]) is not None


def html(found: Findings) -> str:
    """HTML of the section."""
    parts = []
    for layer in found.units:
        name = f"{short(layer.layer, 60)}, {len(layer.units)} of {layer.count:,} units"
        pairs = [
            (f"unit {unit}", str(_shown(found, places)))
            for unit, places in zip(layer.units.tolist(), layer.samples.tolist(), strict=True)
        ]
        parts.append(f"<h3>{escape(name)}</h3>{rows(pairs)}")
    text = (
        "The samples that units respond to most, the strongest first: of each layer the units that stand out "
        "most from their mean."
    )
    return (
        f"<section>{heading('Strongest activations by depth')}<p>{escape(text)}</p>{''.join(parts)}</section>"
    )


def _shown(found: Findings, places: Sequence[int]) -> str | None:
    """Return HTML of some of the samples that were looked at; None of what cannot be shown."""
    samples = np.asarray(found.looked_at)[list(places)]
    if found.spec.kind == "text":
        return " · ".join(name_of(text, 160) for text in samples)
    pixels = pixels_of(samples, found.spec)
    if pixels is not None:
        small = np.stack([framed(small_picture(grey_or_colour(one)), _SIDE) for one in pixels])
        return image_grid("samples", small, len(small))
    if samples.ndim == 3 and samples.dtype.kind in "uif":
        return "".join(line_picture("a sample", one) for one in samples[:4])
    return None
