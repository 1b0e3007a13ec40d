"""EfficientNet-Lite0: the network, and its weights from tensors named as PyTorch's port names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from kexp.core.errors import InputError

FEATURES = 1280
CLASSES = 1000


class _Stage(NamedTuple):
    """Blocks that follow one another."""

    kernel: int
    blocks: int
    stride: int  # of the first
    filters: int
    expansion: int


# Tan and Le 2019, table 1, without the scaling of the first and the last layer, which Lite0 leaves as they
# are.
_STAGES = (
    _Stage(3, 1, 1, 16, 1),
    _Stage(3, 2, 2, 24, 6),
    _Stage(5, 2, 2, 40, 6),
    _Stage(3, 3, 2, 80, 6),
    _Stage(5, 3, 1, 112, 6),
    _Stage(5, 4, 2, 192, 6),
    _Stage(3, 1, 1, 320, 6),
)
_STEM_FILTERS = 32
_COUNTERS = "num_batches_tracked"  # of PyTorch alone
_NORMALIZED = ("weight", "bias", "running_mean", "running_var")


def efficientnet_lite0_features(x: Any) -> Any:
    """Return the features of images: 16 blocks of an expansion, a convolution of each channel, a projection.

    Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", without
    squeeze and excitation and with ReLU6 for swish (tensorflow/tpu, models/official/efficientnet/lite).

    Args:
        x: (batch, height, width, 3), scaled (x - 127) / 128.

    Returns:
        (batch, 1280), the mean over all places.
    """
    # Padding is TensorFlow's, of which more stands behind the image: the weights were learned with it.
    stem = layers.Conv2D(_STEM_FILTERS, 3, 2, padding="same", use_bias=False, name="stem_conv")
    x = _convolved(x, stem)
    number = 0
    for stage in _STAGES:
        for place in range(stage.blocks):
            x = _block(x, f"block{number}", stage, stage.stride if place == 0 else 1)
            number += 1
    x = _convolved(x, layers.Conv2D(FEATURES, 1, use_bias=False, name="head_conv"))
    return layers.GlobalAveragePooling2D(name="features")(x)


def efficientnet_lite0_classes(features: Any) -> Any:
    """Return (batch, 1000) logits of the classes of ImageNet."""
    return layers.Dense(CLASSES, name="classes")(features)


def load_efficientnet_lite0(model: keras.Model, tensors: Mapping[str, np.ndarray], place: str) -> None:
    """Set all weights of a network from tensors by the names that the port to PyTorch has for them.

    Args:
        model: With layers of `efficientnet_lite0_features`, and perhaps of `efficientnet_lite0_classes`.
        tensors: Kernels with the outputs first, as PyTorch has them.
        place: Where they are from, for messages.

    Raises:
        InputError: A tensor is missing, of another shape, not finite, or left over.
    """
    left = {name: tensor for name, tensor in tensors.items() if not name.endswith(_COUNTERS)}
    values = {}
    for layer in model.layers:
        if layer.weights:
            values[layer.name] = [_taken(left, name, place) for name in _tensor_names(layer)]
    if "classes" not in values:
        _taken(left, "_fc.weight", place)
        _taken(left, "_fc.bias", place)
    if left:
        raise InputError(
            f"{place}: has {len(left)} tensors that EfficientNet-Lite0 has not, such as "
            f"{next(iter(left))[:60]!r}; give its weights."
        )
    for name, arrays in values.items():
        layer = model.get_layer(name)
        turned = [_turned(layer, array) for array in arrays]
        for weight, array in zip(layer.weights, turned, strict=True):
            if tuple(weight.shape) != array.shape or not np.isfinite(array).all():
                raise InputError(
                    f"{place}: expected finite numbers of shape {tuple(weight.shape)} for {weight.path}, "
                    f"received {array.shape}; give the weights of EfficientNet-Lite0."
                )
        layer.set_weights(turned)


def _block(x: Any, name: str, stage: _Stage, stride: int) -> Any:
    before, channels = x, x.shape[-1]
    if stage.expansion > 1:
        expanded = channels * stage.expansion
        x = _convolved(x, layers.Conv2D(expanded, 1, use_bias=False, name=f"{name}_expand_conv"))
    filtered = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )
    x = _convolved(x, filtered)
    projected = layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv")
    x = _convolved(x, projected, activated=False)
    return layers.Add(name=f"{name}_add")([before, x]) if stride == 1 and channels == stage.filters else x


def _convolved(x: Any, convolution: keras.layers.Layer, *, activated: bool = True) -> Any:
    """Convolve, normalise and bend."""
    name = convolution.name.removesuffix("_conv")
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(convolution(x))
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activated else x


def _tensor_names(layer: keras.layers.Layer) -> list[str]:
    """Return the names that the port has for the weights of a layer, in the order of the layer's own."""
    part, _, role = layer.name.partition("_")
    if part == "classes":
        return ["_fc.weight", "_fc.bias"]
    if part in ("stem", "head"):
        stem = {"conv": f"_conv_{part}", "bn": "_bn0" if part == "stem" else "_bn1"}[role]
    else:
        names = {"expand_conv": "_expand_conv", "expand_bn": "_bn0", "depthwise_conv": "_depthwise_conv"}
        names |= {"depthwise_bn": "_bn1", "project_conv": "_project_conv", "project_bn": "_bn2"}
        stem = f"_blocks.{part.removeprefix('block')}.{names[role]}"
    return [f"{stem}.{what}" for what in (_NORMALIZED if role.endswith("bn") else ("weight",))]


def _taken(left: dict[str, np.ndarray], name: str, place: str) -> np.ndarray:
    if name not in left:
        raise InputError(f"{place}: lacks the tensor {name}; give the weights of EfficientNet-Lite0.")
    return left.pop(name)


def _turned(layer: keras.layers.Layer, array: np.ndarray) -> np.ndarray:
    """Return a tensor of PyTorch with its axes in Keras's order."""
    if array.ndim == 2:
        return array.T
    if array.ndim != 4:
        return array
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    return array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
