"""A linear model on the words of texts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kexp.classical.text_method import TextMethod, are_long
from kexp.data.dataset import Dataset, single_array


class LinearWords(TextMethod):
    """Logistic or ridge regression on words and pairs of words."""

    name: ClassVar[str] = "linear_model_on_words"
    on: ClassVar[str] = "words"
    grams: ClassVar[float] = 1.5

    def takes(self, data: Dataset) -> bool:
        """Return whether the inputs are texts of several words."""
        return super().takes(data) and are_long(np.asarray(single_array(data.train.inputs)[:1000]))

    def vectorizer(self, texts: np.ndarray) -> Any:
        """Return the one of words, a word being whatever stands between spaces and marks."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(
            ngram_range=(1, 2), lowercase=False, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
        )
