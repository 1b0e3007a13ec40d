"""Backbones for images of KerasHub, from presets that lie in a folder of this machine."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
from keras import layers

from kexp.core.cache_dir import cache_dir
from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded
from kexp.core.hdf5_file import require_own_hdf5
from kexp.core.keras_private import flat_calls
from kexp.core.pretrained_catalog import require_hub_name
from kexp.models.pretrained.image_input import image_input
from kexp.models.pretrained.saved_backbone import pooled

_WHAT = "a preset of KerasHub for images"


def hub_folder(name: str) -> Path:
    """Return where `kexp models prepare` puts the preset of a name such as "hub:resnet_18_imagenet".

    Raises:
        InputError: The name is none of a preset.
    """
    return cache_dir() / "pretrained" / "hub" / require_hub_name(name)


def hub_backbone(
    name: str, input_shape: tuple[int | None, ...] | None, image_size: tuple[int, int] | None, dtype: str
) -> keras.Model:
    """Return the backbone of a prepared preset, from raw images to (batch, features); nothing is downloaded.

    Args:
        name: Such as "hub:resnet_18_imagenet".
        input_shape: Of the raw images; None: as the preset takes them.
        image_size: That they are resized to; None: as the preset does.
        dtype: Of the raw images.

    Raises:
        InputError: KerasHub is not installed, the preset was not prepared, or is not for images.
    """
    folder = hub_folder(name)
    if not folder.is_dir():
        raise InputError(
            f"name={name!r}: expected a preset in {folder}; download it with `kexp models prepare {name}`."
        )
    keras_hub = _keras_hub(name)
    for path in sorted(folder.glob("*.h5")):
        require_own_hdf5(path, "remove its folder and prepare it again")
    with guarded(f"folder {folder}", _WHAT, "remove it and prepare it again"):
        backbone = keras_hub.models.Backbone.from_preset(str(folder))
        converter = keras_hub.layers.ImageConverter.from_preset(str(folder))
    return image_backbone(backbone, converter, input_shape, image_size, dtype)


def image_backbone(
    backbone: keras.Model,
    converter: Any,
    input_shape: tuple[int | None, ...] | None,
    image_size: tuple[int, int] | None,
    dtype: str,
) -> keras.Model:
    """Return a backbone of KerasHub with what its converter does to images inside it, as layers of Keras.

    Args:
        backbone: From (batch, height, width, 3) to (batch, height', width', features).
        converter: Has `image_size`, and `scale` and `offset`, each None, a number or one for each channel.
        input_shape: As of `hub_backbone`, as the other arguments are.
        image_size: That images are resized to.
        dtype: Of the raw images.
    """
    size = image_size or tuple(converter.image_size or (224, 224))
    inputs, x = image_input(input_shape or (*size, 3), size, dtype)
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    x = layers.Rescaling(scale, offset, name="scaled")(x)
    whole = keras.Model(inputs, pooled(backbone(x)), name="backbone")
    return keras.Model(inputs, flat_calls(whole)[-1][2], name="backbone")


def prepare_hub(name: str) -> Path:
    """Download a preset by KerasHub, and write its backbone and converter where `hub_backbone` looks.

    Args:
        name: Such as "hub:resnet_18_imagenet".

    Raises:
        InputError: KerasHub is not installed, or cannot download it.
    """
    folder = hub_folder(name)
    if folder.is_dir():
        return folder
    keras_hub = _keras_hub(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
    try:
        with guarded(f"name={name!r}", _WHAT, "mend that and prepare it again"):
            preset = require_hub_name(name)
            keras_hub.models.Backbone.from_preset(preset).save_to_preset(str(beside))
            keras_hub.layers.ImageConverter.from_preset(preset).save_to_preset(str(beside))
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _keras_hub(name: str) -> Any:
    if importlib.util.find_spec("keras_hub") is None:
        raise InputError(f"name={name!r}: needs KerasHub, which is not installed: pip install 'kexp[hub]'.")
    return importlib.import_module("keras_hub")
