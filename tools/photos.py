"""Write 140 photos of five classes, from a Debian package, into class folders.

python tools/photos.py DIR [PACKAGE.deb]

They are pictures of GCompris's game of categories: tools, renewable energy, fishes, monuments and others.
Package gcompris-qt-data 3.1, licences GPL-3.0-or-later and Creative Commons by picture, see its `copyright`
file; nothing of it is part of this project. Needs `apt-get` and `dpkg-deb`, or the package and `dpkg-deb`.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path

from debian_package import unpacked

PACKAGE = "gcompris-qt-data"
RESOURCES = "usr/share/gcompris-qt/rcc/categorization.rcc"
IMAGES = "resource/images/"
CLASSES = ("fishes", "monuments", "others", "renewable", "tools")
_DIRECTORY = 2  # flag of an entry


def write_photos(directory: Path, package: Path | None = None) -> int:
    """Write the photos into a folder for each class, and return how many there are.

    Args:
        directory: New or empty.
        package: The Debian package; None: `apt-get download` fetches it.
    """
    with unpacked(PACKAGE, package) as files:
        content = (files / RESOURCES).read_bytes()
    count = 0
    for path, file in _files(content):
        kind, _, name = path.partition(IMAGES)[2].partition("/")
        if kind in CLASSES and name.endswith(".webp") and "/" not in name:
            (directory / kind).mkdir(parents=True, exist_ok=True)
            (directory / kind / name).write_bytes(file)
            count += 1
    return count


def _files(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of each file of Qt's binary resources that is not compressed.

    Source: https://doc.qt.io/qt-6/resources.html and rcc's own writer, format version 1 to 3.
    """
    magic, version, tree, data, names = struct.unpack(">4s4I", content[:20])
    if magic != b"qres":
        raise SystemExit("not a file of Qt resources")
    entry_bytes = 14 if version < 2 else 22

    def name(offset: int) -> str:
        (length,) = struct.unpack_from(">H", content, names + offset)
        start = names + offset + 6
        return content[start : start + 2 * length].decode("utf-16-be")

    def below(number: int, path: str) -> Iterator[tuple[str, bytes]]:
        name_offset, flags, first, second = struct.unpack_from(">IHII", content, tree + number * entry_bytes)
        path = f"{path}/{name(name_offset)}" if number else path
        if flags & _DIRECTORY:
            for child in range(second, second + first):
                yield from below(child, path)
        elif not flags:
            # Four bytes of territory and language stand where a folder has how many entries it has.
            (length,) = struct.unpack_from(">I", content, data + second)
            start = data + second + 4
            yield path, content[start : start + length]

    yield from below(0, "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("package", type=Path, nargs="?")
    asked = parser.parse_args()
    print(f"{write_photos(asked.directory, asked.package)} photos in {asked.directory}")
