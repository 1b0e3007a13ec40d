"""One column that gives the target away: alone it predicts what should take all of them."""

from __future__ import annotations

from typing import ClassVar

from kexp.core.name_lists import listed
from kexp.data import Dataset
from kexp.preflight.doctor.base import DataCheck, has_targets, sampled_note
from kexp.preflight.doctor.column_frames import (
    has_columns,
    is_grouping,
    is_identifier,
    predictive_share,
    training_frame,
)
from kexp.preflight.findings import Finding

_NEARLY_ALL = 0.98  # of the way from chance to perfect: an AUROC of 0.99
_NEARLY_ALL_OF_NUMBERS = 0.99


class GiveawayColumns(DataCheck):
    """A column that a shallow tree predicts the target from, by cross-validation, nearly without error."""

    name: ClassVar[str] = "one column"

    def applies(self, data: Dataset) -> bool:
        """Where there is more than one column: of a single one it is expected."""
        return has_columns(data.spec) and has_targets(data) and training_frame(data).shape[1] > 1

    def findings(self, data: Dataset) -> list[Finding]:
        frame = training_frame(data)
        # Ids and groups are the matter of other checks.
        names = [name for name in frame if not is_identifier(frame[name]) and not is_grouping(frame[name])]
        shares = {
            str(name): predictive_share(frame[name], data) for name in names if frame[name].nunique() > 1
        }
        note = sampled_note(len(data.train.targets), len(frame))
        least = _NEARLY_ALL if data.train.targets.dtype.kind in "iu" else _NEARLY_ALL_OF_NUMBERS
        told = [f"{name!r} ({words})" for name, (share, words) in shares.items() if share >= least]
        if told and len(told) <= max(1, len(names) // 2):  # where most columns tell, the task is an easy one
            text = (
                f"the target follows from {' or '.join(told) if len(told) < 3 else listed(told)} alone{note}"
            )
            advice = "leave it out unless it is known before the target is"
            return [Finding(self.name, "warning", f"{text}; {advice}.")]
        if not shares:
            return []
        best = max(shares, key=lambda name: shares[name][0])
        most = f"{best!r} tells most, {shares[best][1]}" if shares[best][0] else "none tells anything alone"
        text = f"none gives the target away; {most}{note}"
        return [Finding(self.name, "ok", f"{text}.")]
