"""Random numbers by a counter: the hash of a key and of the place of a number, in operations that XLA fuses.

TensorFlow's own generators are kernels. Dropout by them takes a thousand times as long as by these where XLA
compiles it for a CPU, and twice as long where nothing is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kexp.core.types import Tensor

# Multipliers and shifts of triple32, a hash of 32 bits (Wellons 2018, "Prospecting for hash functions",
# https://nullprogram.com/blog/2018/07/31/); a part of the key goes in between.
_GOLDEN = 0x9E3779B9
_ROUNDS = ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB))
_LAST_SHIFT = 14
_WORD = 0xFFFFFFFF
_CUT = 2.0  # standard deviations, as in Keras's truncated normal


class Key(NamedTuple):
    """What tells the numbers of one draw from those of all others.

    Attributes:
        first: uint32, added to the place of a number before it is hashed.
        second: uint32, added between.
    """

    first: Tensor
    second: Tensor


def key_of(*numbers: Any) -> Key:
    """Return the key that whole numbers stand for, in their order.

    Args:
        *numbers: Of Python or scalar tensors, of which the lowest 32 bits count.

    Example:
        >>> one, same, other = key_of(3, 5), key_of(tf.constant(3), 5), key_of(5, 3)
        >>> bool(one.first == same.first), bool(one.first == other.first)
        (True, False)
    """
    fixed = np.zeros(2, np.uint64)
    moving: list[Any] = []
    for number, weights in zip(numbers, _weights(len(numbers)), strict=True):
        if isinstance(number, int):
            fixed += weights.astype(np.uint64) * np.uint64((number + 1) & _WORD)
            fixed &= np.uint64(_WORD)
        else:
            moving.append(tf.cast(number, tf.uint32) * weights + weights)
    key = tf.constant(fixed.astype(np.uint32))
    for part in moving:
        key += part
    return Key(*tf.unstack(key))


def random_bits(key: Key, shape: Sequence[Any], first: int | Tensor = 0) -> Any:
    """Return uint32 of a shape, each number as likely as the others.

    Args:
        key: Of the draw.
        shape: Of whole numbers or scalar tensors.
        first: Place of the first number among all of the draw, default 0, so that a part of a draw is what
            the whole has there.

    Example:
        >>> whole, part = random_bits(key_of(0), (4, 3)), random_bits(key_of(0), (2, 3), first=6)
        >>> bool(tf.reduce_all(whole[2:] == part))
        True
    """
    size = tf.reduce_prod(shape) if any(map(tf.is_tensor, shape)) else math.prod(shape)
    place = tf.cast(tf.range(size), tf.uint32)
    if tf.is_tensor(first) or first:
        place += tf.cast(first, tf.uint32)
    bits = place * _word(_GOLDEN) + key.first
    for number, (shift, factor) in enumerate(_ROUNDS):
        bits = bits + key.second if number == len(_ROUNDS) - 1 else bits
        bits = _folded(bits, shift) * _word(factor)
    return tf.reshape(_folded(bits, _LAST_SHIFT), shape)


def uniform(key: Key, shape: Sequence[Any], first: int | Tensor = 0) -> Any:
    """Return float32 of a shape, from 0 to below 1 in steps of 2⁻²⁴, as `random_bits`."""
    bits = tf.bitwise.right_shift(random_bits(key, shape, first), _word(8))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-24


def normal(key: Key, shape: Sequence[Any], first: int | Tensor = 0) -> Any:
    """Return standard normal float32 of a shape, of size 5.1 at most, as `random_bits`."""
    return _normal_between(key, shape, first, -1.0, 1.0)


def truncated_normal(key: Key, shape: Sequence[Any], first: int | Tensor = 0) -> Any:
    """Return float32 as from `normal`, of size 2 at most, as `random_bits`."""
    share = math.erf(_CUT / math.sqrt(2.0))
    return _normal_between(key, shape, first, -share, share)


def integers(key: Key, shape: Sequence[Any], first: int | Tensor = 0, *, end: int) -> Any:
    """Return int32 of a shape, from 0 to below `end`, as `random_bits`.

    Example:
        >>> sorted(set(integers(key_of(0), (100,), end=3).numpy().tolist()))
        [0, 1, 2]
    """
    bits = tf.bitwise.right_shift(random_bits(key, shape, first), _word(1))
    return tf.cast(bits, tf.int32) % end


def _normal_between(key: Key, shape: Sequence[Any], first: int | Tensor, low: float, high: float) -> Any:
    """Return normal numbers whose error function, of the number by √2, lies between two."""
    bits = tf.bitwise.right_shift(random_bits(key, shape, first), _word(9))
    # In the middle of each of 2²³ steps, so that neither end, which is infinite, is met.
    share = (tf.cast(tf.cast(bits, tf.int32), tf.float32) + 0.5) * 2.0**-23
    return math.sqrt(2.0) * tf.math.erfinv(low + (high - low) * share)


def _folded(bits: Tensor, shift: int) -> Any:
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, _word(shift)))


def _word(value: int) -> Any:
    return tf.constant(value, tf.uint32)


@cache
def _weights(count: int) -> np.ndarray:
    """Return (count, 2) odd uint32 that whole numbers are multiplied by."""
    return np.random.SeedSequence(0).generate_state(2 * count).reshape(count, 2) | np.uint32(1)
