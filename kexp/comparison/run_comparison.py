"""Runs beside one another: figures over seeds, paired tests, arguments that differ, and curves."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kexp.comparison.comparison_page import write_comparison_page
from kexp.comparison.paired_test import PairedTest, paired_test
from kexp.comparison.run_groups import RunGroup, argument_table, grouped, metrics_of, seed_of
from kexp.core.constraints import check_value
from kexp.core.errors import InputError
from kexp.data import DataLike, Dataset
from kexp.report.reported import ReportedRun
from kexp.report.run_page import recorded_data
from kexp.run.record import RunRecord
from kexp.sweep.seed_comparison import Estimate


@dataclass(frozen=True, eq=False)
class RunComparison:
    """Runs beside one another.

    Attributes:
        groups: Runs that differ in nothing but their seed are one group.
        arguments: Arguments that differ, with the value of each group.
        figures: By metric, for each group, with its interval where a group has several seeds.
        ahead: By metric and the labels of two groups, the mean of the first less that of the other over
            seeds that both have, with its interval; empty without two such seeds.
        paired: Tests on the same rows of validation data.
        notes: Why there is no test of two groups.
        reported: Runs with their data, by folder.
    """

    groups: tuple[RunGroup, ...]
    arguments: dict[str, list[str]]
    figures: dict[str, list[Estimate | float]]
    ahead: dict[str, dict[tuple[str, str], Estimate]]
    paired: tuple[PairedTest, ...] = ()
    notes: tuple[str, ...] = ()
    reported: dict[Path, ReportedRun] = field(default_factory=dict, repr=False)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write a page: metrics, curves of all runs, tests, and mistakes that only one run makes.

        Args:
            path: An HTML file in a folder that exists.

        Raises:
            InputError: The path cannot be written.
        """
        return write_comparison_page(self, path)

    def figure_rows(self) -> list[list[str]]:
        """Return a row of texts for each metric: its name, and the figure of each group."""
        return [[name, *map(_shown, of_groups)] for name, of_groups in self.figures.items()]

    def __str__(self) -> str:
        labels = [group.label for group in self.groups]
        lines = [*map(str, self.groups), "", *_aligned([["metric", *labels], *self.figure_rows()])]
        lines += sorted({group.note for group in self.groups} - {""})
        for name, pairs in self.ahead.items():
            lines += [
                f"{name}, {' less '.join(two)}, paired by seed: {found}" for two, found in pairs.items()
            ]
        if self.arguments:
            rows = [[name, *values] for name, values in self.arguments.items()]
            lines += ["", *_aligned([["argument", *labels], *rows])]
        lines += ["", *map(str, self.paired), *self.notes] if self.paired or self.notes else []
        return "\n".join(lines)


def _shown(figure: Estimate | float) -> str:
    if isinstance(figure, Estimate):
        return str(figure) if math.isfinite(figure.mean) else ""
    return f"{figure:.4f}" if math.isfinite(figure) else ""


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def compare(
    *runs: str | os.PathLike[str] | RunRecord, data: DataLike | None = None, predictions: bool = True
) -> RunComparison:
    """Return finished runs beside one another; those that differ in nothing but their seed are one group.

    Of two groups, the runs of a same seed predict the same rows of their validation data, if these are
    at hand: McNemar's exact test for classes, Wilcoxon's for values. Test data are not looked at; their
    metrics are those that the runs have recorded.

    Args:
        *runs: Two or more run folders, or results.
        data: What they were trained on, if their folders do not say where it is; default None.
        predictions: Whether models predict, default True; without, TensorFlow is not needed.

    Raises:
        InputError: There is one run alone, or one of the folders holds no finished run.

    Example:
        >>> found = compare(run_dir, run_dir, predictions=False)
        >>> [len(group.records) for group in found.groups], found.arguments
        ([1, 1], {})
    """
    predictions = check_value("predictions", predictions, bool)
    if len(runs) < 2:
        raise InputError(f"runs must be two or more; received {len(runs)}.")
    records = [run if isinstance(run, RunRecord) else RunRecord.load(run) for run in runs]
    groups = grouped(records)
    names = metrics_of(groups)
    found = RunComparison(
        groups=groups,
        arguments=argument_table(groups) if len(groups) > 1 else {},
        figures={name: [group.figure(name) for group in groups] for name in names},
        ahead={name: pairs for name in names if (pairs := _ahead(name, groups))},
    )
    return _tested(found, data) if predictions and len(groups) > 1 else found


def _ahead(name: str, groups: Sequence[RunGroup]) -> dict[tuple[str, str], Estimate]:
    """Return the differences of groups over seeds that both have, where these are two or more."""
    if not name.startswith(("val_", "test_")):
        return {}
    found = {}
    for one, two in itertools.combinations(groups, 2):
        seeds = [seed for seed in one.seeds if seed in two.seeds]
        values = [dict(zip(group.seeds, group.values(name), strict=True)) for group in (one, two)]
        differences = [values[0][seed] - values[1][seed] for seed in seeds]
        if len(seeds) > 1 and all(map(math.isfinite, differences)):
            found[one.label, two.label] = Estimate.of(differences)
    return found


def _tested(found: RunComparison, data: DataLike | None) -> RunComparison:
    """Return a comparison with the tests of its groups."""
    reported: dict[Path, ReportedRun] = {}
    tests, notes = [], []
    for one, two in itertools.combinations(found.groups, 2):
        pair = _same_seed(one, two)
        try:
            if pair is None:
                raise InputError("they have no seed in common.")
            sides = [_with_data(record, data, reported) for record in pair]
            tests.append(paired_test(one.label, two.label, seed_of(pair[0]), *sides))
        except InputError as error:
            notes.append(f"{one.label} and {two.label} are not tested on the same rows: {error}")
    return RunComparison(
        *(found.groups, found.arguments, found.figures, found.ahead, tuple(tests), tuple(notes), reported)
    )


def _same_seed(one: RunGroup, two: RunGroup) -> tuple[RunRecord, RunRecord] | None:
    for record in one.records:
        other = two.of_seed(seed_of(record))
        if other is not None:
            return record, other
    return None


def _with_data(record: RunRecord, data: DataLike | None, known: dict[Path, ReportedRun]) -> ReportedRun:
    if record.run_dir not in known:
        given = data if isinstance(data, Dataset) else recorded_data(record, data)
        known[record.run_dir] = ReportedRun(record, given)
    return known[record.run_dir]
