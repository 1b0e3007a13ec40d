"""The files of raw inputs that a caller names: files, and folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kexp.core.errors import InputError
from kexp.core.user_paths import user_path
from kexp.data.adapters import adapt_inputs, input_suffixes, read_inputs
from kexp.data.dataset import DatasetSpec, Inputs

_AT_ONCE = 256  # images that are predicted together


class InputFiles(NamedTuple):
    """Files of inputs, in order.

    Attributes:
        paths: The files.
        skipped: How many other files the named folders have.
    """

    paths: tuple[Path, ...]
    skipped: int


def input_files(named: Sequence[str | os.PathLike[str]], spec: DatasetSpec) -> InputFiles:
    """Return the files that are named, and those of named folders that such a model may take, by name.

    Args:
        named: Files and folders; hidden files of folders, and folders within them, are left out.
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
    return InputFiles(tuple(paths), skipped)


def read_in_turn(paths: Sequence[Path], spec: DatasetSpec) -> Iterator[tuple[list[str], Inputs]]:
    """Yield inputs to predict together, with the file of each sample: many images, or one file of others.

    Args:
        paths: The files.
        spec: The data that the model was made for.

    Raises:
        InputError: A file is none, is damaged, or is not what the model takes.
    """
    images = spec.kind == "image" and not any(path.name.lower().endswith(".npy") for path in paths)
    for start in range(0, len(paths), _AT_ONCE if images else 1):
        some = paths[start : start + _AT_ONCE] if images else paths[start : start + 1]
        inputs = adapt_inputs(list(some), spec) if images else read_inputs(some[0], spec)
        yield _files(some, inputs), inputs


def _files(some: Sequence[Path], inputs: Inputs) -> list[str]:
    if len(some) > 1:
        return [str(path) for path in some]
    arrays = inputs if not hasattr(inputs, "values") else next(iter(inputs.values()))
    return [str(some[0])] * len(arrays)
