"""A linear model on the columns of a table or the numbers of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kexp.classical.linear_method import LinearMethod
from kexp.classical.table_features import MOST_CATEGORIES, categories, is_tabular, numbers, width
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split


class LinearColumns(LinearMethod):
    """Logistic or ridge regression on standardised numbers, their medians where they are missing, and one-hot
    categories; columns of texts are left out."""

    name: ClassVar[str] = "linear_model"

    def takes(self, data: Dataset) -> bool:
        """Return whether there are columns, or numbers in a row."""
        return is_tabular(data)

    def features(self, data: Dataset) -> int:
        """Return how many there are with every category counted."""
        return width(data.spec)

    def encoded(self, train: Split, spec: DatasetSpec) -> tuple[Any, Callable[[Inputs], Any]]:
        """Return (samples, features) float64 of training, and what gives them for other rows."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        imputed = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        scaled = make_pipeline(imputed, StandardScaler())
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False
        )
        parts: list[tuple[Any, Callable[[Inputs, DatasetSpec], np.ndarray]]] = []
        for transform, columns in ((scaled, numbers), (one_hot, categories)):
            found = columns(train.inputs, spec)
            if found.shape[1]:
                parts.append((transform.fit(found), columns))

        def encode(inputs: Inputs) -> np.ndarray:
            return np.hstack([transform.transform(columns(inputs, spec)) for transform, columns in parts])

        return encode(train.inputs), encode
