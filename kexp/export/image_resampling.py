"""Pillow's bilinear resampling as TensorFlow operations, to the bit, for images of sizes known when it runs.

Images of 8 bits go through two passes of whole numbers, first along the width, then along the height. The
triangle around a pixel of the result is as wide as what the pixel stands for, at least one pixel to each
side; its weights are normalised and become whole numbers of 2^-22. Their products with the pixels are added
from a half on, shifted and cut to a byte after each pass.

Source: Pillow, src/libImaging/Resample.c: `precompute_coeffs`, `normalize_coeffs_8bpc` and
`ImagingResampleHorizontal_8bpc`; `PRECISION_BITS` is 32 - 8 - 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

_PRECISION_BITS = 22


def resampled(image: tf.Tensor, height: Any, width: Any) -> tf.Tensor:
    """Return an image in another size, as two of Pillow's `resize` with `Resampling.BILINEAR` make it.

    Args:
        image: (rows, columns, channels) uint8.
        height: Of the result, in pixels, as a number or a scalar int32.
        width: Of the result, which is made first.

    Returns:
        (height, width, channels) uint8.
    """
    import tensorflow as tf

    # Traced once for both passes.
    pixels = tf.TensorSpec((None, None, image.shape[-1]), tf.uint8)
    along = tf.function(_along_first, [pixels, tf.TensorSpec((), tf.int32)], autograph=False)
    across = along(tf.transpose(image, (1, 0, 2)), width)
    return along(tf.transpose(across, (1, 0, 2)), height)


def _along_first(pixels: tf.Tensor, out: Any) -> tf.Tensor:
    """Return (out, ...) of (in, ...) uint8. Rows are gathered a tap at a time: all taps would not fit."""
    import tensorflow as tf

    places, weights = _taps(tf.shape(pixels)[0], out)

    def add(tap: Any, sums: Any) -> Any:
        rows = tf.cast(tf.gather(pixels, places[tap]), tf.int32)
        return tap + 1, sums + weights[tap, :, None, None] * rows

    half = tf.fill((out, *tf.unstack(tf.shape(pixels)[1:])), 1 << (_PRECISION_BITS - 1))
    _, sums = tf.while_loop(lambda tap, _: tap < tf.shape(places)[0], add, (0, half))
    return tf.cast(tf.minimum(tf.bitwise.right_shift(sums, _PRECISION_BITS), 255), tf.uint8)


def _taps(count: Any, out: Any) -> tuple[Any, Any]:
    """Return the pixels, of `count`, that each of `out` is made of, and their weights.

    Returns:
        (taps, out) int32 each; where a pixel has fewer taps than another the weights are 0.
    """
    import tensorflow as tf

    scale = tf.cast(count, tf.float64) / tf.cast(out, tf.float64)
    reach = tf.maximum(scale, 1.0)
    centre = (tf.cast(tf.range(out), tf.float64) + 0.5) * scale
    first = tf.maximum(tf.cast(centre - reach + 0.5, tf.int32), 0)  # towards zero
    end = tf.minimum(tf.cast(centre + reach + 0.5, tf.int32), count)
    places = first + tf.range(tf.reduce_max(end - first))[:, None]
    away = tf.abs((tf.cast(places, tf.float64) - centre + 0.5) * (1.0 / reach))
    weights = tf.where(places < end, tf.maximum(1.0 - away, 0.0), 0.0)
    whole = 0.5 + weights / tf.reduce_sum(weights, 0) * (1 << _PRECISION_BITS)
    return tf.minimum(places, count - 1), tf.cast(whole, tf.int32)
