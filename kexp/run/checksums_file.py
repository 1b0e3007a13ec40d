"""checksums.jsonl of a run folder: what the state of a run was after some of its steps."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.constraints import RecordedCount
from kexp.core.files import replacing
from kexp.core.foreign_files import reading
from kexp.core.json_files import Keys, parse_json
from kexp.run.run_files import ADVICE, CHECKSUMS, FORMAT

_HEAD: Keys = {
    "layers": list[str],
    "optimizers": list[Any] | None,
    "data": dict[str, RecordedCount] | None,
}
_LINE: Keys = {
    "step": RecordedCount,
    "epoch": RecordedCount,
    "order": RecordedCount,
    "optimizer": RecordedCount,
    "random": RecordedCount,
    "loss": RecordedCount,
    "layers": list[RecordedCount],
}


@dataclass(frozen=True)
class RecordedChecksums:
    """What checksums.jsonl of a run holds.

    Attributes:
        layers: Names of the layers with weights, in the order of the model.
        optimizers: Their configs.
        data: Checksums of the arrays of the training data, by name, and of their sums over the rows.
        lines: Checksums by step.
    """

    layers: tuple[str, ...]
    optimizers: tuple[Any, ...]
    data: dict[str, int]
    lines: dict[int, dict[str, Any]]


class ChecksumsFile:
    """Keeps checksums.jsonl at the steps that the run stands at.

    Args:
        run_dir: The run folder.
        head: What is said once: the names of layers, configs of optimizers, checksums of the data.
    """

    def __init__(self, run_dir: Path, head: dict[str, Any]) -> None:
        self._path = run_dir / CHECKSUMS
        self._head = {"format": FORMAT, **head}

    def begin(self, taken: int) -> None:
        """Make the file hold lines of no later step than this one, as a continued run needs it."""
        kept = _whole_lines(self._path) if taken and self._path.is_file() else []
        # What was said first holds: rates may have changed since.
        head, lines = kept[0] if kept else self._head, [one for one in kept[1:] if one["step"] <= taken]
        with replacing(self._path) as temporary:
            text = "".join(json.dumps(one) + "\n" for one in (head, *lines))
            temporary.write_text(text, encoding="utf-8")

    def add(self, line: dict[str, Any]) -> None:
        """Add the line of a step."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines that a killed run has left, up to one that is damaged."""
    found: list[dict[str, Any]] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            content = json.loads(line)
        except ValueError:
            return found
        if not isinstance(content, dict) or (found and not isinstance(content.get("step"), int)):
            return found
        found.append(content)
    return found


def read_checksums(run_dir: Path) -> RecordedChecksums | None:
    """Return the checksums of a run that may be under way; None: it has none, as those of earlier versions.

    Raises:
        InputError: checksums.jsonl is damaged, or of a newer kexp; a last line that is half written is none.

    Example:
        >>> read_checksums(Path("no/such/run"))
    """
    path = run_dir / CHECKSUMS
    if not os.path.lexists(path):
        return None
    with reading(path, "checksums of steps", ADVICE):
        content = path.read_bytes().split(b"\n")[:-1]
    if not content:
        return None
    head = parse_json(content[0], f"file {path}, line 1", _HEAD, advice=ADVICE, newest_format=FORMAT)
    lines = {}
    for number, text in enumerate(content[1:], 2):
        line = parse_json(text, f"file {path}, line {number}", _LINE, advice=ADVICE)
        lines[line["step"]] = line
    return RecordedChecksums(
        tuple(head["layers"]), tuple(head["optimizers"] or ()), head["data"] or {}, lines
    )
