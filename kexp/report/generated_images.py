"""Generated images of a page, drawn once for all sections that show them."""

from __future__ import annotations

import numpy as np

from kexp.report.reported import ReportedRun

SIDE = 10  # samples beside and below one another, and classes at most


def generator_classes(run: ReportedRun) -> tuple[str, ...]:
    """Return the classes that the model draws by name; none for some models."""
    return tuple(run.record.model.class_names)


def generated_images(run: ReportedRun) -> np.ndarray:
    """Return a hundred samples, or ten of each of the first ten classes."""
    labels = [name for name in generator_classes(run)[:SIDE] for _ in range(SIDE)]
    return run.sample(len(labels) or SIDE * SIDE, labels)
