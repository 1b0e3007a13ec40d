"""Lists of names: as a sentence shows them, and as a user writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """Return names one after another, and how many more there are.

    Args:
        names: As they are shown.
        most: How many are shown, at least 1, default 5.
        separator: Between two of them.

    Example:
        >>> listed(["a", "b"]), listed(list("abcdefg"), most=2)
        ('a, b', 'a, b and 5 more')
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def named(given: str | Iterable[str] | None) -> list[str]:
    """Return names that are given in one text with commas, in several, or both, each once.

    Args:
        given: The texts; None: no name.

    Example:
        >>> named("onnx, litert"), named(["onnx,onnx", "litert"]), named(None)
        (['onnx', 'litert'], ['onnx', 'litert'], [])
    """
    texts = [given] if isinstance(given, str) else given or ()
    names = (name.strip() for text in texts for name in str(text).split(","))
    return list(dict.fromkeys(filter(None, names)))
