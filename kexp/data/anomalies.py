"""One class against the rest: what is trained on is normal, and what is tested on is not always."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kexp.data.spec import Data, Split, class_names
from kexp.data.splits import read_only
from kexp.errors import InputError, nearest


def one_class(data: Data, normal: str | None = None) -> Data:
    """Return a data set whose training and validation parts are of one class, and whose test part is of all.

    Ruff et al. 2018, "Deep one-class classification", section 4.

    Args:
        data: For classification.
        normal: Name of the class that is normal; None (default): the first one.

    Returns:
        Data of two classes: 0, the normal one, and 1, anything else.

    Raises:
        InputError: The data are for another task, or have no such class.

    Example:
        >>> import kexp
        >>> data = one_class(kexp.data.load("digits"), "3")
        >>> data.spec.class_names, set(data.train.targets.tolist()), data.test.targets.mean().round(2).item()
        (('3', 'not 3'), {0}, 0.9)
    """
    if data.spec.task != "classification":
        raise InputError(
            f"data must have classes, one of which is normal; {data.name} is for {data.spec.task}, so give "
            "other data."
        )
    names = class_names(data.spec)
    normal = names[0] if normal is None else normal
    if normal not in names:
        hint = nearest(normal, names)
        raise InputError(
            f"normal must be a class of {data.name}, {', '.join(names[:12])}; received {normal!r}{hint}."
        )
    index = names.index(normal)
    validation = data.validation
    if validation is not None and not (validation.targets == index).any():
        validation = None
    return replace(
        data,
        train=_only(data.train, index),
        validation=None if validation is None else _only(validation, index),
        test=data.test and read_only(data.test.inputs, (data.test.targets != index).astype(np.int32)),
        spec=replace(data.spec, outputs=2, class_names=(normal, f"not {normal}")),
        fingerprint=hashlib.sha256(f"{data.fingerprint} one class {normal!r}".encode()).hexdigest(),
    )


def _only(split: Split, index: int) -> Split:
    """Return the samples of a class, as class 0."""
    rows = np.flatnonzero(split.targets == index)
    inputs: Any = split.inputs
    if isinstance(inputs, np.ndarray):
        taken: Any = inputs[rows]
    else:
        taken = {name: column[rows] for name, column in inputs.items()}
    return read_only(taken, np.zeros(len(rows), np.int32))


def area_under_roc(
    split: Split, answers: Mapping[str, np.ndarray], *, resamples: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Return how surely an anomaly has a higher score than a normal sample, with its 95 % interval.

    The area under the receiver operating characteristic (Hanley and McNeil 1982), and percentiles of
    bootstrap samples (Efron 1979, "Bootstrap methods: another look at the jackknife").

    Args:
        split: Its targets are 0 for normal samples and 1 for anomalies.
        answers: With "anomaly_score", (samples,), higher for what is less normal.
        resamples: Of the bootstrap, default 1000.
        seed: Of the bootstrap, default 0.

    Returns:
        The area as "", from 0 to 1, 0.5 for scores that say nothing, and its interval as "_low95" and
        "_high95"; nothing where all samples are of one kind.

    Example:
        >>> split = Split(np.zeros(6), np.array([0, 0, 0, 1, 1, 1]))
        >>> round(area_under_roc(split, {"anomaly_score": np.array([1, 2, 4, 3, 5, 6])})[""], 4)
        0.8889
    """
    anomalous = np.asarray(split.targets) == 1
    if anomalous.all() or not anomalous.any():
        return {}
    from sklearn.metrics import roc_auc_score

    scores, random = np.asarray(answers["anomaly_score"], "float64"), np.random.default_rng(seed)
    drawn = [random.integers(len(scores), size=len(scores)) for _ in range(resamples)]
    areas = [roc_auc_score(anomalous[rows], scores[rows]) for rows in drawn if 0 < anomalous[rows].mean() < 1]
    low, high = np.quantile(areas, [0.025, 0.975])
    area = float(roc_auc_score(anomalous, scores))
    return {"": area, "_low95": float(low), "_high95": float(high)}
