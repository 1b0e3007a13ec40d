"""Targets that are a text for each sound."""

from __future__ import annotations

from typing import ClassVar

from kexp.data.dataset import Kind
from kexp.data.targets.texts import Texts


class Transcripts(Texts):
    """(samples,) str objects, only where the caller or the source says so: otherwise strings are labels."""

    name: ClassVar[str] = "transcripts"
    task: ClassVar[str] = "transcription"
    input_kind: ClassVar[Kind | None] = "series"
