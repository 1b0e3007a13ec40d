"""The layout of a table's features: numbers first, then flags and small categories, then codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import layers

from kexp.core.types import Tensor
from kexp.models.tabular.category_embedding import CategoryEmbedding

__all__ = ["ColumnLayout"]


@dataclass(frozen=True)
class ColumnLayout:
    """What stands where in the vector that `kexp.models.robust_preprocessing` makes of a row.

    Attributes:
        edges: Of each number, the quantiles of the training data between which its bins lie, rising; the
            numbers stand first.
        plain: How many features follow that are taken as they are: flags, one-hot places, dates.
        categories: Of each category that is embedded, how many places it has; its code stands at the end.

    Example:
        >>> layout = ColumnLayout(edges=((-1.0, 0.0, 1.0),), plain=4, categories=(12,))
        >>> layout.width
        6
    """

    edges: tuple[tuple[float, ...], ...]
    plain: int = 0
    categories: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Length of the vector."""
        return len(self.edges) + self.plain + len(self.categories)

    def embedded(self, inputs: Tensor, numbers: layers.Layer, embedding: int) -> tuple[list[Any], list[int]]:
        """Return the parts of what a network sees, and how many features each column has among them.

        Args:
            inputs: (batch, width) of the layout.
            numbers: From (batch, numbers) to (batch, numbers * size).
            embedding: Numbers that stand for a category that has a code.
        """
        count, parts, sections = len(self.edges), [], []
        if count:
            vectors = numbers(inputs[:, :count])
            parts.append(vectors)
            sections += [vectors.shape[-1] // count] * count
        if self.plain:
            parts.append(inputs[:, count : count + self.plain])
            sections += [1] * self.plain
        if self.categories:
            codes = inputs[:, count + self.plain :]
            parts.append(CategoryEmbedding(self.categories, embedding, name="categories")(codes))
            sections += [embedding] * len(self.categories)
        return parts, sections
