"""Resizing: how images of any size come to one, and what is to be said of those that did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kexp.core.constraints import Resize

if TYPE_CHECKING:
    import PIL.Image

Size = tuple[int, int]  # (height, width)
_DONE = {"stretch": "stretched", "crop": "cropped", "pad": "padded"}


@dataclass(frozen=True)
class Resizing:
    """A size, and the way in which an image of another one comes to it.

    Attributes:
        size: (height, width) in pixels.
        way: "stretch": each axis by itself; "crop": the middle of the image is cut out in the proportions of
            the size, then scaled; "pad": the whole image is scaled until it fits, amid black.
    """

    size: Size
    way: Resize = "stretch"

    def cut(self, found: Size) -> Size:
        """Return the (height, width) that is used of an image, its middle.

        Example:
            >>> Resizing((2, 3), "crop").cut((100, 100)), Resizing((2, 3), "pad").cut((100, 100))
            ((67, 100), (100, 100))
        """
        (height, width), (tall, wide) = found, self.size
        if self.way != "crop":
            return found
        if height * wide > width * tall:
            return max(_rounded(width * tall, wide), 1), width
        return height, max(_rounded(height * wide, tall), 1)

    def scaled(self, found: Size) -> Size:
        """Return the (height, width) that the used part is scaled to, the middle of what comes out.

        Example:
            >>> Resizing((2, 3), "pad").scaled((100, 100)), Resizing((2, 3)).scaled((100, 100))
            ((2, 2), (2, 3))
        """
        (height, width), (tall, wide) = found, self.size
        if self.way != "pad":
            return self.size
        if height * wide > width * tall:
            return tall, max(_rounded(width * tall, height), 1)
        return max(_rounded(height * wide, width), 1), wide

    def image(self, image: PIL.Image.Image) -> PIL.Image.Image:
        """Return an image in this size, bilinear, with smoothing where it shrinks."""
        from PIL import Image

        found = (image.height, image.width)
        cut, scaled = self.cut(found), self.scaled(found)
        if cut != found:
            top, left = _margins(found, cut)
            image = image.crop((left, top, left + cut[1], top + cut[0]))
        # The width first, whatever the shape: from Pillow 13 on tall images are shrunk the other way round,
        # which rounds otherwise, and the same files would be other data.
        for size in ((scaled[1], cut[0]), scaled[::-1]):
            image = image.resize(size, Image.Resampling.BILINEAR)
        if scaled == self.size:
            return image
        padded = Image.new(image.mode, self.size[::-1])
        padded.paste(image, _margins(self.size, scaled)[::-1])
        return padded

    def enlarges(self, found: Size) -> bool:
        """Return whether an image has less pixels, along an axis, than are made of it.

        Example:
            >>> Resizing((2, 3)).enlarges((1, 9)), Resizing((2, 3), "pad").enlarges((1, 9))
            (True, False)
        """
        cut, scaled = self.cut(found), self.scaled(found)
        return cut[0] < scaled[0] or cut[1] < scaled[1]


def resize(images: Iterable[np.ndarray], image_size: Size, way: Resize = "stretch") -> np.ndarray:
    """Resize images, bilinear, with smoothing where they shrink.

    Args:
        images: (height, width, channels) uint8 each, of any sizes.
        image_size: (height, width) in pixels.
        way: How one of another shape comes to it, see `Resizing`; default "stretch".

    Returns:
        (samples, height, width, channels) uint8.

    Example:
        >>> resize([np.full((8, 8, 1), 7, np.uint8)], (4, 2)).shape
        (1, 4, 2, 1)
    """
    from PIL import Image

    resizing = Resizing(image_size, way)
    resized = []
    for image in images:
        planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(image, -1, 0)]
        resized.append(np.stack([np.asarray(resizing.image(plane)) for plane in planes], axis=-1))
    return np.stack(resized)


def resizing_notes(sizes: Sequence[Size], resizing: Resizing) -> tuple[str, ...]:
    """Return what is to be said of images that came to a size.

    Args:
        sizes: (height, width) of each before.
        resizing: What was done.

    Example:
        >>> print(*resizing_notes([(4, 6), (2, 3), (4, 9)], Resizing((4, 6), "crop")))
        2 of 3 images had another size than 4 × 6 (height × width) and were cropped to it: they were 2 to 4
        pixels high and 3 to 9 wide; 1 of them is smaller and was enlarged.
    """
    others = [size for size in sizes if size != resizing.size]
    if not others:
        return ()
    height, width = resizing.size
    enlarged = sum(map(resizing.enlarges, others))
    more = "is smaller and was" if enlarged == 1 else "are smaller and were"
    return (
        f"{len(others):,} of {len(sizes):,} images had another size than {height} × {width} (height × width) "
        f"and were {_DONE[resizing.way]} to it: they were {_range(size[0] for size in others)} pixels high "
        f"and {_range(size[1] for size in others)} wide"
        + (f"; {enlarged:,} of them {more} enlarged." if enlarged else "."),
    )


def _range(lengths: Iterable[int]) -> str:
    found = sorted(set(lengths))
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"


def _margins(outer: Size, inner: Size) -> Size:
    """Return what lies above and to the left of the middle, the smaller half where it is odd."""
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2


def _rounded(product: int, divisor: int) -> int:
    """Return a quotient rounded, a half upwards, by whole numbers: a graph has to come to the same."""
    return (2 * product + divisor) // (2 * divisor)
