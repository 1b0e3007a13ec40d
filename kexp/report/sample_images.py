"""Pictures of samples: images side by side, masks in the colours of their classes."""

from __future__ import annotations

import numpy as np

from kexp.core.images import grid, png
from kexp.report.html import picture

_LEAST = 44  # pixels of the shorter side of an image among others
# Apart from one another for as long as there are colours; a page looks the same whatever is installed.
_COLOURS = (
    *("#1b1e24", "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45"),
    *("#fabed4", "#469990", "#9a6324", "#ffe119", "#dcbeff", "#800000", "#aaffc3", "#808000", "#000075"),
)


def colour(index: int) -> str:
    """Return the colour of a class, the same on every page; after 17 they begin anew.

    Example:
        >>> colour(0), colour(1) == colour(18)
        ('#1b1e24', True)
    """
    return _COLOURS[index if index == 0 else 1 + (index - 1) % (len(_COLOURS) - 1)]


def painted(mask: np.ndarray) -> np.ndarray:
    """Return (height, width, 3) uint8 of (height, width) class indices.

    Example:
        >>> painted(np.array([[0, 1]])).tolist()
        [[[27, 30, 36], [230, 25, 75]]]
    """
    palette = np.array(
        [list(bytes.fromhex(colour(index)[1:])) for index in range(int(mask.max(initial=0)) + 1)]
    )
    return palette.astype(np.uint8)[mask]


def grey_or_colour(image: np.ndarray) -> np.ndarray:
    """Return (height, width, 3) uint8 of an image of any number of channels and range.

    Example:
        >>> grey_or_colour(np.array([[[0.0], [2.0]]], np.float32)).tolist()
        [[[0, 0, 0], [255, 255, 255]]]
    """
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = ((image - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
    return image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)


def image_grid(name: str, images: np.ndarray, columns: int) -> str:
    """Return (n, height, width, channels) uint8 as one picture of a page, large enough to be looked at."""
    return picture(name, png(grid(images, columns, least=_LEAST)))
