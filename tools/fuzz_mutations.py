"""How tools/fuzz.py damages a file: bytes anywhere, and, where there are checksums, with those put right."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
_WORDS = (
    b"1e999",
    b"-1",
    b"nan",
    b"1" * 500,
    b'"',
    b",",
    b"\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"",
    b"None",
)
_VALUES = (
    None,
    [],
    {},
    "",
    -1,
    0,
    2**70,
    10**400,
    1e308,
    True,
    "x" * 300,
    "\ud800",
    "../../etc",
    [[]],
    {"a": 1},
)


def damaged(content: bytes, name: str, draw: random.Random) -> bytes:
    """Return content that differs from a file's in one to four places.

    Args:
        content: Of a valid file.
        name: Of the file, whose end says what checksums it has.
        draw: Where randomness is from.
    """
    inner = [mutate for suffixes, mutate in _INNER if name.endswith(suffixes)]
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        inside = inner and draw.random() < 0.7
        try:
            content = inner[0](content, draw) if inside else draw.choice(_ANYWHERE)(content, draw)
        except Exception:  # too damaged already to be taken apart
            content = draw.choice(_ANYWHERE)(content, draw)
    return content


def _place(content: bytes, draw: random.Random) -> int:
    """Return a place, more often one near the beginning or the end, where headers and tables are."""
    if not content:
        return 0
    near = min(len(content), 200)
    return draw.choice(
        (draw.randrange(len(content)), draw.randrange(near), len(content) - 1 - draw.randrange(near))
    )


def _flip(content: bytes, draw: random.Random) -> bytes:
    at, changed = _place(content, draw), bytearray(content)
    if changed:
        changed[at] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: _place(content, draw)]


def _splice(content: bytes, draw: random.Random) -> bytes:
    start, end, at = (_place(content, draw) for _ in range(3))
    return content[:at] + content[min(start, end) : max(start, end)] + content[at:]


def _remove(content: bytes, draw: random.Random) -> bytes:
    at = _place(content, draw)
    return content[:at] + content[at + draw.randrange(1, 64) :]


def _fill(content: bytes, draw: random.Random) -> bytes:
    at, count = _place(content, draw), draw.choice((1, 2, 4, 16, 256))
    return content[:at] + bytes([draw.choice((0, 255, 0x41))]) * count + content[at + count :]


def _number(content: bytes, draw: random.Random) -> bytes:
    """Put an extreme number where the length of something may stand."""
    at, size = _place(content, draw), draw.choice((1, 2, 4, 8))
    number = draw.choice(_EXTREMES) & (2 ** (8 * size) - 1)
    return content[:at] + number.to_bytes(size, draw.choice(("little", "big"))) + content[at + size :]


def _word(content: bytes, draw: random.Random) -> bytes:
    at = _place(content, draw)
    return content[:at] + draw.choice(_WORDS) + content[at + draw.randrange(4) :]


_ANYWHERE: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _splice,
    _remove,
    _fill,
    _number,
    _word,
)


def _in_gzip(content: bytes, draw: random.Random) -> bytes:
    return gzip.compress(draw.choice(_ANYWHERE)(gzip.decompress(content), draw), 1)


def _in_zip(content: bytes, draw: random.Random) -> bytes:
    """Damage a member of an archive, or which there are, so that every checksum is right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    if not members:
        return content
    chosen = draw.randrange(len(members))
    name, held = members[chosen]
    kind = draw.random()
    if kind < 0.8:
        members[chosen] = (name, damaged(held, name, draw))
    elif kind < 0.9:
        members.pop(chosen)
    else:
        other = draw.choice(
            (".npy", "../x.npy", name.removesuffix(".npy"), "x_test.npy", "\u00e9", name + "/")
        )
        members[chosen] = (other, held)
    whole = io.BytesIO()
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, held in members:
            archive.writestr(name, held)
    return whole.getvalue()


def _in_png(content: bytes, draw: random.Random) -> bytes:
    """Damage a chunk of a PNG file and put its checksum right."""
    at, chunks = 8, []
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return content
    chosen = draw.randrange(len(chunks))
    kind, held = chunks[chosen]
    if kind == b"IDAT" and draw.random() < 0.5:
        held = zlib.compress(draw.choice(_ANYWHERE)(zlib.decompress(held), draw))
    else:
        held = draw.choice(_ANYWHERE)(held, draw)
    chunks[chosen] = (kind, held)
    packed = [
        len(held).to_bytes(4, "big") + kind + held + zlib.crc32(kind + held).to_bytes(4, "big")
        for kind, held in chunks
    ]
    return content[:8] + b"".join(packed)


def _in_json(content: bytes, draw: random.Random) -> bytes:
    """Replace or remove a value anywhere in a JSON text, of one line or of a line for each."""
    lines = content.decode().splitlines() or [""]
    single = content.lstrip()[:1] in b"{[" and len(lines) > 1 and lines[0].strip() in ("{", "[")
    chosen = 0 if single else draw.randrange(len(lines))
    parsed = json.loads(content if single else lines[chosen])
    places = list(_places(parsed))
    if not places or draw.random() < 0.05:
        parsed = draw.choice(_VALUES)
    else:
        inside, key = draw.choice(places)
        if draw.random() < 0.25:
            del inside[key]
        else:
            inside[key] = draw.choice(_VALUES)
    text = json.dumps(parsed)
    return (text if single else "\n".join([*lines[:chosen], text, *lines[chosen + 1 :]])).encode()


def _places(parsed: Any) -> Any:
    """Yield every object or list in JSON with each of its keys."""
    keys = (
        list(parsed) if isinstance(parsed, dict) else range(len(parsed)) if isinstance(parsed, list) else ()
    )
    for key in keys:
        yield parsed, key
        yield from _places(parsed[key])


_INNER: tuple[tuple[tuple[str, ...], Callable[[bytes, random.Random], bytes]], ...] = (
    ((".gz",), _in_gzip),
    ((".npz", ".keras", ".zip"), _in_zip),
    ((".png",), _in_png),
    ((".json", ".jsonl"), _in_json),
)
