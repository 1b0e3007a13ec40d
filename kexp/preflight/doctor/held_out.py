"""Rows that are held out, without which no figure says how well new data is predicted."""

from __future__ import annotations

from typing import ClassVar

from kexp.data import Dataset
from kexp.preflight.doctor.base import DataCheck, has_targets, other_parts
from kexp.preflight.findings import Finding


class HeldOut(DataCheck):
    """A part, validation or test, that training does not see."""

    name: ClassVar[str] = "held out"

    def applies(self, data: Dataset) -> bool:
        """Where there is something to predict and no part to measure it on."""
        return has_targets(data) and not list(other_parts(data))

    def findings(self, data: Dataset) -> list[Finding]:
        text = "no row is held out, so every metric is of rows that were trained on"
        return [Finding(self.name, "warning", f"{text}; give validation=0.1, and a test part.")]
