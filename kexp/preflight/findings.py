"""What a preflight says: a finding for each check, and an estimate of the cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kexp.core.html_tables import printed, summary, table

Status = Literal["ok", "warning", "problem"]
_MARKS = {"ok": "✓", "warning": "!", "problem": "✗"}


@dataclass(frozen=True)
class Finding:
    """What came of one check.

    Attributes:
        name: Of the check.
        status: "ok"; "warning", which may be meant so; or "problem", which spoils the run.
        message: A sentence with the numbers and, where something is to be done, what.
    """

    name: str
    status: Status
    message: str

    def __str__(self) -> str:
        return f"{_MARKS[self.status]} {self.name:<16} {self.message}"


@dataclass(frozen=True)
class CostEstimate:
    """What a run will take.

    Attributes:
        parameters: Numbers in all weights of the model.
        trainable_parameters: Those that are trained.
        state_bytes: Size of weights, optimizer slots and whatever else a checkpoint holds.
        activation_bytes: Estimated size of what the layers give for one batch, kept for the gradient;
            None where the model does not tell.
        data_bytes: Size of training and validation data, which stay on the device.
        disk_bytes: About what the run folder will take.
        step_s: Seconds of a step, measured here.
        epoch_s: Seconds of an epoch with its validation, estimated from a few steps.
        run_s: Seconds of the whole run, estimated likewise, were it not stopped early.
        epochs: Epochs of the run.
        stored_bytes: Size of training and validation data on the disk, which are read while they are needed.
    """

    parameters: int
    trainable_parameters: int
    state_bytes: int
    activation_bytes: int | None
    data_bytes: int
    disk_bytes: int
    step_s: float
    epoch_s: float
    run_s: float
    epochs: int
    stored_bytes: int = 0

    def __str__(self) -> str:
        stored = f" and {_size(self.stored_bytes)} more read from disk" if self.stored_bytes else ""
        activations = "unknown" if self.activation_bytes is None else f"about {_size(self.activation_bytes)}"
        lines = (
            ("parameters", f"{self.parameters:,}, of which {self.trainable_parameters:,} are trained"),
            (
                "memory",
                f"weights and optimizer {_size(self.state_bytes)}, data {_size(self.data_bytes)}{stored}, "
                f"activations of a batch {activations} (estimate)",
            ),
            ("disk", f"about {_size(self.disk_bytes)} in the run folder"),
            (
                "time",
                f"{_seconds(self.step_s)} a step, {_seconds(self.epoch_s)} an epoch, {_seconds(self.run_s)} "
                f"for {self.epochs} epoch{'s' * (self.epochs != 1)} (estimate from a few steps, start-up not "
                "included)",
            ),
        )
        return "\n".join(f"  {name:<16} {text}" for name, text in lines)


@dataclass(frozen=True)
class Preflight:
    """What was found out about a run before it begins; `print` it to read it.

    Attributes:
        title: What was checked.
        findings: One for each check, in order.
        cost: What the run will take; None when a problem stood in the way of measuring it.
    """

    title: str
    findings: tuple[Finding, ...]
    cost: CostEstimate | None = field(default=None)

    @property
    def ok(self) -> bool:
        """Whether no check found a problem; warnings are left to the reader."""
        return not any(finding.status == "problem" for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The finding of a check by its name."""
        return next(finding for finding in self.findings if finding.name == name)

    def __str__(self) -> str:
        cost = [] if self.cost is None else [str(self.cost)]
        return "\n".join([self.title, *map(str, self.findings), *cost])

    def _repr_html_(self) -> str:
        """What a notebook shows: a row for each check, and the cost."""
        rows = [[_MARKS[one.status], one.name, one.message] for one in self.findings]
        cost = [] if self.cost is None else [printed(self.cost)]
        return summary(self.title, {}, table(["", "check", "finding"], rows), *cost)


def _size(count: float) -> str:
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 9.95e6 else f"{count / 1e6:,.0f} MB"


def _seconds(seconds: float) -> str:
    if seconds < 0.0995:
        return f"{seconds * 1e3:.2g} ms"
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
