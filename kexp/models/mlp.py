"""Multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kexp.core.constraints import Activation, InputType, Normalization
from kexp.models.layers.dropout import drop
from kexp.models.layers.inputs import scaled_input
from kexp.models.layers.normalization import normalize
from kexp.models.layers.output_layer import predictions

__all__ = ["mlp"]


def mlp(
    input_shape: Sequence[int],
    outputs: int,
    *,
    hidden: Sequence[int] = (256, 128),
    activation: Activation = "relu",
    normalization: Normalization = "none",
    dropout: float = 0.0,
    dtype: InputType = "float32",
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build a multi-layer perceptron: dense, normalisation, activation, dropout, for each hidden layer.

    Args:
        input_shape: Of one sample; flattened if it has several axes.
        outputs: Classes, as logits, or regression targets.
        hidden: Units of each hidden layer, default (256, 128).
        activation: After each hidden layer, default "relu".
        normalization: Before each activation: "none" (default), "batch" (Ioffe and Szegedy 2015) or
            "layer" (Ba, Kiros and Hinton 2016).
        dropout: Share of units dropped after each activation, default 0, below 1 (Srivastava et al. 2014).
        dtype: Of the inputs: "float32" (default) as they come, or "uint8", divided by 255.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, *input_shape) to (batch, outputs) float32.

    Example:
        >>> model = mlp((28, 28, 1), 10, hidden=(256, 128), dtype="uint8")
        >>> model.output_shape, model.count_params()
        ((None, 10), 235146)
    """
    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, *input_shape)
    if len(input_shape) > 1:
        x = layers.Flatten()(x)  # (batch, features)
    for units in hidden:
        x = layers.Dense(units, use_bias=normalization != "batch")(x)  # (batch, units)
        x = layers.Activation(activation)(normalize(normalization)(x))
        x = drop(dropout)(x)
    x = predictions(x, outputs, output_scale, output_offset)  # (batch, outputs)
    return keras.Model(inputs, x, name="mlp")
