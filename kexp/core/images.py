"""Images as pixels to look at: many in one picture, numbers as shades, PNG files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import replacing

GAP = 1  # pixels between images
LEAST = 28  # pixels of an image's shorter side
_GAP_SHADE = 160  # neither the black nor the white that images end in


def grid(images: np.ndarray, columns: int, *, least: int = LEAST) -> np.ndarray:
    """Return images beside and below one another, in the order of reading.

    Small ones are enlarged by a whole number, so that there is something to see.

    Args:
        images: (n, height, width, channels) uint8, one or more; of 1 or 2 channels the first is grey, of 3 or
            more they are red, green and blue.
        columns: Images beside one another, 1 or more.
        least: Pixels of an image's shorter side when it is enlarged, 1 or more; default 28.

    Returns:
        (height, width, 3) uint8, with a gap of one pixel between images and grey in places left over.

    Raises:
        InputError: The images are not such an array, or there is no column.

    Example:
        >>> grid(np.zeros((3, 14, 14, 1), "uint8"), 2).shape
        (57, 57, 3)
    """
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise InputError(
            "images must be uint8 of shape (samples, height, width, channels), one or more; received "
            f"{images.dtype} of shape {images.shape}."
        )
    if columns < 1:
        raise InputError(f"columns must be 1 or more; received {columns}.")
    drawn = _enlarged(_coloured(images), least)
    height, width = (side + GAP for side in drawn.shape[1:3])
    rows = -(-len(drawn) // columns)
    whole = np.full((rows * height - GAP, columns * width - GAP, 3), _GAP_SHADE, np.uint8)
    for index, image in enumerate(drawn):
        top, left = index // columns * height, index % columns * width
        whole[top : top + height - GAP, left : left + width - GAP] = image
    return whole


def _coloured(images: np.ndarray) -> np.ndarray:
    return images[..., :3] if images.shape[-1] >= 3 else np.repeat(images[..., :1], 3, axis=-1)


def _enlarged(images: np.ndarray, least: int) -> np.ndarray:
    times = -(-least // min(images.shape[1:3]))
    return images.repeat(times, axis=1).repeat(times, axis=2)


def to_uint8(numbers: np.ndarray) -> np.ndarray:
    """Return numbers from 0, black, to 1, white, as the nearest bytes; what lies beyond as 0 or 255.

    Example:
        >>> to_uint8(np.array([-0.5, 0.0, 0.25, 1.0])).tolist()
        [0, 0, 64, 255]
    """
    return np.round(255 * np.clip(numbers, 0.0, 1.0)).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """Return (height, width, 3) uint8 as the content of a PNG file.

    Example:
        >>> png(np.zeros((2, 2, 3), "uint8"))[:4]
        b'\\x89PNG'
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Write (height, width, 3) uint8 to a PNG file, which is either whole or not there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_png(Path(folder, "dot.png"), np.zeros((2, 2, 3), "uint8"))
        ...     [file.name for file in Path(folder).iterdir()]
        ['dot.png']
    """
    with replacing(path) as temporary:
        temporary.write_bytes(png(pixels))
