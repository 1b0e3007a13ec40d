"""The files of raw inputs that a caller names: files, folders of them, and the standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import require_regular_file
from kexp.core.name_lists import listed
from kexp.core.user_paths import user_path
from kexp.data.adapters import adapt_inputs, input_suffixes, read_inputs, text_column
from kexp.data.dataset import DatasetSpec, Inputs
from kexp.data.record_blocks import (
    Block,
    Columns,
    RecordFormat,
    file_blocks,
    record_format,
    stream_blocks,
)

STANDARD_INPUT = Path("-")
_AT_ONCE = 256  # images that are predicted together
_MOST_NAMED = 20  # rows that are left out


class InputFiles(NamedTuple):
    """Files of inputs, in order.

    Attributes:
        paths: The files; `STANDARD_INPUT` for that.
        skipped: How many other files the named folders have.
    """

    paths: tuple[Path, ...]
    skipped: int


@dataclass
class LeftOut:
    """What is left out since it cannot be read, or the first of it as an error.

    Attributes:
        allowed: Whether it may be left out.
        rows: Numbers of the rows by file, from 1; 0 is a file that is one sample.
        reasons: Why the first one of each file is.
    """

    allowed: bool = False
    rows: dict[str, list[int]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, row: int, reason: str) -> None:
        """Note a sample, or raise an InputError that names it."""
        if not self.allowed:
            raise InputError(f"{place}, row {row}: {reason}" if row else reason)
        self.rows.setdefault(place, []).append(row)
        self.reasons.setdefault(place, reason)

    def lines(self) -> list[str]:
        """Return a sentence for each file of which something is left out.

        Example:
            >>> left = LeftOut(allowed=True)
            >>> left.add("file a.csv", 3, "expected 2 values, received 3.")
            >>> left.lines()
            ['file a.csv: row 3 left out (expected 2 values, received 3).']
        """
        found = []
        for place, rows in self.rows.items():
            reason = self.reasons[place].rstrip(".")
            if rows == [0]:
                found.append(f"{place} left out ({reason}).")
                continue
            named = listed([f"{row:,}" for row in rows], _MOST_NAMED)
            first = "" if len(rows) == 1 else "the first: "
            found.append(f"{place}: row{'s' * (len(rows) > 1)} {named} left out ({first}{reason}).")
        return found


def input_files(named: Sequence[str | os.PathLike[str]], spec: DatasetSpec) -> InputFiles:
    """Return the files that are named, and those of named folders that such a model may take, by name.

    Args:
        named: Files and folders; hidden files of folders, and folders within them, are left out. "-" is the
            standard input.
        spec: The data that the model was made for.

    Raises:
        InputError: Nothing is named, or a folder has no such file.
    """
    if not named:
        raise InputError("inputs must be a file or a folder, or several; received none.")
    suffixes = input_suffixes(spec)
    paths: list[Path] = []
    skipped = 0
    for one in named:
        path = user_path("inputs", one)
        if not path.is_dir():
            paths.append(path)
            continue
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        taken = [file for file in files if file.name.lower().endswith(suffixes)]
        if not taken:
            raise InputError(
                f"inputs: folder {path} holds no file that such a model takes ({', '.join(suffixes)}); "
                "give a folder that does."
            )
        paths += taken
        skipped += len(files) - len(taken)
    if paths.count(STANDARD_INPUT) > 1:
        raise InputError("inputs must have the standard input, -, once; received it twice.")
    return InputFiles(tuple(paths), skipped)


def read_in_turn(
    paths: Sequence[Path],
    spec: DatasetSpec,
    left_out: LeftOut | None = None,
    stdin_format: RecordFormat | None = None,
) -> Iterator[tuple[list[str], Inputs]]:
    """Yield inputs to predict together, with the file of each: images, sounds, rows of a table, or an array.

    Args:
        paths: The files.
        spec: The data that the model was made for.
        left_out: What to do about what cannot be read; default: the first is an error.
        stdin_format: What comes in by the standard input; None: it is none of the paths.

    Raises:
        InputError: A file is none, is damaged, or is not what the model takes.
    """
    left_out = left_out or LeftOut()
    in_files = spec.kind == "image" or spec.sample_rate is not None
    if in_files and not any(path.name.lower().endswith(".npy") for path in paths):
        for start in range(0, len(paths), _AT_ONCE):
            yield from _images(paths[start : start + _AT_ONCE], spec, left_out)
        return
    for path in paths:
        kind = stdin_format if path == STANDARD_INPUT else record_format(path)
        if kind is None or spec.kind not in ("table", "text") or (kind == "txt" and spec.kind == "table"):
            inputs = read_inputs(path, spec)
            yield [str(path)] * _count(inputs), inputs
            continue
        for inputs in _rows(path, kind, spec, left_out):
            yield [str(path)] * _count(inputs), inputs


def _images(
    paths: Sequence[Path], spec: DatasetSpec, left_out: LeftOut
) -> Iterator[tuple[list[str], Inputs]]:
    """Yield the images in files, all together if they can all be read."""
    try:
        yield [str(path) for path in paths], adapt_inputs(list(paths), spec)
    except InputError as error:
        if len(paths) == 1:
            left_out.add(f"file {paths[0]}", 0, str(error))
            return
        middle = len(paths) // 2
        yield from _images(paths[:middle], spec, left_out)
        yield from _images(paths[middle:], spec, left_out)


def _rows(path: Path, kind: RecordFormat, spec: DatasetSpec, left_out: LeftOut) -> Iterator[Inputs]:
    columns = _columns(spec)
    if path == STANDARD_INPUT:
        place, blocks = "the standard input", stream_blocks(sys.stdin.buffer, kind, columns, "standard input")
    else:
        require_regular_file(path, "a table", "give one")
        place, blocks = f"file {path}", file_blocks(path, kind, columns)
    empty = True
    for block in blocks:
        empty = False
        parts = list(_adapted(block, 0, block.count, spec, partial(left_out.add, place)))
        if parts:
            yield parts[0] if len(parts) == 1 else _joined(parts)
    if empty:
        raise InputError(f"{place}: expected one row or more, received none.")


def _adapted(
    block: Block, begin: int, end: int, spec: DatasetSpec, add: Callable[[int, str], None]
) -> Iterator[Inputs]:
    """Yield the rows of a part of a block that can be read, in order; the others are found by halves."""
    try:
        yield adapt_inputs(block.read(begin, end), spec)
    except InputError as error:
        if end - begin == 1:
            add(block.first + begin, str(error).replace(" in row 1 of 1", ""))
            return
        middle = (begin + end) // 2
        yield from _adapted(block, begin, middle, spec, add)
        yield from _adapted(block, middle, end, spec, add)


def _columns(spec: DatasetSpec) -> Columns:
    if spec.kind == "text":
        column = text_column(spec)
        return Columns((column,), (), column)
    # Numbers with a comma, too: left to itself, a block of "1.000" would be ones.
    texts = [one.name for one in spec.columns if one.kind == "category" or one.decimal == ","]
    return Columns(tuple(one.name for one in spec.columns), tuple(texts))


def _joined(parts: Sequence[Inputs]) -> Any:
    if isinstance(parts[0], Mapping):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate([np.asarray(part) for part in parts])


def _count(inputs: Inputs) -> int:
    return len(inputs if not isinstance(inputs, Mapping) else next(iter(inputs.values())))
