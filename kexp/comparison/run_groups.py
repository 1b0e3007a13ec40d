"""Groups of runs that differ in nothing but their seed, and the figures of each with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kexp.classical.classical_comparison import is_classical
from kexp.comparison.recorded_run import ABSENT
from kexp.core.options import DEFAULTS, OUTPUT_ONLY
from kexp.data.memory_forms import in_words
from kexp.metrics.bounds import metric_bounds
from kexp.run.record import RunRecord
from kexp.sweep.seed_comparison import Estimate, few_values


@dataclass(frozen=True)
class RunGroup:
    """Runs of the same arguments on the same data.

    Attributes:
        label: A letter for the group.
        records: The runs, by seed.
    """

    label: str
    records: tuple[RunRecord, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs."""
        return tuple(seed_of(record) for record in self.records)

    @property
    def arguments(self) -> dict[str, Any]:
        """What decides their results, but for the seed."""
        return _deciding(self.records[0])

    @property
    def recipe(self) -> str:
        """The recipe of the runs."""
        return str(self.records[0].config["recipe"])

    def values(self, metric: str) -> list[float]:
        """Return a metric of each run, NaN where it has none."""
        return [float(record.metrics.get(metric, math.nan)) for record in self.records]

    def figure(self, metric: str) -> Estimate | float:
        """Return a metric with its interval over the seeds, or as it is where there is one run."""
        values = self.values(metric)
        return values[0] if len(values) == 1 else Estimate.of(values, bounds=metric_bounds(metric))

    @property
    def note(self) -> str:
        """What is to be said of its intervals, or nothing."""
        return few_values(len(self.records))

    def of_seed(self, seed: int) -> RunRecord | None:
        """Return the run of a seed, or None."""
        return next((record for record in self.records if seed_of(record) == seed), None)

    def __str__(self) -> str:
        seeds = ", ".join(map(str, self.seeds))
        one = f"seed {seeds}" if len(self.records) == 1 else f"seeds {seeds}"
        return f"{self.label}: {self.recipe}, {one}: {', '.join(str(one.run_dir) for one in self.records)}"


def seed_of(record: RunRecord) -> int:
    """Return the seed of a run."""
    return int(record.config["arguments"].get("seed", DEFAULTS["seed"]))


def _deciding(record: RunRecord) -> dict[str, Any]:
    given = {**DEFAULTS, **record.config["arguments"]}
    return {name: value for name, value in given.items() if name not in (*OUTPUT_ONLY, "seed")}


def grouped(records: Sequence[RunRecord]) -> tuple[RunGroup, ...]:
    """Return groups of runs, in the order in which their first ones were given."""
    found: list[tuple[Any, list[RunRecord]]] = []
    for record in records:
        key = (record.config["recipe"], _deciding(record), record.environment["data"]["fingerprint"])
        same = next((members for known, members in found if known == key), None)
        if same is None or seed_of(record) in map(seed_of, same):
            found.append((key, [record]))  # a seed twice is a run to compare with
        else:
            same.append(record)
    return tuple(
        RunGroup(_letter(number), tuple(sorted(members, key=seed_of)))
        for number, (_, members) in enumerate(found)
    )


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{number + 1}"


def metrics_of(groups: Sequence[RunGroup]) -> list[str]:
    """Return the names of all metrics of the networks: of validation, of test, and then those of training."""
    names = dict.fromkeys(name for group in groups for record in group.records for name in record.metrics)
    prefixes = ("val_", "test_", "")
    return [
        name for prefix in prefixes for name in names if prefix == _prefix(name) and not is_classical(name)
    ]


def _prefix(name: str) -> str:
    return next((prefix for prefix in ("val_", "test_") if name.startswith(prefix)), "")


def argument_table(groups: Sequence[RunGroup]) -> dict[str, list[str]]:
    """Return the arguments that are not the same in all groups, with the value of each group in words."""
    facts = [
        {"recipe": group.recipe, **group.arguments, "data fingerprint": _fingerprint(group.records[0])}
        for group in groups
    ]
    found = {}
    for name in dict.fromkeys(name for one in facts for name in one):
        values = [one.get(name) for one in facts]
        if any(value != values[0] for value in values):
            found[name] = [in_words(one[name]) if name in one else ABSENT for one in facts]
    return found


def _fingerprint(record: RunRecord) -> str:
    return str(record.environment["data"]["fingerprint"])[:8]
