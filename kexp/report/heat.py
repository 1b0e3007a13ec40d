"""Heat: numbers as colours over the pixels, steps or words that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from kexp.report.line_picture import line_picture
from kexp.report.sample_images import grey_or_colour

_SIDE = 96  # pixels of the shorter side of a picture at least
_LARGEST = 192
_FOR, _AGAINST = np.array([230.0, 60.0, 20.0]), np.array([40.0, 110.0, 240.0])
_MOST_ALPHA = 0.75
_FRAME = 160


def heat_over(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return an image with red where numbers are above 0 and blue where below.

    Args:
        image: (height, width, channels).
        heat: (rows, columns), which is brought to the size of the picture.

    Returns:
        (height, width, 3) uint8, enlarged or made smaller to be looked at.

    Example:
        >>> heat_over(np.zeros((8, 8, 1), "uint8"), np.ones((2, 2))).shape
        (96, 96, 3)
    """
    pixels = resized(grey_or_colour(image)).astype(np.float64)
    grey = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1) * 0.7 + 60  # neither black nor white
    strength = np.clip(_at(heat, pixels.shape[:2]) / max(float(np.abs(heat).max()), 1e-12), -1, 1)[..., None]
    alpha = _MOST_ALPHA * np.abs(strength)
    colour = np.where(strength > 0, _FOR, _AGAINST)
    return np.round((1 - alpha) * np.minimum(grey, 255) + alpha * colour).astype(np.uint8)


def heat_alone(heat: np.ndarray) -> np.ndarray:
    """Return (height, width, 3) uint8 of (rows, columns) numbers: white for 0, dark for the greatest.

    Example:
        >>> heat_alone(np.array([[0.0, 1.0]]))[0, [0, -1], 0].tolist()
        [255, 20]
    """
    share = np.clip(heat / max(float(heat.max(initial=0)), 1e-12), 0, 1)[..., None]
    picture = (255 - share * (255 - np.array([20.0, 40.0, 110.0]))).round().astype(np.uint8)
    times = max(1, -(-_SIDE // max(picture.shape[:2])))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def framed(pixels: np.ndarray, least: int) -> np.ndarray:
    """Return (height, width, 3) uint8 enlarged to a least side, with a grey frame that tells it from others.

    Example:
        >>> framed(np.zeros((3, 3, 3), "uint8"), 30).shape
        (34, 34, 3)
    """
    times = max(1, -(-least // min(pixels.shape[:2])))
    enlarged = pixels.repeat(times, axis=0).repeat(times, axis=1)
    return np.pad(enlarged, ((2, 2), (2, 2), (0, 0)), constant_values=_FRAME)


def resized(pixels: np.ndarray) -> np.ndarray:
    """Return (height, width, 3) uint8 large enough to be seen, and no larger than a page has room for."""
    from PIL import Image

    times = max(1, -(-_SIDE // min(pixels.shape[:2])))
    pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    longest = max(pixels.shape[:2])
    if longest <= _LARGEST:
        return pixels
    size = [max(1, round(side * _LARGEST / longest)) for side in pixels.shape[1::-1]]
    return np.asarray(Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BOX))


def _at(heat: np.ndarray, size: Sequence[int]) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(heat, np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR), np.float64)


def heated_words(pieces: Sequence[str], heat: np.ndarray) -> str:
    """Return HTML of words or tokens on red where they speak for an output and blue where against it.

    Example:
        >>> heated_words(["<b>"], np.array([1.0]))
        '<span class="heat" style="background:rgba(230,60,20,0.60)">&lt;b&gt;</span>'
    """
    greatest = max(float(np.abs(heat).max(initial=0)), 1e-12)
    apart = "" if all(len(piece) == 1 for piece in pieces) else " "
    return apart.join(_word(piece, value / greatest) for piece, value in zip(pieces, heat, strict=True))


def _word(piece: str, share: float) -> str:
    alpha = 0.6 * abs(share)
    red, green, blue = (_FOR if share > 0 else _AGAINST).astype(int)
    style = f' style="background:rgba({red},{green},{blue},{alpha:.2f})"' if alpha >= 0.03 else ""
    return f'<span class="heat"{style}>{escape(piece)}</span>'


def heated_line(name: str, series: np.ndarray, heat: np.ndarray) -> str:
    """Return the picture of a series with a stripe below it, in the colours of `heated_words` by step.

    Args:
        name: What it shows, not escaped yet.
        series: (steps, channels).
        heat: (steps,), those of padding left out.
    """
    steps = len(heat)
    greatest = max(float(np.abs(heat).max(initial=0)), 1e-12)
    width = 144.0 / steps
    cells = []
    for step, value in enumerate(heat / greatest):
        red, green, blue = (_FOR if value > 0 else _AGAINST).astype(int)
        if abs(value) >= 0.03:
            cells.append(
                f'<rect x="{step * width:.1f}" y="0" width="{width + 0.1:.1f}" height="10" '
                f'fill="rgb({red},{green},{blue})" fill-opacity="{abs(value):.2f}"/>'
            )
    stripe = f'<svg class="line stripe" aria-hidden="true" viewBox="0 0 144 10">{"".join(cells)}</svg>'
    return line_picture(name, series) + stripe
