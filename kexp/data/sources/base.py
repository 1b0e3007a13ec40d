"""The base of all sources: where data lie or what holds them, and how they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kexp.core.constraints import Resize
from kexp.core.errors import InputError
from kexp.core.user_paths import user_path
from kexp.data.audio_arguments import AudioOptions
from kexp.data.dataset import Source
from kexp.data.sources.image_resizing import Resizing, Size
from kexp.data.table_options import TableOptions

_FOLDER_VARIABLE = "KEXP_DATA_DIR"

Target = str | tuple[str, ...]  # a column, or several


@dataclass(frozen=True)
class DataLocation:
    """Where a data set is, and in which form.

    Attributes:
        name: Of the data set.
        form: Name of the source that reads it.
        path: File or folder; of no account where the name says all.
    """

    name: str
    form: str
    path: Path


@dataclass(frozen=True)
class ReadOptions:
    """How data are to be read, as `kexp.data.load` takes it.

    Attributes:
        target: Column to predict, or several.
        text: Column that is the only input.
        task: What the targets are for; None: whatever they are.
        image_size: (height, width) in pixels to resize images to; None: as they are.
        separator: What stands between several labels in the target column; None: it has one for each row.
        table: How tables are read.
        in_memory: Whether samples are held in memory, rather than on the disk; None: if they fit.
        resize: How images of another shape come to `image_size`; None: they are stretched.
        audio: How sounds are read.
        image: Column with the paths of images.
    """

    target: Target | None = None
    text: str | None = None
    task: str | None = None
    image_size: Size | None = None
    separator: str | None = None
    table: TableOptions = field(default_factory=TableOptions)
    in_memory: bool | None = None
    resize: Resize | None = None
    audio: AudioOptions = field(default_factory=AudioOptions)
    image: str | None = None

    @property
    def file_column(self) -> tuple[str, str] | None:
        """The argument that names a column of paths, and that column; None where there is none."""
        named = (("audio", self.audio.audio), ("image", self.image))
        return next(((argument, column) for argument, column in named if column is not None), None)

    @property
    def resizing(self) -> Resizing | None:
        """How images come to one size; None: as they are."""
        return Resizing(self.image_size, self.resize or "stretch") if self.image_size else None


class DataSource:
    """A form that data come in: a file, a folder, a name or an object in memory.

    Nothing heavy is imported before something is read.

    Attributes:
        name: Of the form.
        description: Of data in KEXP_DATA_DIR that have it, for lists.
        suffixes: What the names of such files end in, in lower case.
        folder_noun: What such a folder holds, for messages; empty for no folder.
        has_columns: Data are columns, of which one is the target, so that names of columns mean something.
        gives_way: A name that is a built-in data set's too means that one rather than a file of this form.
        is_stored: What does not fit into memory is read from disk while it is trained on.
        asked_last: Of a folder, or an object in memory, that is of several forms, another counts.
    """

    name: ClassVar[str]
    description: ClassVar[str] = ""
    suffixes: ClassVar[tuple[str, ...]] = ()
    folder_noun: ClassVar[str] = ""
    has_columns: ClassVar[bool] = False
    gives_way: ClassVar[bool] = False
    is_stored: ClassVar[bool] = False
    asked_last: ClassVar[bool] = False

    def names(self) -> dict[str, str]:
        """Return the names that are always known, with a line about each."""
        return {}

    def holds(self, folder: Path) -> bool:
        """Return whether a folder, which exists, is of this form.

        Raises:
            InputError: It is, but it has to be said which of its data is meant.
        """
        return False

    def find(self, name: str) -> Path | None:
        """Return where data of a name that is no path lie in a place that this source alone knows."""
        return None

    def accepts(self, value: object) -> bool:
        """Return whether this source reads an object in memory."""
        return False

    def separates(self, origin: Any, table: TableOptions) -> bool:
        """Return whether the separator of options stands between the columns of a file.

        Args:
            origin: The location that will be read, or the object in memory.
            table: How tables are read.
        """
        return False

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        """Read data that were located.

        Raises:
            InputError: They are damaged, or cannot be used as they are.
        """
        raise NotImplementedError

    def take(self, value: Any, options: ReadOptions) -> Source:
        """Read an object in memory that this source accepts.

        Raises:
            InputError: It cannot be used as it is.
        """
        raise NotImplementedError


def data_dir() -> Path | None:
    """The folder that the environment variable KEXP_DATA_DIR names, if it is set; it need not be there yet.

    Raises:
        InputError: There is something else than a folder that can be read.
    """
    value = os.environ.get(_FOLDER_VARIABLE)
    if not value:
        return None
    folder = user_path(_FOLDER_VARIABLE, value)
    if folder.exists() and not (folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)):
        raise InputError(
            f"{_FOLDER_VARIABLE} must be a folder with data sets that can be read; received {value!r}, which "
            "is none, so name another one or unset the variable."
        )
    return folder
