"""The layers of a run's models, with the shapes and numbers of their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kexp.report.html import folded, heading, short, table
from kexp.report.reported import ReportedRun
from kexp.run.run_files import read_architecture

ORDER = 220
_MOST = 300  # rows


def applies(run: ReportedRun) -> bool:
    """True for a run that recorded its architecture, as all do since kexp 0.1.0."""
    return read_architecture(run.folder) is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    architecture = read_architecture(run.folder)
    assert architecture is not None
    parts = [_folded(name, layers) for name, layers in architecture["models"].items()]
    return f"<section>{heading('Layers')}{''.join(parts)}</section>"


def _folded(name: str, layers: Sequence[Mapping[str, Any]]) -> str:
    rows = [_row(layer) for layer in layers[:_MOST]]
    numbers = sum(_numbers(layer) for layer in layers)
    fewer = f", of which the first {_MOST} are listed" if len(layers) > _MOST else ""
    count = f"{len(layers):,} entries{fewer}" if len(layers) != 1 else "1 entry"
    content = table(["layer", "name", "weights", "numbers"], rows)
    return folded(f"{name.replace('_', ' ')}: {count}, {numbers:,} numbers", content)


def _row(layer: Mapping[str, Any]) -> list[object]:
    """Return the cells of a layer; what is inside of another stands further in."""
    kind = str(layer["class"]).rpartition(".")[2]
    shapes = ", ".join(" × ".join(map(str, shape)) or "1" for shape in layer["weights"])
    inset = "\N{NO-BREAK SPACE}" * 3 * min(layer["depth"], 8)
    return [inset + short(kind, 60), short(layer["name"] or "", 60), shapes, _numbers(layer)]


def _numbers(layer: Mapping[str, Any]) -> int:
    return sum(math.prod(shape) for shape in layer["weights"])
