"""RealMLP: a perceptron for tables whose defaults were chosen on many of them."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kexp.models.tabular.column_layout import ColumnLayout
from kexp.models.tabular.ntk_layers import FallingDropout, FeatureScale, NTKDense, ParametricActivation
from kexp.models.tabular.number_embedding import PeriodicEmbedding

__all__ = ["realmlp"]


def realmlp(
    layout: ColumnLayout,
    outputs: int,
    *,
    hidden: Sequence[int] = (256, 256, 256),
    number_embedding: int = 4,
    category_embedding: int = 8,
    activation: str = "selu",
    dropout: float = 0.15,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build RealMLP: periodic embeddings, learned input scales, dense layers in the NTK parametrisation.

    Its rates for scales (6), biases, activations and embeddings (0.1) hold with Adam or AdamW. Kernels and
    biases start from the standard normal distribution and the last layer at 0, as in the simple variant of
    the paper; its full variant sets them by the training data.

    Args:
        layout: Of the inputs, as `kexp.models.robust_preprocessing` gives it.
        outputs: Classes, as logits, or regression targets.
        hidden: Units of each hidden layer, default (256, 256, 256).
        number_embedding: Numbers that stand for a number, default 4, itself among them.
        category_embedding: Numbers that stand for a category that has a code, default 8.
        activation: Of Keras's, after each hidden layer, default "selu"; the paper has "mish" for regression.
        dropout: Share of units dropped after each hidden layer, default 0.15, below 1; with
            `kexp.callbacks.FlatCosine` it falls.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, layout.width) to (batch, outputs) float32.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees
        on Tabular Data".

    Example:
        >>> realmlp(ColumnLayout(((-1.0, 1.0),), plain=3), 2, hidden=(16, 16)).output_shape
        (None, 2)
    """
    inputs = keras.Input((layout.width,))
    numbers = PeriodicEmbedding(number_embedding, rate=0.1, name="numbers")
    parts, _ = layout.embedded(inputs, numbers, category_embedding)
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]  # (batch, features)
    x = FeatureScale()(x)
    for units in hidden:
        x = ParametricActivation(activation)(NTKDense(units, bias_rate=0.1)(x))
        x = FallingDropout(dropout)(x)
    x = NTKDense(outputs, bias_rate=0.1, zeros=True, dtype="float32", name="logits")(x)
    if output_scale != 1.0 or output_offset != 0.0:
        x = layers.Rescaling(output_scale, output_offset, dtype="float32")(x)
    return keras.Model(inputs, x, name="realmlp")
