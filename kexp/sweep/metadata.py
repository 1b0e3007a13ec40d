"""What a sweep's record holds beside its trials: typed entries, each with the name it has on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from kexp.core.search import Dimension
from kexp.metrics.direction import Direction
from kexp.sweep.state import DrawRequest, Evaluation, ProbeResult, Requested, SweepDescription

T = TypeVar("T")


def _same(content: Any) -> Any:
    return content


@dataclass(frozen=True)
class Entry(Generic[T]):
    """An entry of the record, of one type.

    Attributes:
        name: On disk.
        from_json: Makes the value of what was written.
        to_json: Makes what is written of the value.

    Example:
        >>> DRAW.written(DrawRequest(20, slot=1))
        ('draw', '{"trials": 20, "slot": 1}')
    """

    name: str
    from_json: Callable[[Any], T] = _same
    to_json: Callable[[T], Any] = _same

    def read(self, text: str | None) -> T | None:
        """Return the value of what is on disk, None if nothing is."""
        content = None if text is None else json.loads(text)
        return None if content is None else self.from_json(content)

    def written(self, value: T | None) -> tuple[str, str]:
        """Return the name and the text of a value; None takes the entry's place away."""
        return self.name, json.dumps(None if value is None else self.to_json(value))


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

    seeds: int
    top: int


def _probe(content: Any) -> Requested | ProbeResult:
    return Requested(content) if isinstance(content, str) else ProbeResult.from_json(content)


def _probe_to_json(probe: Requested | ProbeResult) -> Any:
    return probe.value if isinstance(probe, Requested) else probe.to_json()


DESCRIPTION = Entry("sweep", lambda content: SweepDescription(**content), asdict)
DIMENSIONS = Entry[list[Dimension]](
    "dimensions",
    lambda content: [Dimension.from_json(fields) for fields in content],
    lambda dimensions: [asdict(dimension) for dimension in dimensions],
)
PROBE = Entry[Requested | ProbeResult]("look", _probe, _probe_to_json)
DRAW = Entry("draw", lambda content: DrawRequest(**content), asdict)
DRAWN = Entry[list[dict[str, Any]]]("drawn")
WINNERS = Entry[list[int]]("winners")  # whose test metrics are asked for
EVALUATION = Entry("tested", lambda content: Evaluation(**content), asdict)
TARGET = Entry("objective", lambda content: Target(*content), lambda target: [target.name, target.mode])
SPENT_S = Entry[float]("spent_s")
COMPARISON = Entry("retrained", lambda content: Comparison(**content), asdict)
