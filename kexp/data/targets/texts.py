"""Targets that are a text for each text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kexp.data.dataset import Kind
from kexp.data.strings import as_text
from kexp.data.targets.base import TargetKind, Targets


class Texts(TargetKind):
    """(samples,) str objects, only where the caller says so: otherwise strings are labels."""

    name: ClassVar[str] = "texts"
    task: ClassVar[str] = "text"
    input_kind: ClassVar[Kind | None] = "text"
    is_verbatim: ClassVar[bool] = True

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        return {split: as_text(f"data {name!r}: the {split} targets", y) for split, y in targets.items()}, ()

    def outputs(self, targets: np.ndarray, class_names: object) -> int:
        return 0
