"""Positions of steps as angles, by which the vectors of attention are turned."""

from __future__ import annotations

from typing import Any

from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor


def rotate(vectors: Tensor, start: Tensor | int = 0) -> Any:
    """Turn each pair of a vector's numbers by an angle that grows with its step (Su et al. 2021, "RoFormer").

    The dot product of two turned vectors depends on how many steps lie between them, not on where they are.

    Args:
        vectors: (batch, steps, heads, size), size even. The pairs are (0, size / 2), (1, size / 2 + 1) ….
        start: Step of the first one, default 0.

    Returns:
        (batch, steps, heads, size).
    """
    half = vectors.shape[-1] // 2
    steps = ops.cast(start + ops.arange(ops.shape(vectors)[1]), "float32")
    # In float32: half precision cannot count the steps.
    speeds = ops.exp(ops.arange(half, dtype="float32") * (-ops.log(10_000.0) / half))
    angles = (steps[:, None] * speeds)[:, None, :]  # (steps, 1, half)
    cosine, sine = (ops.cast(wave(angles), vectors.dtype) for wave in (ops.cos, ops.sin))
    first, second = vectors[..., :half], vectors[..., half:]
    return ops.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1)


def check_width(width: int, heads: int, rotary: bool) -> None:
    """Raise an InputError if a width cannot be shared among the heads, or a share not turned in pairs."""
    if width % heads:
        raise InputError(f"width must be a multiple of heads, {heads}; received {width}.")
    if rotary and width // heads % 2:
        raise InputError(
            f"width / heads must be even for rotary positions; received {width} / {heads} = {width // heads}."
        )
