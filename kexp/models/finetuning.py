"""Heads on pretrained networks, and predictions averaged over mirrored images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import layers, ops

from kexp.core.types import Tensor
from kexp.models.layers.output_layer import predictions

__all__ = ["averaged_over_mirror_images", "head_layers", "with_head"]


def with_head(
    backbone: keras.Model,
    outputs: int,
    *,
    hidden: Sequence[int] = (),
    dropout: float = 0.2,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build a network with a new head: dropout and a dense layer for each of its sizes, then the outputs.

    Its layers are "head_1", "head_2" and so on, or count on where the network has such names, as one that was
    fine-tuned before. `head_layers` gives those that a phase may train.

    Args:
        backbone: From inputs to (batch, features), such as `kexp.models.pretrained` gives.
        outputs: Classes, as logits, or regression targets.
        hidden: Units of each hidden layer of the head, default none.
        dropout: Share dropped of what each dense layer of the head sees, default 0.2, below 1.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard deviation of
            the targets.
        output_offset: What is added then, default 0; for regression, their mean.

    Returns:
        An uncompiled model, of the backbone's inputs to (batch, outputs) float32.

    Example:
        >>> backbone = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
        >>> head_layers(with_head(backbone, 5, hidden=(16,)), backbone)
        ['head_2', 'head_4']
    """
    x, names = backbone.outputs[0], _new_names(backbone)
    for units in hidden:
        x = _dropped(x, dropout, names)
        x = layers.Dense(units, activation="relu", name=next(names))(x)
    x = _dropped(x, dropout, names)
    x = predictions(x, outputs, output_scale, output_offset, name=next(names))  # (batch, outputs)
    return keras.Model(backbone.inputs[0], x, name="finetuned")


def head_layers(model: keras.Model, backbone: keras.Model) -> list[str]:
    """Return the names of the layers with weights that a head has put onto a network, from its input on.

    Args:
        model: With the head.
        backbone: Without it.
    """
    own = {id(layer) for layer in backbone.layers}
    return [layer.name for layer in model.layers if id(layer) not in own and layer.weights]


def _new_names(backbone: keras.Model) -> Iterator[str]:
    taken = {layer.name for layer in backbone.layers}
    return (name for number in itertools.count(1) if (name := f"head_{number}") not in taken)


def _dropped(x: Tensor, rate: float, names: Iterator[str]) -> Any:
    return layers.Dropout(rate, name=next(names))(x) if rate else x


def averaged_over_mirror_images(model: keras.Model) -> keras.Model:
    """Build a model whose outputs are the mean of those for an image and for its mirror image.

    Args:
        model: From (batch, height, width, channels) images to outputs.

    Example:
        >>> inner = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
        >>> averaged_over_mirror_images(inner)(ops.array([[[[1.0], [3.0]]]])).numpy().tolist()
        [[2.0, 2.0]]
    """
    inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype)
    mirrored = MirrorImage()(inputs)
    return keras.Model(
        inputs, layers.Average()([model(inputs), model(mirrored)]), name=f"averaged_{model.name}"
    )


@keras.saving.register_keras_serializable(package="kexp")
class MirrorImage(keras.layers.Layer):
    """Turns images from left to right.

    Example:
        >>> MirrorImage()(ops.array([[[[1], [3]]]], "uint8")).numpy().ravel().tolist()
        [3, 1]
    """

    def __init__(self, **others: object) -> None:
        super().__init__(autocast=False, **others)

    def call(self, images: Tensor) -> Tensor:
        """Return (batch, height, width, channels) of the same shape."""
        return ops.flip(images, axis=2)

    def compute_output_spec(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Return what describes the outputs."""
        return keras.KerasTensor(images.shape, images.dtype)
