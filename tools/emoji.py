"""Write drawings of emoji with their names, of several vendors, as tables of paths and texts.

python tools/emoji.py DIR [--packages FOLDER] [--size 32]

    DIR/known/train.csv       two drawings of each name or more
    DIR/known/validation.csv  a third one of a third of the names
    DIR/known/test.csv        a third one of the others
    DIR/other/drawings.csv    the drawings of a vendor of whom none is trained on

with the columns path, name, group (of Unicode) and vendor. Of people there is one drawing each, without the
variants of their skin and sex, which would give one another away; so would drawings that two vendors share,
of which one is kept. Flags and symbols, which all draw alike, are left out.

The drawings come from packages of npm, which has to be there, or are in FOLDER as `npm pack` writes them:
emoji-datasource-google (Noto, Apache-2.0, of 2024, and the blobs of 2016), @lobehub/fluent-emoji-3d (Fluent,
MIT) and emoji-datasource-twitter (Twemoji, CC BY 4.0, the other vendor). None of them is part of this
project but those that `--embed FILE` writes, for kexp/data/samples/emoji.npz: Noto, blobs and Twemoji.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

PACKAGES = {
    "noto": ("emoji-datasource-google@16.0.0", "img/google/64/{}.png"),
    "blob": ("emoji-datasource-google@3.0.0", "img/google/64/{}.png"),
    "fluent": ("@lobehub/fluent-emoji-3d@1.1.0", "assets/{}.webp"),
    "twemoji": ("emoji-datasource-twitter@16.0.0", "img/twitter/64/{}.png"),
}
OTHER = "twemoji"
LEFT_OUT = ("Component", "Flags", "Symbols")
EMBEDDED = ("Animals & Nature", "Food & Drink")
EMBEDDED_COLOURS = 16
LEAST_DIFFERENCE = 12.0  # of 255, in the mean over pixels and colours, of two drawings that are not one


class Drawing(NamedTuple):
    """A drawing.

    Attributes:
        vendor: Who drew it.
        name: Its name of Unicode, in small letters.
        group: What Unicode counts it among.
        pixels: (size, size, 3) uint8, on white.
    """

    vendor: str
    name: str
    group: str
    pixels: np.ndarray


def read_drawings(packages: Path, size: int) -> list[Drawing]:
    """Return the drawings of all vendors, by name; of those that two share, that of the first alone.

    Args:
        packages: Folder with the packages.
        size: Pixels of a side.
    """
    drawings = []
    with ExitStack() as stack:
        archives = {
            vendor: stack.enter_context(tarfile.open(_fetched(package, packages)))
            for vendor, (package, _) in PACKAGES.items()
        }
        members = {vendor: set(archive.getnames()) for vendor, archive in archives.items()}
        for entry in sorted(
            json.loads(_read(archives["noto"], "emoji.json")), key=lambda one: one["sort_order"]
        ):
            plain = entry["unified"].lower().replace("-fe0f", "")
            if entry["category"] in LEFT_OUT or "-" in plain:
                continue  # a sequence is a variant of its first
            kept: list[Drawing] = []
            for vendor, (_, pattern) in PACKAGES.items():
                paths = [pattern.format(code) for code in (entry["unified"].lower(), plain)]
                there = [path for path in paths if f"package/{path}" in members[vendor]]
                if there:
                    pixels = _on_white(_read(archives[vendor], there[0]), size)
                    if all(_differs(pixels, one.pixels) for one in kept):
                        kept.append(Drawing(vendor, entry["name"].lower(), entry["category"], pixels))
            drawings += kept
    return drawings


def _differs(one: np.ndarray, other: np.ndarray) -> bool:
    return float(np.abs(one.astype(float) - other).mean()) >= LEAST_DIFFERENCE


def _on_white(content: bytes, size: int) -> np.ndarray:
    image = Image.open(io.BytesIO(content)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.asarray(white.convert("RGB").resize((size, size), Image.Resampling.BOX))


def _read(archive: tarfile.TarFile, path: str) -> bytes:
    found = archive.extractfile(f"package/{path}")
    assert found is not None
    return found.read()


def _fetched(package: str, folder: Path) -> Path:
    """Return the archive of a package, which npm fetches unless it is there."""
    name, _, version = package.rpartition("@")
    path = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
    return path


def divided(drawings: Sequence[Drawing], seed: int = 0) -> dict[str, list[Drawing]]:
    """Return the drawings by part: of each name with three or more one is not trained on.

    Args:
        drawings: In the order of their names.
        seed: By which it is drawn which one, and whether it is for validation or test.
    """
    random = np.random.RandomState(seed)  # whose numbers NumPy keeps the same in every version
    parts: dict[str, list[Drawing]] = {"train": [], "validation": [], "test": []}
    for same in _by_name(drawings):
        held, part = random.randint(len(same)), "test" if random.randint(3) else "validation"
        for number, drawing in enumerate(same):
            parts[part if number == held and len(same) > 2 else "train"].append(drawing)
    return parts


def _by_name(drawings: Sequence[Drawing]) -> Iterator[list[Drawing]]:
    names: dict[str, list[Drawing]] = {}
    for drawing in drawings:
        names.setdefault(drawing.name, []).append(drawing)
    yield from names.values()


def write_tables(folder: Path, drawings: Sequence[Drawing]) -> dict[str, int]:
    """Write the drawings and their tables, and return how many are in each."""
    parts = {
        f"known/{part}": some for part, some in divided([o for o in drawings if o.vendor != OTHER]).items()
    }
    known = {drawing.name for drawing in parts["known/train"]}
    parts["other/drawings"] = [one for one in drawings if one.vendor == OTHER and one.name in known]
    for part, some in parts.items():
        place = folder / part.partition("/")[0]
        rows = [_written(place, drawing) for drawing in some]
        with open(folder / f"{part}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "name", "group", "vendor"])
            writer.writerows(rows)
    return {part: len(some) for part, some in parts.items()}


def _written(place: Path, drawing: Drawing) -> tuple[str, str, str, str]:
    path = Path(drawing.vendor) / f"{drawing.name.replace(' ', '_').replace('/', '-')}.png"
    (place / drawing.vendor).mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawing.pixels).save(place / path)
    return str(path), drawing.name, drawing.group, drawing.vendor


def embed(path: Path, drawings: Sequence[Drawing]) -> Mapping[str, np.ndarray]:
    """Write what is embedded in kexp: animals and food that are there three times, in few colours."""
    wanted = [one for one in drawings if one.group in EMBEDDED and one.vendor != "fluent"]
    three = [one for same in _by_name(wanted) if len(same) == len(PACKAGES) - 1 for one in same]
    arrays = {}
    for part, some in divided(three).items():
        images = [Image.fromarray(one.pixels).quantize(EMBEDDED_COLOURS).convert("RGB") for one in some]
        arrays[f"x_{part}"] = np.stack([np.asarray(image) for image in images])
        arrays[f"y_{part}"] = np.array([one.name for one in some])
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return arrays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--embed", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = read_drawings(asked.packages or Path(temporary), asked.size)
    if asked.directory:
        print(write_tables(asked.directory, found))
    if asked.embed:
        print({name: array.shape for name, array in embed(asked.embed, found).items()})
