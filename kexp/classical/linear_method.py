"""The base of linear models on features: logistic regression for classes and labels, ridge for numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kexp.classical.classical_method import (
    ClassicalMethod,
    FittedMethod,
    predicts_classes,
    predicts_labels,
    predicts_numbers,
    spread,
)
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split
from kexp.tasks.classification import class_indices

_ITERATIONS = 200
_PENALTIES = np.logspace(-3, 4, 8)


class LinearMethod(ClassicalMethod):
    """A linear model on features of the inputs, which a file of its own computes.

    Attributes:
        on: What the features are, as in "on pixels"; empty: the inputs as they are.
    """

    on: ClassVar[str] = ""
    # Products: at most 200 passes of the optimizer, each over rows, features and outputs.
    work: ClassVar[float] = 6e7

    @abstractmethod
    def takes(self, data: Dataset) -> bool:
        """Return whether the inputs have such features."""

    @abstractmethod
    def features(self, data: Dataset) -> int:
        """Return about how many features a row has."""

    @abstractmethod
    def encoded(self, train: Split, spec: DatasetSpec) -> tuple[Any, Callable[[Inputs], Any]]:
        """Return (samples, features) of training, dense or sparse, and what gives them for other inputs."""

    def applies(self, data: Dataset) -> bool:
        """Return whether there are such features, and targets that a linear model predicts."""
        spec = data.spec
        predicted = predicts_classes(spec) or predicts_labels(spec) or predicts_numbers(spec)
        return predicted and self.takes(data)

    def row_work(self, data: Dataset) -> float:
        """Return features times outputs, of two classes one; for a decomposition features squared."""
        features, outputs = self.features(data), data.spec.outputs
        if predicts_numbers(data.spec):
            return features * max(outputs, features / 20)
        return features * (1 if outputs <= 2 else outputs)

    def title(self, spec: DatasetSpec) -> str:
        """Return the kind of model, and what it is on."""
        kind = "ridge_regression" if predicts_numbers(spec) else "logistic_regression"
        return f"{kind}_on_{self.on.replace(' ', '_').replace('-', '_')}" if self.on else kind

    def fit(self, train: Split, choice: Split, spec: DatasetSpec, seed: int) -> FittedMethod:
        """Fit the linear model to the features of the training rows."""
        matrix, encode = self.encoded(train, spec)
        kind = "Ridge regression" if predicts_numbers(spec) else "Logistic regression"
        words = f"{kind} on {self.on}" if self.on else kind
        made = (
            _ridge(matrix, train.targets)
            if predicts_numbers(spec)
            else _logistic(matrix, train.targets, spec)
            if predicts_classes(spec)
            else _one_versus_rest(matrix, train.targets)
        )
        return FittedMethod(lambda inputs: made(encode(inputs)), words)


def _logistic(matrix: Any, targets: np.ndarray, spec: DatasetSpec) -> Callable[[Any], np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=_ITERATIONS).fit(matrix, class_indices(targets, spec.outputs))
    return lambda found: spread(model.classes_, model.predict_proba(found), spec.outputs)


def _one_versus_rest(matrix: Any, targets: np.ndarray) -> Callable[[Any], np.ndarray]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model = OneVsRestClassifier(LogisticRegression(max_iter=_ITERATIONS))
    model.fit(matrix, np.asarray(targets).astype(np.int64))
    return lambda found: _columns(model.predict_proba(found))


def _ridge(matrix: Any, targets: np.ndarray) -> Callable[[Any], np.ndarray]:
    from scipy.sparse import issparse
    from sklearn.linear_model import Ridge, RidgeCV

    # Leaving one out takes a matrix of rows by rows where features are sparse.
    model = Ridge(1.0, solver="sparse_cg") if issparse(matrix) else RidgeCV(_PENALTIES)
    model.fit(matrix, _columns(targets))
    return lambda found: _columns(model.predict(found))


def _columns(values: Any) -> np.ndarray:
    """Return (samples, outputs) of values that may have no second axis."""
    array = np.asarray(values)
    return array[:, None] if array.ndim == 1 else array
