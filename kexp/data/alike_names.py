"""Names that differ in capitals or white space alone: one thing, as a rule, that was written in two ways."""

from __future__ import annotations

from collections.abc import Iterable

from kexp.core.errors import shown
from kexp.core.name_lists import listed
from kexp.data.dataset import DatasetSpec

_MOST = 3  # that a note lists


def alike_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that differ in capitals or white space alone, together; single letters do not count.

    Example:
        >>> alike_names(["benign", "Benign", "malignant", "a", "A"])
        [('benign', 'Benign')]
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(" ".join(name.split()).casefold(), []).append(name)
    return [tuple(same) for plain, same in found.items() if len(same) > 1 and len(plain) > 1]


def alike_notes(spec: DatasetSpec) -> tuple[str, ...]:
    """Return what is to be said of classes, and of categories of a column, that are alike, sentences."""
    places = [("classes", spec.class_names)]
    places += [(f"column {shown(column.name)}: categories", column.categories) for column in spec.columns]
    return tuple(_note(place, found) for place, names in places if (found := alike_names(names)))


def _note(place: str, found: list[tuple[str, ...]]) -> str:
    pairs = listed([" and ".join(map(shown, same)) for same in found], _MOST, "; ")
    return (
        f"{place} {pairs} differ in capitals or white space alone and are kept apart; mend the data if they "
        "are one."
    )
