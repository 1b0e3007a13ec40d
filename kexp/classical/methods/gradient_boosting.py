"""Gradient-boosted trees on the columns of a table."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kexp.classical.classical_method import (
    ClassicalMethod,
    FittedMethod,
    predicts_classes,
    predicts_numbers,
    spread,
)
from kexp.classical.table_features import categories, is_tabular, numbers
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split
from kexp.tasks.classification import class_indices

_MOST_CATEGORIES = 254  # that the trees can tell apart


class GradientBoosting(ClassicalMethod):
    """Histogram-based gradient boosting with scikit-learn's defaults: 100 trees of 31 leaves for each output.

    Source:
        Ke et al. 2017, "LightGBM: a highly efficient gradient boosting decision tree".
    """

    name: ClassVar[str] = "gradient_boosting"
    work: ClassVar[float] = 2.5e6  # rows times columns times sets of 100 trees

    def applies(self, data: Dataset) -> bool:
        """Return whether there are columns, and classes or numbers to predict."""
        spec = data.spec
        predicted = predicts_classes(spec) or predicts_numbers(spec)
        # A set of trees takes its time even for few rows.
        return predicted and is_tabular(data) and self.row_work(data) <= 400

    def row_work(self, data: Dataset) -> float:
        """Return columns times sets of trees: one for two classes, else one for each output."""
        spec = data.spec
        sets = 1 if predicts_classes(spec) and spec.outputs == 2 else spec.outputs
        columns = len(spec.columns) if spec.kind == "table" else int(np.prod(spec.input_shape))
        return columns * sets

    def title(self, spec: DatasetSpec) -> str:
        """Return its name."""
        return self.name

    def fit(self, train: Split, choice: Split, spec: DatasetSpec, seed: int) -> FittedMethod:
        """Fit the trees; categories are told apart by their places, gaps have a branch of their own."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.preprocessing import OrdinalEncoder

        coder = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=_MOST_CATEGORIES
        )
        texts = categories(train.inputs, spec)
        coder = coder.fit(texts) if texts.shape[1] else None

        def encode(inputs: Inputs) -> np.ndarray:
            found = numbers(inputs, spec)
            return found if coder is None else np.hstack([coder.transform(categories(inputs, spec)), found])

        matrix = encode(train.inputs)
        options: dict[str, Any] = {"random_state": seed}
        options["categorical_features"] = np.arange(matrix.shape[1]) < texts.shape[1]
        if predicts_classes(spec):
            chooser = HistGradientBoostingClassifier(**options)
            chooser.fit(matrix, class_indices(train.targets, spec.outputs))
            classes = chooser.classes_
            return FittedMethod(
                lambda inputs: spread(classes, chooser.predict_proba(encode(inputs)), spec.outputs),
                "Gradient boosting",
            )
        columns = np.asarray(train.targets).reshape(len(train), -1).T
        fitted = [HistGradientBoostingRegressor(**options).fit(matrix, column) for column in columns]
        return FittedMethod(
            lambda inputs: np.stack([one.predict(encode(inputs)) for one in fitted], axis=1),
            "Gradient boosting",
        )
