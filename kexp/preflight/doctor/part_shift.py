"""Shift between parts: how well a classifier tells whether a row is of training or of another part."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from kexp.core.name_lists import listed
from kexp.data import Dataset
from kexp.data.dataset import sample_count
from kexp.preflight.doctor.base import DataCheck, class_labels, other_parts, some_rows
from kexp.preflight.doctor.sample_features import has_features, sample_features
from kexp.preflight.findings import Finding

_MOST = 3000  # rows of a part
_FEWEST = 20
_TOLD_APART = 0.8
_FOLDS = 3
_COMPONENTS = 20
_TELLING = 0.65  # AUROC of a feature alone


class PartShift(DataCheck):
    """The area under the ROC curve, by cross-validation, of a classifier of parts by inputs.

    Where rows are drawn at random it is about 0.5; where it is far above, figures of the part say little of
    what the model was trained for, or the model is asked for something else than it was trained on.

    Source:
        Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests".
    """

    name: ClassVar[str] = "shift"

    def applies(self, data: Dataset) -> bool:
        """Where parts have enough rows of a known kind; forecast series are cut in time, and differ."""
        if data.spec.kind == "series" and class_labels(data) is None:
            return False
        sizes = [sample_count(split.targets) for _, split in other_parts(data)]
        return (
            has_features(data.spec)
            and bool(sizes)
            and min([sample_count(data.train.targets), max(sizes)]) >= _FEWEST
        )

    def findings(self, data: Dataset) -> list[Finding]:
        train, names = sample_features(
            data.train, data.spec, some_rows(sample_count(data.train.targets), _MOST)
        )
        areas: dict[str, float] = {}
        telling: list[str] = []
        for part, split in other_parts(data):
            if sample_count(split.targets) >= _FEWEST:
                other, _ = sample_features(split, data.spec, some_rows(sample_count(split.targets), _MOST))
                areas[part] = told_apart(train, other, is_table=bool(names))
                if areas[part] >= _TOLD_APART:
                    telling = _telling(train, other, names)
        shown = ", ".join(f"{part} {area:.2f}" for part, area in areas.items())
        if max(areas.values()) < _TOLD_APART:
            return [Finding(self.name, "ok", f"rows cannot be told from training rows by AUROC: {shown}.")]
        by = f", by {listed(telling)}" if telling else ""
        text = f"rows are told from training rows by AUROC {shown} (0.5: alike){by}"
        return [Finding(self.name, "warning", f"{text}; draw the parts alike, or say that they differ.")]


def told_apart(train: np.ndarray, other: np.ndarray, *, is_table: bool) -> float:
    """Return the area under the ROC curve of telling rows of two parts apart.

    Args:
        train: (rows, features).
        other: (other rows, features).
        is_table: Features mean something each, so that trees are the better classifier.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> told_apart(rng.normal(size=(200, 3)), rng.normal(3, size=(200, 3)), is_table=True) > 0.9
        True
    """
    features = np.concatenate([train, other])
    is_other = np.repeat([0, 1], [len(train), len(other)])
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    if is_table:
        classifier = ExtraTreesClassifier(60, max_depth=8, min_samples_leaf=5, random_state=0)
    else:
        components = min(_COMPONENTS, features.shape[1], len(features) // 2)
        reduced = PCA(components, svd_solver="randomized", random_state=0)
        classifier = make_pipeline(reduced, StandardScaler(), LogisticRegression(max_iter=200))
    with threadpool_limits(1), np.errstate(all="ignore"):  # of constant images
        probabilities = cross_val_predict(classifier, features, is_other, cv=folds, method="predict_proba")
    return float(roc_auc_score(is_other, probabilities[:, 1]))


def _telling(train: np.ndarray, other: np.ndarray, names: list[str]) -> list[str]:
    """Return the features that tell the parts apart each alone, the best first."""
    is_other = np.repeat([0, 1], [len(train), len(other)])
    areas = [roc_auc_score(is_other, column) for column in np.concatenate([train, other]).T[: len(names)]]
    apart = {name: max(area, 1 - area) for name, area in zip(names, areas, strict=True)}
    best = sorted(apart, key=lambda name: -apart[name])
    return [f"{name!r} ({apart[name]:.2f})" for name in best if apart[name] >= _TELLING]
