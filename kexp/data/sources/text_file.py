"""A text file: one long text, which has to be cut into samples first."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from kexp.core.errors import InputError
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions


class TextFile(DataSource):
    """A book in a .txt file."""

    name: ClassVar[str] = "txt"
    description: ClassVar[str] = "one long text, for kexp.data.passages"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".txt.gz")
    gives_way: ClassVar[bool] = True

    def read(self, place: DataLocation, options: ReadOptions) -> NoReturn:
        raise one_long_text(str(place.path))


def one_long_text(name: str) -> InputError:
    """Return what to say where samples are expected and the source is a book."""
    return InputError(
        f"data {name!r} is one long text, expected samples; cut it into them with "
        f"kexp.data.passages({name!r}, context=…)."
    )
