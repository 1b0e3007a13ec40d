"""Tensors from the bytes of a file, by the name of their type."""

from __future__ import annotations

import numpy as np

BFLOAT16 = "bfloat16"


def item_size(dtype: str) -> int:
    """Return the bytes that a number takes in a file.

    Args:
        dtype: NumPy's name of a type in little-endian order, or "bfloat16".

    Example:
        >>> item_size("<f4"), item_size("bfloat16")
        (4, 2)
    """
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


def numbers_in(content: bytes | memoryview, dtype: str) -> np.ndarray:
    """Return the numbers that bytes hold, read-only where they need no conversion.

    Args:
        content: A whole count of numbers.
        dtype: As of `item_size`. What NumPy has no type for, "bfloat16", becomes float32, which holds it
            exactly.

    Returns:
        (numbers,) of the type.

    Example:
        >>> numbers_in(bytes.fromhex("803f00c0"), "bfloat16").tolist()
        [1.0, -2.0]
    """
    if dtype != BFLOAT16:
        return np.frombuffer(content, dtype)
    return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
