"""A linear model on the characters of texts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kexp.classical.text_method import TextMethod, are_long


class LinearCharacters(TextMethod):
    """Logistic or ridge regression on n-grams of 1 to 4 characters, of sentences within words."""

    name: ClassVar[str] = "linear_model_on_characters"
    on: ClassVar[str] = "character n-grams"
    grams: ClassVar[float] = 4.0

    def vectorizer(self, texts: np.ndarray) -> Any:
        """Return the one of characters; that of words or names sees where they begin and end, too."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        analyzer = "char_wb" if are_long(texts) else "char"
        preprocessor = None if are_long(texts) else _with_edges
        return TfidfVectorizer(
            analyzer=analyzer,
            ngram_range=(1, 4),
            lowercase=False,
            sublinear_tf=True,
            preprocessor=preprocessor,
        )


def _with_edges(text: str) -> str:
    return f" {text} "
