"""Likely causes of a difference between two runs: what is recorded of them, weighed by what differs first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kexp.comparison.recorded_run import (
    FactDifference,
    RecordedRun,
    argument_differences,
    environment_differences,
    flat_differences,
)
from kexp.run.architecture_change import model_change

Kind = Literal[
    "seed",
    "initial weights",
    "data",
    "labels",
    "data order",
    "random draw",
    "optimizer",
    "op",
    "argument",
    "version",
    "computation",
    "hardware",
    "code",
    "unknown",
]
_OPTIMIZER = (
    *("optimizer", "learning_rate", "momentum", "weight_decay", "schedule", "warmup", "clip_norm"),
    *("clip_value", "ema", "swa", "compiled.optimizer", "scale_by_replicas"),
)
_ORDER = (
    *("batch_size", "accumulate", "validation", "validation_split", "split", "shuffle", "overfit_batches"),
    *("epochs_shuffle", "epochs_steps", "epochs_first"),
)
# Which is looked at first where nothing says that another one comes before it.
_ORDER_OF_KINDS: tuple[Kind, ...] = (
    *("data order", "labels", "data", "seed", "op", "optimizer", "argument", "random draw"),
    *("initial weights", "version", "computation", "hardware", "code", "unknown"),
)


@dataclass(frozen=True)
class Cause:
    """What two runs may differ by.

    Attributes:
        kind: What sort of cause it is.
        text: What speaks for it.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class FirstLines:
    """Checksums of two runs after the first step at which they differ.

    Attributes:
        step: The step, 0 before the first.
        first: Of the first run.
        other: Of the other.
        layers: Names of the layers of the first run.
        random: Whether random states differed then or at the beginning.
    """

    step: int
    first: Mapping[str, Any]
    other: Mapping[str, Any]
    layers: tuple[str, ...]
    random: bool

    def differs(self, name: str) -> bool:
        """Return whether one of the checksums, "order", "loss" or "optimizer", differs."""
        return bool(self.first[name] != self.other[name])

    @property
    def changed_layers(self) -> tuple[str, ...]:
        """The layers whose weights differ, in the order of the model."""
        pairs = zip(self.layers, self.first["layers"], self.other["layers"], strict=False)
        return tuple(name for name, one, two in pairs if one != two)


def causes(first: RecordedRun, other: RecordedRun, lines: FirstLines | None) -> tuple[Cause, ...]:
    """Return the causes that the records of two runs speak for, the likeliest first.

    Args:
        first: A run.
        other: Another one.
        lines: Where they differ first; None where that is not known.
    """
    found = [
        *_of_data(first, other),
        *_of_arguments(argument_differences(first, other), scheduled=_is_scheduled(first)),
        *_of_optimizers(first, other),
        *_of_models(first, other),
        *_of_environment(environment_differences(first, other)),
    ]
    if lines is not None:
        found += _of_lines(lines, found)
    if not found:
        text = (
            "nothing that is recorded differs; what remains is code outside of the model's layers, "
            "callbacks, and operations that do not give the same twice"
        )
        found = [Cause("unknown", text)]
    first_ones = _weight(lines)
    return tuple(sorted(found, key=lambda cause: first_ones.index(cause.kind)))


def _weight(lines: FirstLines | None) -> list[Kind]:
    """Return kinds of causes, the likeliest first, by what differs at the first step that does."""
    kinds = list(_ORDER_OF_KINDS)
    if lines is None:
        return kinds
    if lines.step == 0:
        early: tuple[Kind, ...] = ("seed", "op", "argument", "initial weights")
        return [*early, *(kind for kind in kinds if kind not in early)]
    if lines.differs("order"):
        early = ("data order", "seed", "data", "labels")
    elif lines.differs("loss"):
        # What an optimizer does comes after the loss of its first step.
        kinds = [kind for kind in kinds if kind != "optimizer"]
        kinds.insert(kinds.index("random draw") + 1, "optimizer")
        early = ()
    else:
        early = ("optimizer",)
    return [*early, *(kind for kind in kinds if kind not in early)]


def _of_data(first: RecordedRun, other: RecordedRun) -> list[Cause]:
    if first.data["fingerprint"] == other.data["fingerprint"]:
        return []
    prints = " and ".join(f"{run.data['name']} ({run.data['fingerprint'][:8]})" for run in (first, other))
    sums = [run.checksums.data if run.checksums is not None else {} for run in (first, other)]

    def same(name: str) -> bool | None:
        return sums[0][name] == sums[1][name] if all(name in one for one in sums) else None

    if same("targets") is False and same("targets sum") and same("inputs sum") in (True, None):
        return [Cause("data order", f"the training data have the same rows in another order: {prints}")]
    if same("targets") is False and same("inputs"):
        return [Cause("labels", f"targets of the training data differ, and their inputs do not: {prints}")]
    if same("targets") and same("inputs") is False:
        return [Cause("data", f"inputs of the training data differ, and their targets do not: {prints}")]
    if same("targets") and same("inputs"):
        return [Cause("data", f"validation or test data differ, and the training data do not: {prints}")]
    return [Cause("data", f"the data differ: {prints}")]


def _is_scheduled(run: RecordedRun) -> bool:
    """Return whether what the steps do depends on how many there are going to be."""
    arguments = run.arguments
    return arguments["schedule"] != "constant" or bool(arguments["warmup"] or arguments["swa"])


def _of_arguments(differences: Sequence[FactDifference], *, scheduled: bool) -> list[Cause]:
    found = []
    for one in differences:
        if one.name.startswith("data") or (one.name == "epochs" and not scheduled):
            continue
        kind: Kind = "argument"
        if one.name == "seed":
            kind = "seed"
        elif one.name == "epochs" or one.name.startswith(_OPTIMIZER):
            kind = "optimizer"
        elif one.name.startswith(_ORDER):
            kind = "data order"
        found.append(Cause(kind, str(one)))
    return found


def _of_optimizers(first: RecordedRun, other: RecordedRun) -> list[Cause]:
    if first.checksums is None or other.checksums is None:
        return []
    pairs = zip(first.checksums.optimizers, other.checksums.optimizers, strict=False)
    found = [one for pair in pairs for one in flat_differences(*pair)]
    return [Cause("optimizer", f"its constant {one}") for one in found]


def _of_models(first: RecordedRun, other: RecordedRun) -> list[Cause]:
    if first.architecture is None or other.architecture is None:
        return []
    change = model_change(first.architecture, other.architecture)
    return [] if change is None else [Cause("op", f"of the other run's {change[0]}, {change[1]}")]


def _of_environment(differences: Sequence[FactDifference]) -> list[Cause]:
    kinds: dict[str, Kind] = {"versions": "version", "git": "code", "hardware": "hardware"}
    found = []
    for one in differences:
        group, _, name = one.name.partition(".")
        if name != "memory_bytes":
            found.append(Cause(kinds.get(group, "computation"), f"{name}: {one.first} and {one.other}"))
    return found


def _of_lines(lines: FirstLines, found: Sequence[Cause]) -> list[Cause]:
    """Return the causes that checksums speak for, where nothing that is recorded tells of them."""
    kinds = {cause.kind for cause in found}
    causes: list[Cause] = []
    if lines.step == 0 and not kinds & {"seed", "op"}:
        layers = ", ".join(lines.changed_layers[:8])
        causes.append(Cause("initial weights", f"they differ in {layers} before the first step"))
    if lines.step and lines.differs("order") and not kinds & {"seed", "data order", "data", "labels"}:
        causes.append(Cause("data order", "the step takes other samples, or the same ones in another order"))
    if lines.step and lines.random and "seed" not in kinds:
        causes.append(Cause("random draw", "states of random generators differ, as those of dropout"))
    return causes
