"""The spread of an autoencoder's anomaly scores."""

from __future__ import annotations

import numpy as np

from kexp.data import class_names
from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.latent_plots import draw_scores
from kexp.report.reconstructed_samples import is_reconstruction, reconstructions, shown_class_indices
from kexp.report.reported import ReportedRun

ORDER = 120


def applies(run: ReportedRun) -> bool:
    """True for an autoencoder."""
    return is_reconstruction(run)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    scores, labels = np.asarray(reconstructions(run).anomaly_scores), shown_class_indices(run)
    how = " For each class the bar holds the middle half of its samples, the line nine tenths of them, and "
    how = "" if labels is None else f"{how}the mark is the median."
    text = (
        f"How far {len(scores):,} {run.split_name} samples are from what comes out of their codes, as a mean "
        f"squared difference; high for what is unlike the training data.{how}"
    )
    with style():
        figure = draw_scores(scores, labels, class_names(run.spec))
        return figure_section("Anomaly scores", figure, f"<p>{text}</p>")
