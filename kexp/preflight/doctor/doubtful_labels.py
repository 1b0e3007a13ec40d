"""Labels that are probably wrong, by what a simple classifier says of samples it was not fitted to."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from kexp.data import Dataset
from kexp.data.dataset import class_names, single_array
from kexp.preflight.doctor.base import DataCheck, class_labels, has_targets, sampled_note, some_rows
from kexp.preflight.doctor.column_frames import column_frame, has_columns, is_number
from kexp.preflight.doctor.confident_learning import label_errors
from kexp.preflight.doctor.sample_features import beginnings, has_features, small_images
from kexp.preflight.findings import Finding

_MOST = 5000  # samples
_FOLDS = 4
_SURE_OF_ANOTHER, _SURE_OF_NOT = 0.8, 0.02
# Real data has samples that look like another class: so few that none of the embedded sets has as many.
_SHARE, _FEW = 0.005, 2
_SHOWN = 5
_COMPONENTS = 50
_KERNELS = 300


class DoubtfulLabels(DataCheck):
    """Samples of which a classifier is sure that they are of another class than their label says.

    The classifier is logistic regression on standardised columns or n-grams of characters, for images and
    series on radial kernels of their principal components.
    """

    name: ClassVar[str] = "labels"

    def applies(self, data: Dataset) -> bool:
        """Where a sample has one class, and every class enough samples for each fold."""
        labels = class_labels(data) if has_features(data.spec) and has_targets(data) else None
        common = [] if labels is None else labels[_common_rows(labels)]
        return len(common) >= 50 and len(np.unique(common)) > 1

    def findings(self, data: Dataset) -> list[Finding]:
        rows, labels, probabilities = out_of_fold(data)
        order = label_errors(labels, probabilities)
        sure = surely_wrong(labels, probabilities)
        errors, count = [one for one in order if sure[one]], len(labels)
        names = class_names(data.spec)
        present = np.unique(np.asarray(data.train.targets)[rows])
        shown = []
        for one in errors[:_SHOWN]:
            label, likely = (names[present[place]] for place in (labels[one], probabilities[one].argmax()))
            shown.append(f"{rows[one]} ({label!r}, rather {likely!r}: {probabilities[one].max():.2f})")
        return [_finding(self.name, shown, len(errors), count, sampled_note(len(data.train.targets), count))]


def surely_wrong(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return a mask of the (samples,) whose given class is as good as excluded, and another one sure.

    What is known of a sample must say so, not that its class is rare: of a rare class that cannot be told
    from the others every sample is improbable.

    Args:
        labels: (samples,) class indices.
        probabilities: (samples, classes) out-of-fold.

    Example:
        >>> common = np.tile([0.99, 0.01], (100, 1))
        >>> bool(surely_wrong(np.repeat([0, 1], [99, 1]), common).any())
        False
        >>> surely_wrong(np.array([0, 1]), common[:2]).tolist()
        [False, True]
    """
    rows, likely = np.arange(len(labels)), probabilities.argmax(axis=1)
    given, other = probabilities[rows, labels], probabilities[rows, likely]
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    evidence = other * counts[labels] >= _SURE_OF_ANOTHER / _SURE_OF_NOT * given * counts[likely]
    return (given < _SURE_OF_NOT) & (other > _SURE_OF_ANOTHER) & evidence


def _finding(name: str, shown: Sequence[str], errors: int, count: int, note: str) -> Finding:
    more = ", …" if errors > len(shown) else ""
    listed = f"training {', '.join(shown)}{more}"
    if errors > _FEW and errors >= _SHARE * count:
        text = f"{errors:,} of {count:,} ({errors / count:.1%}) are probably wrong{note}: {listed}"
        return Finding(name, "warning", f"{text}; look at these first.")
    if not errors:
        return Finding(name, "ok", f"none of {count:,} is clearly wrong{note}.")
    return Finding(name, "ok", f"{errors:,} of {count:,} may be worth a look{note}: {listed}.")


def _common_rows(labels: np.ndarray) -> np.ndarray:
    """Return the sampled rows whose class has a sample for each fold."""
    rows = some_rows(len(labels), _MOST)
    _, numbers, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
    return rows[counts[numbers] >= _FOLDS]


def out_of_fold(data: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a simple classifier says of training samples that it was not fitted to.

    Args:
        data: Of classes.

    Returns:
        (rows,) positions in the training part, (rows,) labels counted from 0 among the classes there,
        and (rows, classes) probabilities.

    Example:
        >>> import kexp
        >>> rows, labels, probabilities = out_of_fold(kexp.data.load("wine"))
        >>> probabilities.shape, bool((probabilities.argmax(axis=1) == labels).mean() > 0.9)
        ((127, 3), True)
    """
    rows = _common_rows(np.asarray(data.train.targets))
    labels = np.unique(data.train.targets[rows], return_inverse=True)[1]
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    samples, classifier = _samples(data, rows)
    # As good as it is after so many steps will do; such small products are slower in several threads.
    with warnings.catch_warnings(), threadpool_limits(1), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        probabilities = cross_val_predict(classifier, samples, labels, cv=folds, method="predict_proba")
    return rows, labels, probabilities


def _samples(data: Dataset, rows: np.ndarray) -> tuple[Any, Pipeline]:
    """Return samples as numbers, and a classifier for these."""
    spec, split = data.spec, data.train
    if has_columns(spec):
        frame = column_frame(split, spec, rows)
        return _encoded(frame), make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=300))
    samples = single_array(split.inputs)[rows]
    if spec.kind == "text":
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), max_features=50_000)
        return pieces.fit_transform(beginnings(samples)), make_pipeline(LogisticRegression(C=3, max_iter=300))
    numbers = small_images(samples) if spec.kind == "image" else np.nan_to_num(samples.astype(np.float32))
    flat = numbers.reshape(len(rows), -1)
    components = min(_COMPONENTS, flat.shape[1], len(flat) // 2)
    kernels = Nystroem(gamma=1.0, n_components=min(_KERNELS, len(flat) // 2), random_state=0)
    pieces = PCA(components, svd_solver="randomized", random_state=0)
    # Distances are in units of the spread of all components together.
    spread = float(np.sqrt(flat.var(axis=0).sum())) or 1.0
    return flat / spread, make_pipeline(pieces, kernels, LogisticRegression(C=3, max_iter=100, tol=1e-3))


def _encoded(frame: Any) -> np.ndarray:
    """Return columns as numbers: medians for what is missing, a place for each common category."""
    numbers = [name for name in frame if is_number(frame[name])]
    others = [name for name in frame if name not in numbers]
    known = frame[numbers].replace([np.inf, -np.inf], np.nan).astype(np.float64)
    parts = [known.fillna(known.median()).fillna(0).to_numpy()]
    if others:
        places = OneHotEncoder(max_categories=20, handle_unknown="infrequent_if_exist", sparse_output=False)
        parts.append(places.fit_transform(frame[others].astype(str)))
    return np.concatenate(parts, axis=1)
