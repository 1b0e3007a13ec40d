"""What a sweep's record holds beside its trials: typed entries, each with the name it has on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, get_type_hints

from kexp.core.constraints import AtLeast
from kexp.core.errors import InputError
from kexp.core.json_files import Keys, parse_value, require_keys
from kexp.core.search import Dimension, DimensionKind
from kexp.data.folds import FoldPlan
from kexp.metrics.direction import Direction
from kexp.sweep.record_file import ADVICE, require_unicode
from kexp.sweep.state import DrawRequest, Evaluation, ProbeResult, Requested, SweepDescription

T = TypeVar("T")


def _same(content: Any, place: str) -> Any:
    return content


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Entry(Generic[T]):
    """An entry of the record, of one type.

    Attributes:
        name: On disk.
        kind: What is there, as an annotation of what JSON holds.
        from_json: Makes the value of what was written; it is told where that is from, to name it.
        to_json: Makes what is written of the value.

    Example:
        >>> DRAW.written(DrawRequest(20, slot=1))
        ('draw', '{"trials": 20, "slot": 1}')
        >>> DRAW.read('{"trials": 20}', "file sweep.sqlite")
        Traceback (most recent call last):
        ...
        kexp.InputError: file sweep.sqlite: draw: lacks the key slot; restore it, or ...
    """

    name: str
    kind: Any
    from_json: Callable[[Any, str], T] = _same
    to_json: Callable[[T], Any] = _unchanged

    def read(self, text: str | None, place: str) -> T | None:
        """Return the value of what is on disk, None if nothing is.

        Args:
            text: What is on disk.
            place: The file, for the message.

        Raises:
            InputError: It is damaged.
        """
        if text is None:
            return None
        content = parse_value(text, place, self.name, self.kind | None, advice=ADVICE)
        return None if content is None else self.from_json(content, f"{place}: {self.name}")

    def written(self, value: T | None) -> tuple[str, str]:
        """Return the name and the text of a value; None takes the entry's place away."""
        return self.name, json.dumps(None if value is None else self.to_json(value))


def _entry_of(name: str, kind: type[T]) -> Entry[T]:
    """Return an entry of a dataclass, each field of which is a key."""

    def from_json(content: Any, place: str) -> T:
        hints = get_type_hints(kind, include_extras=True)
        require_keys(content, place, hints, advice=ADVICE)
        return kind(**{field: content[field] for field in hints if field in content})

    return Entry(name, dict[str, Any], from_json, asdict)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Target:
    """The metric that a sweep optimises, as it is recorded once it is known.

    Attributes:
        name: Of the metric; None as long as no trial has shown one.
        mode: Whether the best is the "max" or the "min" of it.
    """

    name: str | None
    mode: Direction


@dataclass(frozen=True)
class Comparison:
    """What the last comparison over fresh seeds was asked for: how many seeds, of how many trials."""

    seeds: Annotated[int, AtLeast(2)]
    top: Annotated[int, AtLeast(1)]


def _description(content: Any, place: str) -> SweepDescription:
    hints = get_type_hints(SweepDescription, include_extras=True)
    kinds = {**hints, "folds": dict[str, Any] | None, "budgeted": bool | None}
    require_keys(content, place, kinds, advice=ADVICE)
    fields = {name: content[name] for name in hints if name in content}
    if fields.get("folds") is not None:
        plan = get_type_hints(FoldPlan, include_extras=True)
        require_keys(fields["folds"], f"{place}: folds", plan, advice=ADVICE)
        fields["folds"] = FoldPlan(**{name: fields["folds"][name] for name in plan})
    return SweepDescription(**fields)


def _probe(content: Any, place: str) -> Requested | ProbeResult:
    if isinstance(content, str):
        require_keys({"probe": content}, place, {"probe": Literal["wanted"]}, advice=ADVICE)
        return Requested(content)
    early = "directions" in content  # as versions have it that wrote names without "val_"
    require_keys(content, place, _EARLY_PROBE if early else get_type_hints(ProbeResult), advice=ADVICE)
    found = ProbeResult.from_json(content)
    if found.known and found.monitor is not None and found.monitor not in found.metrics:
        raise InputError(
            f"{place}: monitor must be one of the metrics, received {found.monitor!r}; {ADVICE}."
        )
    return found


def _probe_to_json(probe: Requested | ProbeResult) -> Any:
    return probe.value if isinstance(probe, Requested) else probe.to_json()


def _dimensions(content: Any, place: str) -> list[Dimension]:
    for number, fields in enumerate(content):
        require_keys(fields, f"{place}[{number}]", _DIMENSION, advice=ADVICE)
    require_unicode(content, place)
    dimensions = [
        Dimension.from_json({name: fields[name] for name in _DIMENSION if name in fields})
        for fields in content
    ]
    for one in dimensions:
        finite = math.isfinite(one.low) and math.isfinite(one.high)
        if one.kind != "choice" and not (finite and one.low <= one.high and (one.low > 0 or not one.log)):
            raise InputError(f"{place}: {one.name!r} has no range, from {one.low} to {one.high}; {ADVICE}.")
    return dimensions


def _target(content: Any, place: str) -> Target:
    fields = dict(zip(("name", "mode"), content, strict=False))
    require_keys(fields, place, get_type_hints(Target), advice=ADVICE)
    return Target(**fields)


_EARLY_PROBE: Keys = {
    "directions": dict[str, Direction],
    "monitor": str | None,
    "mode": Direction | None,
    "seconds": float | None,
    "bytes": int | None,
}
_DIMENSION: Keys = {
    "name": str,
    "kind": DimensionKind,
    "low": float,
    "high": float,
    "log": bool,
    "choices": list[Any],
    "condition": tuple[str, list[Any]] | None,
}
DESCRIPTION = Entry[SweepDescription]("sweep", dict[str, Any], _description, asdict)
DIMENSIONS = Entry[list[Dimension]](
    "dimensions",
    list[dict[str, Any]],
    _dimensions,
    lambda dimensions: [asdict(dimension) for dimension in dimensions],
)
PROBE = Entry[Requested | ProbeResult]("look", str | dict[str, Any], _probe, _probe_to_json)
DRAW = _entry_of("draw", DrawRequest)
DRAWN = Entry[list[dict[str, Any]]]("drawn", list[dict[str, Any]])
WINNERS = Entry[list[int]]("winners", list[int])  # whose test metrics are asked for
EVALUATION = _entry_of("tested", Evaluation)
TARGET = Entry("objective", list[Any], _target, lambda target: [target.name, target.mode])
SPENT_S = Entry[float]("spent_s", float)
COMPARISON = _entry_of("retrained", Comparison)
# Of a population, the numbers of the trials that took their steps by themselves, by the reason.
ALONE = Entry[dict[str, list[int]]]("alone", dict[str, list[int]])
