"""The map of an autoencoder's codes: a dot for each sample."""

from __future__ import annotations

import numpy as np

from kexp.data import class_names
from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.latent_plots import draw_map, plane
from kexp.report.reconstructed_samples import is_reconstruction, reconstructions, shown_class_indices
from kexp.report.reported import ReportedRun

ORDER = 100


def applies(run: ReportedRun) -> bool:
    """True for an autoencoder whose codes have two numbers or more."""
    return is_reconstruction(run) and min(_codes(run).shape) >= 2


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    codes, labels = _codes(run), shown_class_indices(run)
    shown = plane(codes)
    colours = "in the colour of its class" if labels is not None else "all of them in one colour"
    text = f"A dot for each of {len(codes):,} {run.split_name} samples, {colours}. {shown.text}"
    with style():
        figure = draw_map(shown, labels, class_names(run.spec))
        return figure_section("Map of the codes", figure, f"<p>{text}</p>")


def _codes(run: ReportedRun) -> np.ndarray:  # (n, d)
    predictions = reconstructions(run)
    return np.asarray(predictions.codes).reshape(len(predictions), -1)
