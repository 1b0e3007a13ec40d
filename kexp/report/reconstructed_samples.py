"""Samples of an autoencoder's page: reconstructions, codes, anomaly scores and class labels of the same."""

from __future__ import annotations

import numpy as np

from kexp.data import DatasetSpec, Split
from kexp.report.reported import ReportedRun
from kexp.tasks.predictions import Predictions

COUNT = 2000  # samples whose codes and scores are shown


def is_reconstruction(run: ReportedRun) -> bool:
    """Return whether there are reconstructions to show."""
    return "reconstruction" in run.prediction_names


def are_images(run: ReportedRun) -> bool:
    """Return whether there are reconstructions that are images on the scale of the data's."""
    if not is_reconstruction(run):
        return False
    spec, shape = run.spec, np.asarray(reconstructions(run).reconstructions).shape[1:]
    return spec.kind == "image" and spec.dtype == "uint8" and shape == spec.input_shape


def are_variational_images(run: ReportedRun) -> bool:
    """Return whether there are reconstructions that are images, of a model that draws codes too."""
    return are_images(run) and run.record.model.variational


def reconstructions(run: ReportedRun) -> Predictions:
    """Return what an autoencoder makes of the first samples."""
    return run.predictions(COUNT)


def class_indices(split: Split, spec: DatasetSpec) -> np.ndarray | None:
    """Return the (n,) class indices of a split, or None where the data has none.

    Example:
        >>> spec = DatasetSpec("array", (1,), "float32", "reconstruction", 2, ("cat", "dog"))
        >>> class_indices(Split(np.zeros((2, 1)), np.array([0, 1])), spec)
        array([0, 1])
        >>> class_indices(Split(np.zeros((2, 1)), np.array([[0.5], [1.5]])), spec)
    """
    targets = split.targets
    whole = isinstance(targets, np.ndarray) and targets.ndim == 1 and targets.dtype.kind in "iu"
    return targets if whole and spec.class_names else None


def shown_class_indices(run: ReportedRun) -> np.ndarray | None:
    """Return the class indices of the samples that are shown, or None where the data has none."""
    labels = class_indices(run.split, run.spec)
    return None if labels is None else labels[:COUNT]
