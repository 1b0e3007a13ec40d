"""The base of linear models on texts: how often characters or words stand in each, weighted by rarity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kexp.classical.linear_method import LinearMethod
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split, single_array

_SAMPLED = 1000  # texts whose length is looked at
_LONG = 40  # characters, from which on n-grams end at the edges of words


def median_length(texts: np.ndarray) -> float:
    """Return the median number of characters of the first texts.

    Example:
        >>> median_length(np.array(["a", "abc", "ab"], object))
        2.0
    """
    return float(np.median([len(str(text)) for text in texts[:_SAMPLED]])) if len(texts) else 0.0


def are_long(texts: np.ndarray) -> bool:
    """Return whether texts are sentences rather than words.

    Example:
        >>> are_long(np.array(["Anna"], object))
        False
    """
    return median_length(texts) > _LONG


class TextMethod(LinearMethod):
    """Logistic or ridge regression on TF-IDF features (Salton and Buckley 1988) of texts as they are written.

    Attributes:
        grams: What a character of a text takes, in the time of an n-gram of characters.
    """

    work: ClassVar[float] = 8e6  # n-grams
    grams: ClassVar[float]

    def takes(self, data: Dataset) -> bool:
        """Return whether the inputs are texts."""
        return data.spec.kind == "text" and not isinstance(data.train.inputs, dict)

    def features(self, data: Dataset) -> int:
        """Return how many of the features a text has, about."""
        texts = np.asarray(single_array(data.train.inputs)[:_SAMPLED])
        lengths = [len(str(text)) for text in texts]
        return max(1, round(float(np.mean(lengths)) * self.grams)) if lengths else 1

    def row_work(self, data: Dataset) -> float:
        """Return the features of a text, times the outputs where there are many."""
        return self.features(data) * max(1.0, data.spec.outputs / 4)

    def encoded(self, train: Split, spec: DatasetSpec) -> tuple[Any, Callable[[Inputs], Any]]:
        """Return sparse (samples, features) of training, and what gives them for other texts."""
        texts = _texts(train.inputs)
        vectorizer = self.vectorizer(texts)
        return vectorizer.fit_transform(texts), lambda inputs: vectorizer.transform(_texts(inputs))

    def vectorizer(self, texts: np.ndarray) -> Any:
        """Return scikit-learn's vectorizer of the features."""
        raise NotImplementedError


def _texts(inputs: Inputs) -> np.ndarray:
    return np.asarray(single_array(inputs)).astype(str)
