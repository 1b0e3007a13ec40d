"""Example files: a few encoded images, made of a run's samples, for the check of what decodes them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kexp.data.adapters import read_inputs
from kexp.data.dataset import DatasetSpec, single_array
from kexp.export.parity import LEVELS, ExportError

if TYPE_CHECKING:
    import PIL.Image

_ORIENTATION, _TURNED = 0x0112, 6  # EXIF's tag: the camera was turned by a quarter


class ExampleFile(NamedTuple):
    """An image in a file.

    Attributes:
        name: What the file is, for messages; it ends in its suffix.
        content: Its bytes, of which the last is not 0: NumPy would cut it off.
        levels: How far pixels may be from those that Pillow reads: none, but for lossy formats, whose
            decoders may be of other builds.
    """

    name: str
    content: bytes
    levels: int


def example_files(samples: np.ndarray, spec: DatasetSpec) -> list[ExampleFile]:
    """Return files of the first samples: grey, coloured, transparent, turned, and of another size.

    Args:
        samples: (samples, height, width, channels) uint8, of 1 or 3 channels.
        spec: Of the data; where it records a way of resizing, one of the files has another size.
    """
    grey, coloured, turned = (_coloured(samples[number % len(samples)]) for number in range(3))
    transparent = coloured.copy()
    transparent.putalpha(grey.convert("L"))
    found = [
        _png("grey.png", grey.convert("L")),
        _png("transparent.png", transparent),
        _turned_jpeg("turned.jpg", turned),
    ]
    if spec.resize:
        height, width = spec.input_shape[:2]
        found.append(_png("large.png", coloured.resize((width + 3, 2 * height + 1))))
    return found


def read_examples(files: list[ExampleFile], spec: DatasetSpec) -> np.ndarray:
    """Return (files, height, width, channels) uint8, the images in files as `kexp predict` reads them."""
    images = []
    with tempfile.TemporaryDirectory(prefix="kexp-images-") as folder:
        for file in files:
            path = Path(folder, file.name)
            path.write_bytes(file.content)
            images.append(single_array(read_inputs(path, spec)))
    return np.concatenate(images)


def check_pixels(files: list[ExampleFile], decoded: np.ndarray, read: np.ndarray) -> None:
    """Compare what a graph decodes of files with what Pillow reads of them.

    Raises:
        ExportError: A pixel is another one.
    """
    for file, one, other in zip(files, decoded, read, strict=True):
        difference = int(np.abs(one.astype(np.int16) - other.astype(np.int16)).max(initial=0))
        if difference > file.levels:
            raise ExportError(
                f"the bytes of an image are decoded to something else: the largest difference of {file.name} "
                f"is {difference} of 255, allowed is {file.levels}"
            )


def _coloured(sample: np.ndarray) -> PIL.Image.Image:
    """Return a sample in colours, a grey one in some that are not its own, so that they count."""
    from PIL import Image

    if sample.shape[-1] == 1:
        sample = np.concatenate([sample, 255 - sample, sample // 2], axis=-1)
    return Image.fromarray(np.ascontiguousarray(sample))


def _png(name: str, image: PIL.Image.Image) -> ExampleFile:
    return ExampleFile(name, _encoded(image, "PNG"), 0)


def _turned_jpeg(name: str, image: PIL.Image.Image) -> ExampleFile:
    """Return a JPEG that lies on its side, and says so."""
    from PIL import Image

    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    lying = image.transpose(Image.Transpose.ROTATE_90)
    return ExampleFile(name, _encoded(lying, "JPEG", exif=exif, subsampling="4:2:0"), LEVELS)


def _encoded(image: PIL.Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
