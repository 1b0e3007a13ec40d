"""Names of metrics that the files here state: of those that rise, of those that are shares, and so on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["names_within", "stated_names"]

_TURNED = frozenset(("anti", "inverse", "minus", "neg", "negative", "no", "non", "not"))  # "one_minus_auc"


@cache
def stated_names(constant: str) -> tuple[str, ...]:
    """Return what the files of kexp.metrics say of their metrics; some import Keras, so they are read.

    Args:
        constant: Of a file's top level, a tuple of names.

    Example:
        >>> "auroc" in stated_names("KNOWN_HIGHER")
        True
    """
    words: list[str] = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant:
                words += _words(node.value)
    return tuple(words)


def names_within(metric: str, names: frozenset[str]) -> set[str]:
    """Return which names stand in the name of a metric as whole words, and are not turned round there.

    Args:
        metric: Its name, with or without a prefix.
        names: Such as those that `stated_names` gives.

    Example:
        >>> names = frozenset(["auroc", "roc"])
        >>> names_within("val_AUROC", names), names_within("one_minus_auroc", names)
        ({'auroc'}, set())
    """
    words = metric.lower().split("_")
    ends = range(1, len(words) + 1)
    runs = {"_".join(words[first:end]) for first in range(len(words)) for end in ends if first < end}
    found = names & runs
    if _TURNED.isdisjoint(words):
        return set(found)
    return {name for name in found if not _TURNED.isdisjoint(name.split("_"))}  # whose own word it is


def _words(node: ast.expr) -> Iterator[str]:
    """Yield the words of a tuple, which may have rows of others."""
    for entry in getattr(node, "elts", ()):
        yield from _words(entry.value) if isinstance(entry, ast.Starred) else [ast.literal_eval(entry)]
