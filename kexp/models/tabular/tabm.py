"""TabM: many members of an ensemble in one network for tables."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kexp.core.constraints import Activation
from kexp.models.layers.dropout import drop
from kexp.models.tabular.column_layout import ColumnLayout
from kexp.models.tabular.member_layers import MeanOf, MemberDense, MemberHeads, MemberInputs, MemberMean
from kexp.models.tabular.number_embedding import PiecewiseLinearEmbedding

__all__ = ["tabm"]


def tabm(
    layout: ColumnLayout,
    outputs: int,
    *,
    members: int = 32,
    hidden: Sequence[int] = (512, 512, 512),
    number_embedding: int = 16,
    category_embedding: int = 8,
    activation: Activation = "relu",
    dropout: float = 0.1,
    mean_of: MeanOf = "values",
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build TabM: an ensemble of perceptrons that share their matrices and have scales of their own.

    Numbers are embedded by piecewise linear functions between quantiles. The outputs are the mean of the
    members', by a last layer `MemberMean`; `kexp.objectives.ensemble` trains each member by itself.

    Args:
        layout: Of the inputs, as `kexp.models.robust_preprocessing` gives it.
        outputs: Classes, as logits, or regression targets.
        members: How many, default 32.
        hidden: Units of each hidden layer, default (512, 512, 512).
        number_embedding: Numbers that stand for a number, default 16.
        category_embedding: Numbers that stand for a category that has a code, default 8.
        activation: After each hidden layer, default "relu".
        dropout: Share of units dropped after each hidden layer, default 0.1, below 1.
        mean_of: What predictions are the mean of, default "values"; with logits "classes" or "labels", whose
            probabilities have a mean. `kexp.models.member_mean` tells.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, layout.width) to (batch, outputs) float32.

    Source:
        Gorishniy, Kotelnikov and Babenko 2024, "TabM: Advancing Tabular Deep Learning with
        Parameter-Efficient Ensembling".

    Example:
        >>> model = tabm(ColumnLayout(((-1.0, 0.0, 1.0),), plain=3), 2, members=4, hidden=(16, 16))
        >>> model.output_shape
        (None, 2)
    """
    inputs = keras.Input((layout.width,))
    numbers = PiecewiseLinearEmbedding(layout.edges or [()], number_embedding, name="numbers")
    parts, sections = layout.embedded(inputs, numbers, category_embedding)
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]  # (batch, features)
    x = MemberInputs(members, sections, name="members")(x)  # (batch, members, features)
    for number, units in enumerate(hidden):
        x = layers.Activation(activation)(MemberDense(units, scales_inputs=number > 0)(x))
        x = drop(dropout)(x)
    x = MemberHeads(outputs, dtype="float32", name="logits")(x)  # (batch, members, outputs)
    if output_scale != 1.0 or output_offset != 0.0:
        x = layers.Rescaling(output_scale, output_offset, dtype="float32")(x)
    return keras.Model(inputs, MemberMean(mean_of, name="mean")(x), name="tabm")
