"""Detectors: images in, a box and logits of the classes at each location of a pyramid out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from kexp.core.constraints import Activation, InputType, Normalization
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.metrics.training.detection_loss import CORNERS
from kexp.models.layers.box_layers import LocationBoxes
from kexp.models.layers.dropout import drop
from kexp.models.layers.inputs import check_image_shape, scaled_input
from kexp.models.layers.normalization import normalize

__all__ = ["detector"]

_PRIOR = 0.01  # probability that a location begins with (Lin et al. 2017, "Focal loss")
_REACH = 2.0  # of a box at first, in strides


def detector(
    input_shape: Sequence[int],
    outputs: int,
    *,
    filters: Sequence[int] = (16, 32, 64, 96),
    width: int = 48,
    strides: Sequence[int] | None = None,
    backbone: keras.Model | None = None,
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a one-stage detector without anchors: a backbone, a feature pyramid, a head for all its maps.

    Each location of a map gives the distances to the four sides of a box and a logit for each class, as FCOS
    does (Tian et al. 2019), with no centreness: its loss has the logits say how well the box fits. The
    pyramid is that of Lin et al. 2017, "Feature pyramid networks for object detection".

    Args:
        input_shape: (height, width, channels) in pixels.
        outputs: Classes.
        filters: Filters of the backbone's stages, each at half the height and width of the one before,
            default (16, 32, 64, 96), two or more; the first is a convolution, the others are residual blocks.
            Ignored with `backbone`.
        width: Filters of the pyramid and the head, default 48.
        strides: Pixels between the locations of each map, powers of 2 that rise; None (default): those of the
            last three stages but the first, (4, 8, 16) as a rule, and (8, 16, 32) of a backbone.
        backbone: A model from the input to anything, of whose layers the last of each stride is taken; None
            (default): `filters`.
        activation: After each convolution, default "relu".
        normalization: Before each activation: "none", "batch" (default) or "layer".
        dropout: Share dropped of what enters the pyramid, default 0, below 1.
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32" as they come; of a backbone it
            is the backbone's.

    Returns:
        An uncompiled model, (batch, height, width, channels) to (batch, locations, 6 + outputs) float32: a
        box as x_min, y_min, x_max, y_max, the x and y of the location, all in pixels, and the logits.

    Raises:
        InputError: The shape is another one, or a stride has no stage.

    Example:
        >>> model = detector((64, 64, 1), 10)
        >>> model.output_shape, model.count_params()
        ((None, 336, 16), 459726)
    """
    check_image_shape(input_shape)

    def convolved(x: Tensor, count: int, stride: int = 1, *, active: bool = True) -> Any:
        x = layers.Conv2D(count, 3, stride, padding="same", use_bias=normalization != "batch")(x)
        x = normalize(normalization)(x)
        return layers.Activation(activation)(x) if active else x

    if backbone is None:
        inputs, found = _stages(tuple(input_shape), filters, convolved, activation, dtype)
    else:
        inputs, found = backbone.input, _of_backbone(backbone)
    strides = tuple(found)[1:][-3:] if strides is None else strides
    _check_strides(strides)
    missing = [stride for stride in strides if stride not in found]
    if missing:
        known = ", ".join(map(str, found))
        raise InputError(
            f"strides must be among those of the backbone, {known}; received {missing[0]}, so leave it out "
            "or add a stage."
        )
    maps = _pyramid([drop(dropout)(found[stride]) for stride in strides], width, convolved)
    x = LocationBoxes(tuple(strides), dtype="float32", name="boxes")(
        _head(maps, outputs, width, normalization, activation)
    )
    return keras.Model(inputs, x, name="detector")


_Convolution = Callable[..., Any]


def _stages(
    shape: tuple[int, ...],
    filters: Sequence[int],
    convolved: _Convolution,
    activation: Activation,
    dtype: InputType,
) -> tuple[Any, dict[int, Any]]:
    """Return an input, and what leaves each stage of a residual network by its stride."""
    if len(filters) < 2:
        raise InputError(f"filters must be those of two stages or more; received {tuple(filters)!r}.")
    inputs, x = scaled_input(shape, dtype)
    found = {}
    for stage, count in enumerate(filters):
        x = convolved(x, count, 2)
        if stage:
            inner = convolved(convolved(x, count), count, active=False)
            x = layers.Activation(activation)(layers.add([x, inner]))
        found[2 ** (stage + 1)] = x  # (batch, height / stride, width / stride, count), rounded up
    return inputs, found


def _of_backbone(backbone: keras.Model) -> dict[int, Any]:
    """Return by stride what the last layer of a backbone that has it gives."""
    height, width = backbone.input.shape[1:3]
    found: dict[int, Any] = {}
    for layer in backbone.layers:
        output = getattr(layer, "output", None)
        shape = getattr(output, "shape", ())
        if len(shape) != 4 or None in shape[1:]:
            continue
        for stride in (2**power for power in range(1, 8)):
            if tuple(shape[1:3]) == (math.ceil(height / stride), math.ceil(width / stride)):
                found[stride] = output
                break
    return dict(sorted(found.items()))


def _pyramid(maps: list[Any], width: int, convolved: _Convolution) -> list[Any]:
    """Return maps of so many filters, each with what the coarser ones have seen."""
    merged: list[Any] = []
    for each in reversed(maps):
        x = layers.Conv2D(width, 1)(each)
        if merged:
            factor = [
                -(-fine // coarse) for fine, coarse in zip(x.shape[1:3], merged[0].shape[1:3], strict=True)
            ]
            above = layers.UpSampling2D(factor)(merged[0])[:, : x.shape[1], : x.shape[2]]
            x = layers.add([x, above])
        merged.insert(0, x)
    return [convolved(x, width) for x in merged]


def _head(
    maps: list[Any], outputs: int, width: int, normalization: Normalization, activation: Activation
) -> list[Any]:
    """Return (batch, height, width, 4 + outputs) of each map, by the same convolutions.

    Each map has a normalisation of its own, since their statistics differ.
    """
    ends = []
    bias = normalization != "batch"
    first = math.log(math.expm1(_REACH))  # which softplus makes the reach of
    for count, start in ((CORNERS, first), (outputs, -math.log((1 - _PRIOR) / _PRIOR))):
        tower = layers.Conv2D(width, 3, padding="same", use_bias=bias)
        end = layers.Conv2D(
            count,
            3,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(start),
            dtype="float32",
        )
        ends.append([end(layers.Activation(activation)(normalize(normalization)(tower(x)))) for x in maps])
    return [layers.concatenate(pair, dtype="float32") for pair in zip(*ends, strict=True)]


def _check_strides(strides: Sequence[int]) -> None:
    powers = all(stride >= 2 and stride & (stride - 1) == 0 for stride in strides)
    if not strides or not powers or list(strides) != sorted(set(strides)):
        raise InputError(f"strides must be powers of 2 that rise, such as (4, 8, 16); received {strides!r}.")
