"""The EXIF orientation of encoded images as TensorFlow operations: how a camera was held, found in the bytes.

A JPEG is a row of segments, a PNG or WebP one of chunks; one of them holds a TIFF, in whose first directory
the orientation is a field. Where it is absent or lies outside of the file it is 1, which is upright. The
formats differ in numbers alone, which are rows of tables, so that the graph stays small.

Source: Exif 2.3 (CIPA DC-008), sections 4.5.4, 4.6.4 (tag 0x0112) and 4.7.2 (APP1 of a JPEG); TIFF 6.0,
section 2; PNG (third edition), sections 5.3 and 11.3.4.6; WebP container specification, on chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

_TAG, _SHORT, _LONG = 0x0112, 3, 4
_LITTLE, _BIG = 0x4949, 0x4D4D  # the order of bytes in a TIFF
_ANY = -1
_HEAD = 8  # bytes at the beginning of a segment or chunk, and of a TIFF
_FIELD = 12  # bytes of a field of a TIFF


class _Container(NamedTuple):
    """A format of files, as rows of the tables.

    Attributes:
        mark: The first two bytes of a file, as a number.
        start: Where the first segment or chunk is.
        key: How one with EXIF begins.
        size: What its bytes are multiplied with to give its size.
        more: What the size leaves out.
        tiff: Where the TIFF begins in it.
    """

    mark: int
    start: int
    key: list[int]
    size: list[int]
    more: int
    tiff: int


_BIG_4 = [1 << 24, 1 << 16, 1 << 8, 1]
_NONE, _JPEG, _PNG, _WEBP = range(4)
_CONTAINERS = (
    _Container(_ANY, 1 << 30, [_ANY] * 8, [0] * 8, 1, 0),  # any other: the first one lies beyond the end
    _Container(0xFFD8, 2, [0xFF, 0xE1, _ANY, _ANY, *b"Exif"], [0, 0, 256, 1, 0, 0, 0, 0], 2, 10),
    _Container(0x8950, 8, [*[_ANY] * 4, *b"eXIf"], [*_BIG_4, 0, 0, 0, 0], 12, 8),
    _Container(0x5249, 12, [*b"EXIF", *[_ANY] * 4], [0, 0, 0, 0, *_BIG_4[::-1]], 8, 8),
)


def _field_numbers(step: int) -> np.ndarray:
    """Return (bytes, 4): from a field to its tag, its type, and its value as a short and as a long number."""
    table = np.zeros((_FIELD, 4), np.int32)
    for column, first in enumerate((0, 2, 8)):
        table[first : first + 2, column] = [256, 1][::step]
    table[8:, 3] = _BIG_4[::step]
    return table


def exif_orientation(content: tf.Tensor) -> tf.Tensor:
    """Return the orientation, 1 to 8, of a JPEG, PNG or WebP file, as a scalar int32.

    Args:
        content: Scalar string, a whole file.
    """
    import tensorflow as tf

    raw = tf.io.decode_raw(content, tf.uint8)
    size = tf.size(raw)
    padded = tf.pad(raw, [[0, 1]])

    def at(place: Any, count: int) -> Any:
        """Return (..., count) int32 bytes; beyond the end they are 0."""
        return tf.cast(tf.gather(padded, tf.clip_by_value(place + tf.range(count), 0, size)), tf.int32)

    start = _tiff_of(at, size)
    head = at(start, _HEAD)
    order = 256 * head[0] + head[1]
    is_little = order == _LITTLE
    offset = tf.reduce_sum(head[4:] * tf.where(is_little, _BIG_4[::-1], _BIG_4))
    directory = start + tf.clip_by_value(offset, 0, size)
    count = tf.reduce_sum(at(directory, 2) * tf.where(is_little, [1, 256], [256, 1]))
    fields = at(directory + 2 + _FIELD * tf.range(count)[:, None], _FIELD)
    numbers = tf.matmul(fields, tf.where(is_little, _field_numbers(-1), _field_numbers(1)))
    tags, types, shorts, longs = tf.unstack(numbers, axis=-1)
    wanted = (tags == _TAG) & ((types == _SHORT) | (types == _LONG)) & (is_little | (order == _BIG))
    found = tf.reduce_max(tf.where(wanted, tf.where(types == _SHORT, shorts, longs), 1))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _tiff_of(at: Any, size: Any) -> Any:
    """Return where the TIFF of a file begins, or its end where there is none."""
    import tensorflow as tf

    mark = tf.reduce_sum(at(0, 2) * [256, 1])
    kind = tf.reduce_sum(tf.where(tf.equal([one.mark for one in _CONTAINERS], mark), range(4), 0))
    start, key, sizes, more, tiff = (
        tf.gather([getattr(one, name) for one in _CONTAINERS], kind)
        for name in ("start", "key", "size", "more", "tiff")
    )

    def goes_on(place: Any, is_found: Any) -> Any:
        return (place < size) & ~is_found

    def step(place: Any, is_found: Any) -> Any:
        head = at(place, _HEAD)
        found = tf.reduce_all((head == key) | (key == _ANY))
        length = tf.reduce_sum(head * sizes) + more
        length += tf.where(kind == _WEBP, length % 2, 0)
        # Between the segments of a JPEG may be bytes of 255, and after the start of its scan there are none.
        length = tf.where((kind == _JPEG) & (head[1] == 0xFF), 1, length)
        ends = (kind == _JPEG) & ((head[0] != 0xFF) | (head[1] == 0xDA))
        following = tf.where(ends | (length < 1) | (length > size), size, place + length)
        return tf.where(found, place, following), found

    place, is_found = tf.while_loop(goes_on, step, (start, tf.constant(False)))
    place += tiff
    named = tf.reduce_all(at(place, 4) == [*b"Exif"])  # some write the name of the segment into a chunk too
    return tf.where(is_found, place + tf.where(named, 6, 0), size)


def upright(image: tf.Tensor, orientation: Any) -> tf.Tensor:
    """Return an image as its camera was held.

    Args:
        image: (rows, columns, channels).
        orientation: 1 to 8.
    """
    import tensorflow as tf

    axes = tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2])
    # By orientation from 0 on: from bottom to top, and from right to left.
    flips = tf.gather(
        [[False, False]] * 2
        + [[False, True], [True, True], [True, False]]
        + [[False, False], [False, True], [True, True], [True, False]],
        orientation,
    )
    return tf.reverse(tf.transpose(image, axes), tf.boolean_mask([0, 1], flips))
