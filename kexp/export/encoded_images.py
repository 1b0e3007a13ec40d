"""Encoded images as TensorFlow operations: from the bytes of files to the pixels that training would see.

What `kexp.data.sources.image_files` does with Pillow is done here in a graph, so that an export answers for
files without either: decoding, the orientation of the camera, 16 bits scaled to 8, transparency dropped,
colours turned to grey where the model takes grey, and the resizing that was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from kexp.core.constraints import Resize
from kexp.data.dataset import DatasetSpec
from kexp.data.sources.image_resizing import Resizing, Size
from kexp.export.exif_orientation import exif_orientation, upright
from kexp.export.image_resampling import resampled

if TYPE_CHECKING:
    import tensorflow as tf

# What Pillow weighs red, green and blue with, in 2^-16 (ITU-R 601-2).
# Source: Pillow, src/libImaging/Convert.c, L24.
_GREY = (19_595, 38_470, 7_471)
_PNG_START, _DEEP_PNG = b"\x89PNG", b"\x10"
_PNG_DEPTH = 24  # where a PNG says how many bits its channels have


def takes_encoded(spec: DatasetSpec) -> bool:
    """Return whether a model takes images that files can hold: of bytes, grey or coloured, of one size.

    Example:
        >>> takes_encoded(DatasetSpec("image", (8, 8, 1), "uint8", "classification", 10))
        True
    """
    is_image = spec.kind == "image" and spec.dtype == "uint8" and len(spec.input_shape) == 3
    return is_image and None not in spec.input_shape and spec.input_shape[-1] in (1, 3)


def image_decoder(spec: DatasetSpec) -> ImageDecoder:
    """Return what decodes files for a model of this data, one that `takes_encoded`."""
    height, width, channels = spec.input_shape
    return ImageDecoder((height, width), channels, spec.resize)


@dataclass(frozen=True)
class ImageDecoder:
    """The function from (batch,) strings, files, to (batch, height, width, channels) uint8.

    Files are JPEG, PNG, GIF (the first frame), BMP, and what else `tf.io.decode_image` knows where it runs.
    One of another size is an error of TensorFlow's where the data have recorded no way of resizing.

    Attributes:
        size: (height, width) of what comes out.
        channels: 1 for grey, 3 for coloured.
        resize: How an image of another shape comes to the size; empty: it does not.
    """

    size: Size
    channels: int
    resize: Resize | Literal[""]

    def __call__(self, contents: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        made = tf.TensorSpec((*self.size, self.channels), tf.uint8)
        with tf.device("CPU"):  # of a server that has others too: files are decoded nowhere else
            return tf.map_fn(self._decoded, contents, fn_output_signature=made)

    def _decoded(self, content: Any) -> Any:
        image = upright(_pixels(content), exif_orientation(content))
        image = _grey(image) if self.channels == 1 else image
        return _in_size(image, Resizing(self.size, self.resize) if self.resize else None, self.size)


@lru_cache(maxsize=4)
def traced_decoder(decoder: ImageDecoder) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a decoder as a graph, which is traced once for all models of the same images."""
    import tensorflow as tf

    files = [tf.TensorSpec((None,), tf.string)]
    traced = tf.function(decoder.__call__, files, autograph=False).get_concrete_function()
    return lambda contents: traced(contents)


def _pixels(content: Any) -> Any:
    """Return (rows, columns, 3) uint8 of a file."""
    import tensorflow as tf

    is_png = tf.strings.substr(content, 0, 4) == _PNG_START
    is_deep = is_png & (tf.strings.substr(content, _PNG_DEPTH, 1) == _DEEP_PNG)
    kind = tf.where(tf.io.is_jpeg(content), 0, tf.where(is_deep, 1, 2))
    readers = {
        # The default of TensorFlow is a faster transform than Pillow's, and up to 15 of 255 from it.
        0: lambda: tf.io.decode_jpeg(content, 3, dct_method="INTEGER_ACCURATE"),
        1: lambda: _deep(content),
        2: lambda: tf.io.decode_image(content, 3, expand_animations=False),
    }
    return tf.ensure_shape(tf.switch_case(kind, readers), (None, None, 3))


def _deep(content: Any) -> Any:
    """Return a PNG of 16 bits per channel in 8, rounded."""
    import tensorflow as tf

    values = tf.cast(tf.io.decode_png(content, 3, tf.uint16), tf.int32)
    return tf.cast((values + 128) // 257, tf.uint8)


def _grey(image: Any) -> Any:
    """Return (rows, columns, 1) of coloured pixels, or of grey ones, which stay as they are."""
    import tensorflow as tf

    total = tf.reduce_sum(tf.cast(image, tf.int32) * _GREY, -1, keepdims=True) + (1 << 15)
    return tf.cast(tf.bitwise.right_shift(total, 16), tf.uint8)


def _in_size(image: Any, resizing: Resizing | None, size: Size) -> Any:
    import tensorflow as tf

    found = tf.shape(image)[:2]
    if resizing is None:
        message = (
            f"expected an image of {size[0]} x {size[1]} pixels (height x width), as all of training were"
        )
        with tf.control_dependencies([tf.debugging.assert_equal(found, size, message)]):
            return tf.ensure_shape(image, (*size, image.shape[-1]))
    return tf.cond(tf.reduce_all(found == size), lambda: image, lambda: _resized(image, found, resizing))


def _resized(image: Any, found: Any, resizing: Resizing) -> Any:
    """Return an image resized as `Resizing.image` does it."""
    import tensorflow as tf

    height, width = resizing.size
    rows, columns = found[0], found[1]
    if resizing.way == "crop":
        is_tall = rows * width > columns * height
        tall, wide = _rounded(columns * height, width), _rounded(rows * width, height)
        rows, columns = tf.where(is_tall, tall, rows), tf.where(is_tall, columns, wide)
        top, left = (found[0] - rows) // 2, (found[1] - columns) // 2
        image = image[top : top + rows, left : left + columns]
    if resizing.way != "pad":
        return resampled(image, height, width)
    is_tall = rows * width > columns * height
    tall = tf.where(is_tall, height, _rounded(rows * width, columns))
    wide = tf.where(is_tall, _rounded(columns * height, rows), width)
    top, left = (height - tall) // 2, (width - wide) // 2
    margins = [[top, height - tall - top], [left, width - wide - left], [0, 0]]
    return tf.pad(resampled(image, tall, wide), margins)


def _rounded(product: Any, divisor: Any) -> Any:
    """Return a quotient rounded, a half upwards, and 1 at least, as `Resizing` does."""
    import tensorflow as tf

    return tf.maximum((2 * product + divisor) // (2 * divisor), 1)
