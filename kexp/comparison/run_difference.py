"""The first step at which two runs differ, in which layer, and what it is likely caused by."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kexp.comparison.difference_causes import Cause, FirstLines, causes
from kexp.comparison.recorded_run import (
    FactDifference,
    RecordedRun,
    argument_differences,
    environment_differences,
)
from kexp.comparison.step_replay import recorded_again
from kexp.comparison.step_replay import replay as replayed
from kexp.core.constraints import check_value
from kexp.core.errors import InputError
from kexp.data import DataLike
from kexp.run.architecture_change import model_change

Lines = Mapping[int, Mapping[str, Any]]
_STATE = ("order", "optimizer", "loss")


@dataclass(frozen=True)
class RunDifference:
    """Where two runs begin to differ.

    Attributes:
        step: The first step after which they differ, 0 for their initial weights; None: they do not, as far
            as is known, or it is known no better than by `equal_until` and `different_from`.
        epoch: Of the step, from 1.
        equal_until: The last step after which they are known to be equal; None: none is.
        different_from: The first step after which they are known to differ; None: none is.
        layer: Where they differ first; None: in all layers, or it is not known.
        causes: What it may be caused by, the likeliest first.
        evidence: What was found, in sentences.
        arguments: Arguments that differ.
        environment: Versions, hardware and else that differs.
    """

    step: int | None
    epoch: int | None
    equal_until: int | None
    different_from: int | None
    layer: str | None
    causes: tuple[Cause, ...]
    evidence: tuple[str, ...]
    arguments: tuple[FactDifference, ...]
    environment: tuple[FactDifference, ...]

    @property
    def same(self) -> bool:
        """Whether no difference of their courses was found."""
        return self.different_from is None and self.epoch is None

    @property
    def cause(self) -> Cause | None:
        """The likeliest cause, or None where the runs do not differ."""
        return self.causes[0] if self.causes else None

    def __str__(self) -> str:
        lines = [*self.evidence]
        if self.causes:
            lines.append(f"likely cause: {self.causes[0]}")
            lines += [f"also: {cause}" for cause in self.causes[1:]]
        for name, differences in (("argument", self.arguments), ("environment", self.environment)):
            lines += [f"{name} {one}" for one in differences]
        return "\n".join(dict.fromkeys(lines))


def diff(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    replay: bool = True,
    recipe: Callable[..., Any] | None = None,
    data_a: DataLike | None = None,
    data_b: DataLike | None = None,
    repeat_a: Callable[[str], object] | None = None,
    repeat_b: Callable[[str], object] | None = None,
) -> RunDifference:
    """Return the first step at which two runs differ, the layer, and what likely caused it.

    Runs keep checksums after some of their steps. Where the step is between two of these, both runs are
    trained again there, from a checkpoint or from the beginning, if their recipes and data are at hand; what
    comes of it counts if it agrees with what was recorded. Nothing is written into the folders.

    Args:
        a: A run folder, of a finished or an unfinished run.
        b: Another.
        replay: Whether runs may be trained again, default True; else TensorFlow is not needed.
        recipe: The recipe of both, if it is neither kexp's nor installed; default None.
        data_a: What the first was trained on, if that was in memory; default None.
        data_b: What the other was; default None: the same as the first.
        repeat_a: Of a run of `kexp.fit`, a function of a run folder that makes the same call with that as
            run_dir; default None.
        repeat_b: The same of the other; default None.

    Raises:
        InputError: One of the folders holds no run, or is damaged.

    Example:
        >>> diff(run_dir, run_dir).same
        True
    """
    replay = check_value("replay", replay, bool)
    first, other = RecordedRun.read("a", a), RecordedRun.read("b", b)
    if first.checksums is None or other.checksums is None:
        return _by_epochs(first, other)
    equal_until, found = _first_difference(first.checksums.lines, other.checksums.lines)
    if found is None:
        return _difference(first, other, equal_until, None, _no_difference(first, other, equal_until))
    recorded = (first.checksums.lines, other.checksums.lines)
    said: list[str] = []
    lines: tuple[Lines, Lines] = recorded
    if replay and found - (-1 if equal_until is None else equal_until) > 1:
        again = (
            repeat_a or recorded_again(recipe, data_a),
            repeat_b or recorded_again(recipe, data_a if data_b is None else data_b),
        )
        begin = 0 if equal_until is None else equal_until
        try:
            lines = _replayed((first, other), begin, found, again)
            until, found = _first_difference(*lines)
            equal_until = equal_until if until is None else until
            said.append("The steps between were taken again, and agree with the checksums of then.")
        except InputError as error:
            said.append(f"The step is not known more closely: {error}")
    assert found is not None
    random = any(one["random"] != lines[1][step]["random"] for step, one in _common(*lines) if step <= found)
    at = FirstLines(found, lines[0][found], lines[1][found], first.checksums.layers, random)
    return _difference(first, other, equal_until, at, said)


def _common(first: Lines, other: Lines) -> list[tuple[int, Mapping[str, Any]]]:
    return [(step, first[step]) for step in sorted(set(first) & set(other))]


def _first_difference(first: Lines, other: Lines) -> tuple[int | None, int | None]:
    """Return the last step after which lines are equal, before the first after which they differ."""
    equal_until = None
    for step, line in _common(first, other):
        if not _alike(line, other[step]):
            return equal_until, step
        equal_until = step
    return equal_until, None


def _alike(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Return whether states are the same; before the first step, rates that will be used make none."""
    names = ("layers", *_STATE) if one["step"] else ("layers",)
    return all(one[name] == two[name] for name in names)


def _replayed(
    runs: tuple[RecordedRun, RecordedRun],
    begin: int,
    end: int,
    again: tuple[Callable[[str], object], Callable[[str], object]],
) -> tuple[Lines, Lines]:
    """Return the checksums of every step of two runs.

    Raises:
        InputError: One cannot be trained again, or comes to something else than it did.
    """
    found = []
    for run, call in zip(runs, again, strict=True):
        lines = replayed(run.run_dir, begin, end, call)
        assert run.checksums is not None
        for step in sorted(lines.keys() & run.checksums.lines.keys()):
            if not _alike(lines[step], run.checksums.lines[step]):
                raise InputError(
                    f"run_dir {run.run_dir}: trained again here it comes to something else after step {step} "
                    "than it did, so that code, versions or the machine are others now."
                )
        found.append(lines)
    return found[0], found[1]


def _difference(
    first: RecordedRun,
    other: RecordedRun,
    equal_until: int | None,
    at: FirstLines | None,
    said: list[str],
) -> RunDifference:
    changed = () if at is None else at.changed_layers
    exact = at is not None and at.step - (-1 if equal_until is None else equal_until) <= 1
    likely = () if at is None else causes(first, other, at if exact else None)
    return RunDifference(
        step=at.step if at is not None and exact else None,
        epoch=at.first["epoch"] if at is not None and exact else None,
        equal_until=equal_until,
        different_from=None if at is None else at.step,
        layer=None if at is None else _layer(first, other, at, changed),
        causes=likely,
        evidence=(*(() if at is None else _evidence(at, equal_until, changed, exact=exact)), *said),
        arguments=tuple(argument_differences(first, other)),
        environment=tuple(environment_differences(first, other)),
    )


def _layer(first: RecordedRun, other: RecordedRun, at: FirstLines, changed: tuple[str, ...]) -> str | None:
    """Return the layer that is made otherwise, or the first that has other weights where not all have."""
    if first.architecture is not None and other.architecture is not None:
        change = model_change(first.architecture, other.architecture)
        if change is not None:
            return change[1].partition(" has ")[0]
    return changed[0] if changed and len(changed) < len(at.layers) else None


def _evidence(at: FirstLines, equal_until: int | None, changed: tuple[str, ...], *, exact: bool) -> list[str]:
    if at.step == 0:
        place = "The runs differ before the first step, in their initial weights"
    elif exact:
        place = f"The runs differ first after step {at.step}, in epoch {at.first['epoch']}"
    else:
        since = (
            "nothing is known before" if equal_until is None else f"they are equal after step {equal_until}"
        )
        place = f"The runs differ after step {at.step}; {since}"
    every = len(changed) == len(at.layers)
    layers = f"all {len(changed)} layers" if every else ", ".join(changed[:8])
    found = [f"{place}.", f"Weights that differ: {layers or 'none'}."]
    if at.step and exact:
        same = {name: "differ" if at.differs(name) else "are the same" for name in _STATE}
        found.append(
            f"Of that step, samples {same['order']}, losses {same['loss']}, optimizer states "
            f"{same['optimizer']}."
        )
    return found


def _no_difference(first: RecordedRun, other: RecordedRun, equal_until: int | None) -> list[str]:
    assert first.checksums is not None
    assert other.checksums is not None
    if equal_until is None:
        return ["The runs have no checksums of a same step."]
    common = len(set(first.checksums.lines) & set(other.checksums.lines))
    ends = [max(run.checksums.lines) for run in (first, other) if run.checksums is not None]
    more = f" One of them goes on to step {max(ends)}." if ends[0] != ends[1] else ""
    return [f"No difference: {common} checksums are the same, the last after step {equal_until}.{more}"]


def _by_epochs(first: RecordedRun, other: RecordedRun) -> RunDifference:
    """Return what the metrics of epochs tell of runs that have no checksums."""
    said = "A run without checksums of its steps, as of an earlier kexp: metrics of epochs are compared."
    found = None
    for number, (one, two) in enumerate(zip(first.history, other.history, strict=False), 1):
        if any(one[name] != two[name] and one[name] == one[name] for name in one.keys() & two.keys()):
            found = number
            break
    epochs = min(len(first.history), len(other.history))
    text = (
        f"The metrics of {epochs} epochs are the same."
        if found is None
        else f"The metrics of epoch {found} are the first that differ."
    )
    return RunDifference(
        step=None,
        epoch=found,
        equal_until=None,
        different_from=None,
        layer=None,
        causes=() if found is None else causes(first, other, None),
        evidence=(said, text),
        arguments=tuple(argument_differences(first, other)),
        environment=tuple(environment_differences(first, other)),
    )
