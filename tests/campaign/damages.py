"""Ways to damage a file, and what is expected of whoever reads it then."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kexp.core.errors import InputError

Damage = Callable[[Path], object]


def replaced_by(content: bytes | str) -> Damage:
    """Return a damage that puts something else in a file's place."""
    raw = content.encode() if isinstance(content, str) else content

    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)  # a copy may share its content with the original
        path.write_bytes(raw)

    return damage


def changed(change: Callable[[bytes], bytes]) -> Damage:
    """Return a damage that changes what is in a file."""
    return lambda path: replaced_by(change(path.read_bytes()))(path)


def with_keys(changes: dict[str, Any]) -> Damage:
    """Return a damage that puts other values at keys of a JSON file, "a.b" within a; `...` removes one."""

    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        for place, value in changes.items():
            *outer, last = place.split(".")
            inner = content
            for name in outer:
                inner = inner[name]
            if value is ...:
                del inner[last]
            else:
                inner[last] = value
        replaced_by(json.dumps(content))(path)

    return damage


def flip_in_the_middle(content: bytes) -> bytes:
    """Return bytes with one bit in their middle turned."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def a_circular_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def zip_of(path: Path, members: dict[str, bytes]) -> None:
    """Write a zip archive in a file's place."""
    path.unlink(missing_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def copy_of(folder: Path, place: Path) -> Path:
    """Return a copy of a folder whose files are to be replaced, not written into: they are links."""
    return Path(shutil.copytree(folder, place, copy_function=os.link))


@contextmanager
def refused(*words: str) -> Iterator[None]:
    """Expect an InputError of one sentence with these words, in this order."""
    with pytest.raises(InputError) as raised:
        yield
    said = str(raised.value)
    assert "\n" not in said
    assert said.endswith(".")
    places = [said.find(word) for word in words]
    assert -1 not in places, f"{words} in {said!r}"
    assert places == sorted(places), f"{words} in {said!r}"


TEXTS: dict[str, Damage] = {
    "empty": replaced_by(""),
    "cut": changed(lambda content: content[: len(content) // 2]),
    "null": replaced_by("null"),
    "a list": replaced_by("[]"),
    "a number": replaced_by("3"),
    "an empty object": replaced_by("{}"),
    "not UTF-8": replaced_by(b'{"a": "\xff"}'),
    "UTF-16": changed(lambda content: content.decode().encode("utf-16")),
    "nested deep": replaced_by("[" * 100_000),
    "nested deep within": replaced_by('{"a": ' * 100_000),
    "a number of 5000 digits": replaced_by('{"a": ' + "9" * 5000 + "}"),
    "zeros": changed(lambda content: bytes(len(content))),
    "missing": lambda path: path.unlink(),
    "a folder": a_folder,
    "a pipe": a_pipe,
    "a circular link": a_circular_link,
}
