"""The output layer of classifiers and regressors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from kexp.core.types import Tensor


def predictions(
    x: Tensor,
    outputs: int,
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
    name: str = "logits",
    beside: Tensor | None = None,
) -> Any:
    """Return (batch, outputs) float32 of (batch, width): a dense layer, multiplied by `scale`, plus `offset`.

    Args:
        x: What the layer sees.
        outputs: Classes, as logits, or regression targets.
        scale: For regression, the standard deviation of the targets; 1 (default) for logits.
        offset: For regression, their mean; 0 (default) for logits.
        name: Of the dense layer, default "logits".
        beside: (batch, outputs) of another path, which is added before that; default None.
    """
    x = layers.Dense(outputs, dtype="float32", name=name)(x)
    x = x if beside is None else layers.Add(dtype="float32")([x, beside])
    if scale != 1.0 or offset != 0.0:
        x = layers.Rescaling(scale, offset, dtype="float32")(x)
    return x
