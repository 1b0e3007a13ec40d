"""What the processes of a sweep tell each other, as types: requests, outcomes, and the rows of trials."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Literal, TypeAlias

from kexp.core.constraints import RecordedCount
from kexp.core.json_files import Keys, parse_value, require_keys
from kexp.core.search import TrialState
from kexp.data.folds import Fold, FoldPlan
from kexp.metrics.direction import Direction
from kexp.sweep.record_file import ADVICE, require_unicode

Metrics: TypeAlias = dict[str, float]
# The columns of a trial and of an event in the order of their tables.
_TRIAL_KEYS: Keys = {
    "number": RecordedCount,
    "searched": str,
    "arguments": str,
    "state": Literal["waiting", "running", "completed", "failed", "pruned"],
    "owner": str | None,
    "token": RecordedCount,
    "heartbeat": float,
    "deaths": RecordedCount,
    "step": RecordedCount,
    "metrics": str | None,
    "score": float | None,
    "error": str | None,
    "seconds": float,
    "bytes": RecordedCount,
    "stripped": int,
    "told": int,
}
_JSON_COLUMNS: Keys = {"searched": dict[str, Any], "arguments": dict[str, Any], "metrics": Metrics}
_EVENT_KEYS: Keys = {"kind": Literal["asked", "told"], "trial": RecordedCount | None, "content": str}


class EventKind(str, Enum):
    """What the search algorithm was asked for, or told of."""

    ASKED = "asked"
    REPORTED = "told"


@dataclass(frozen=True)
class Event:
    """One exchange with the search algorithm, which replaying all of them repeats.

    Attributes:
        kind: Whether it was asked, or told how a trial ended.
        trial: The trial that it proposed or is told of; None where it proposed none.
        content: How many trials there were to be, or the trial's score.
    """

    kind: EventKind
    trial: int | None
    content: Any

    @classmethod
    def from_row(cls, row: sqlite3.Row, place: str) -> Event:
        """Return the exchange of a row.

        Args:
            row: Of the table of events.
            place: The file, for the message.

        Raises:
            InputError: The row holds what no exchange has.
        """
        fields = {name: row[name] for name in _EVENT_KEYS}
        place = f"{place}: event {row['sequence']}"
        require_keys(fields, place, _EVENT_KEYS, advice=ADVICE)
        kind = EventKind(fields["kind"])
        content = RecordedCount if kind is EventKind.ASKED else float | None
        return cls(
            kind, fields["trial"], parse_value(fields["content"], place, "content", content, advice=ADVICE)
        )


@dataclass(frozen=True)
class Trial:
    """A row of the table of trials.

    Attributes:
        number: From 0.
        searched: Values by dimension.
        arguments: Of the recipe.
        state: Where it stands.
        owner: The worker that holds the lease, or None.
        token: Grows with every lease; a write with an older one is void.
        heartbeat: Of the lease, in seconds of the machine's monotonic clock.
        deaths: Of workers, since the newest checkpoint.
        step: Of the newest checkpoint at the last death.
        metrics: Final metrics.
        score: The target metric, once the algorithm was told of it.
        error: Why it failed or was pruned, or None.
        seconds: Spent on it.
        bytes: On the disk.
        stripped: Whether weights and data were removed from its run folder.
        reported: Whether the algorithm was told how it ended.
    """

    number: int
    searched: dict[str, Any]
    arguments: dict[str, Any]
    state: TrialState
    owner: str | None
    token: int
    heartbeat: float
    deaths: int
    step: int
    metrics: Metrics
    score: float | None
    error: str | None
    seconds: float
    bytes: int
    stripped: bool
    reported: bool

    @classmethod
    def from_row(cls, row: sqlite3.Row, place: str) -> Trial:
        """Return the trial of a row; the column of `reported` is named "told".

        Args:
            row: Of the table of trials.
            place: The file, for the message.

        Raises:
            InputError: The row holds what no trial has.
        """
        return _trial(place, *(row[name] for name in _TRIAL_KEYS))


# A sweep reads all rows again whenever one has changed.
@functools.lru_cache(maxsize=50_000)
def _trial(place: str, *values: Any) -> Trial:
    fields: dict[str, Any] = dict(zip(_TRIAL_KEYS, values, strict=True))
    place = f"{place}: trial {fields['number']}"
    require_keys(fields, place, _TRIAL_KEYS, advice=ADVICE)
    for name, kind in _JSON_COLUMNS.items():
        fields[name] = parse_value(fields[name] or "{}", place, name, kind, advice=ADVICE)
        require_unicode(fields[name], f"{place}: {name}")
    flags = {"reported": bool(fields.pop("told")), "stripped": bool(fields["stripped"])}
    return Trial(**{**fields, **flags, "state": TrialState(fields["state"])})


@dataclass(frozen=True)
class SweepDescription:
    """What must be the same in every call of a sweep, and with how many threads its workers run.

    Attributes:
        recipe: Its name, "module:function"; or the path of a file, which may lie in the sweep folder.
        space: The searched dimensions and fixed arguments in words.
        arguments: What every trial gets.
        algorithm: What proposes trials.
        objective: Name of the metric that was asked for, or None.
        seed: Of the search.
        prune: "median" or None.
        synchronous: Whether trials are proposed in rounds.
        threads: Of TensorFlow in each worker.
        source: Digest of the recipe's source, where that is carried to the workers.
        folds: Of what trials are trained without, as `FoldPlan`; None: they have the parts of any run.
        budgeted: Whether recipes may ask for more epochs and smaller batches on small data (`least_steps`,
            `least_batches`) and hold out no validation data of them (`least_validation`), as in sweeps that
            were begun before they could they may not, for the sake of the trials that were run.
    """

    recipe: str
    space: dict[str, Any]
    arguments: dict[str, Any]
    algorithm: str
    objective: str | None
    seed: int
    prune: str | None
    synchronous: bool
    threads: int
    source: str | None = None
    folds: FoldPlan | None = None
    budgeted: bool = False

    def held(self, number: int) -> Fold | FoldPlan | None:
        """Return the fold that a trial is measured on, the folds that validate it in turn, or None."""
        if self.folds is None or self.folds.part == "validation":
            return self.folds
        return self.folds.fold(number)

    @property
    def recipe_name(self) -> str:
        return self.recipe.rpartition(":")[2]


class Requested(Enum):
    """That workers are to do something that takes no more words."""

    REQUESTED = "wanted"


@dataclass(frozen=True)
class ProbeResult:
    """What one look at a run of the recipe has shown.

    Attributes:
        metrics: Direction of each metric that a run gives, by name, None where it is not known; empty when
            nothing is.
        monitor: The metric that the recipe chooses its best epoch by; None without validation data.
        seconds: That a trial is expected to take, or None.
        bytes: That its run folder is expected to take, with weights.
        mistake: What is wrong with the arguments, or None.
        at_end: Those of the metrics that a run has at its end alone; None: none.
    """

    metrics: dict[str, Direction | None] = field(default_factory=dict)
    monitor: str | None = None
    seconds: float | None = None
    bytes: int = 0
    mistake: str | None = None
    at_end: list[str] | None = None

    @property
    def known(self) -> bool:
        """Whether the recipe came as far as its training."""
        return bool(self.metrics)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ProbeResult:
        """Return what was written by this version, or by one that wrote names without "val_".

        Example:
            >>> old = {"monitor": "val_accuracy", "mode": "max", "directions": {"accuracy": "max"}}
            >>> ProbeResult.from_json(old).metrics
            {'val_loss': 'min', 'loss': 'min', 'val_accuracy': 'max', 'accuracy': 'max'}
        """
        if "directions" not in content:
            return cls(**content)
        metrics = both_splits({"loss": "min", **content["directions"]})
        monitor = content["monitor"]
        if monitor is not None:
            metrics[monitor] = content["mode"]
        return cls(metrics, monitor, content.get("seconds"), content.get("bytes", 0))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def both_splits(directions: Mapping[str, Direction | None]) -> dict[str, Direction | None]:
    """Return the directions of metrics on validation and on training data, by their full names."""
    return {f"{split}{name}": mode for name, mode in directions.items() for split in ("val_", "")}


@dataclass(frozen=True)
class DrawRequest:
    """That a worker is to draw the values of all trials.

    Attributes:
        trials: How many.
        slot: Of the worker.
    """

    trials: int
    slot: int


@dataclass(frozen=True)
class Evaluation:
    """Metrics of the winners' runs, those on test data among them.

    Attributes:
        trials: Numbers of the winners.
        metrics: Of each.
        error: Why there are none, or None.
    """

    trials: list[int]
    metrics: list[Metrics]
    error: str | None = None


@dataclass(frozen=True)
class Completed:
    """A trial came to its end.

    Attributes:
        metrics: Final metrics.
    """

    metrics: Metrics


@dataclass(frozen=True)
class Failed:
    """A call of the recipe raised; `error` is the traceback."""

    error: str


@dataclass(frozen=True)
class Stopped:
    """A signal ended it; its state is saved."""


@dataclass(frozen=True)
class Pruned:
    """A trial was worse than the others and stopped for it.

    Attributes:
        reason: In words.
        metrics: Of its last epoch.
    """

    reason: str
    metrics: Metrics


@dataclass(frozen=True)
class Lost:
    """Its process died, or its machine; `error` says what is known of it."""

    error: str


@dataclass(frozen=True)
class FullDisk:
    """There was no room for what it had to write."""


@dataclass(frozen=True)
class Refused:
    """Nothing can run there, for a mistake of the caller's that `mistake` describes."""

    mistake: str


Ending: TypeAlias = Completed | Failed | Stopped | Pruned  # of a run, as the record has it
TrialOutcome: TypeAlias = Completed | Failed | Stopped | FullDisk
