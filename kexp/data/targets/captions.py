"""Targets that are a text for each image."""

from __future__ import annotations

from typing import ClassVar

from kexp.data.dataset import Kind
from kexp.data.targets.texts import Texts


class Captions(Texts):
    """(samples,) str objects, only where the caller or the source says so: otherwise strings are labels."""

    name: ClassVar[str] = "captions"
    task: ClassVar[str] = "retrieval"
    input_kind: ClassVar[Kind | None] = "image"
