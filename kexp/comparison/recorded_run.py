"""What a run folder records of how a run went, whether it has finished or not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS, OUTPUT_ONLY
from kexp.core.user_paths import user_path
from kexp.data.memory_forms import in_words, is_described
from kexp.run.checksums_file import RecordedChecksums, read_checksums
from kexp.run.metrics_file import read_epochs
from kexp.run.run_files import CONFIG, names_in, read_architecture, read_config, read_environment

ABSENT = "not given"


@dataclass(frozen=True)
class RecordedRun:
    """A run by its folder.

    Attributes:
        run_dir: The folder.
        config: Recipe and arguments.
        environment: Versions, hardware and data.
    """

    run_dir: Path
    config: dict[str, Any]
    environment: dict[str, Any]

    @classmethod
    def read(cls, name: str, run_dir: str | os.PathLike[str]) -> RecordedRun:
        """Return the run in a folder.

        Args:
            name: The argument, for the message.
            run_dir: The folder.

        Raises:
            InputError: There is none, or it is damaged.
        """
        path = user_path(name, run_dir)
        if CONFIG not in names_in(name, path, "the folder of a run"):
            raise InputError(f"{name} must be the folder of a run; {path} holds no {CONFIG}.")
        return cls(path, read_config(path), read_environment(path))

    @cached_property
    def checksums(self) -> RecordedChecksums | None:
        """Checksums of its state after some of its steps, or None where it has none."""
        return read_checksums(self.run_dir)

    @cached_property
    def architecture(self) -> dict[str, Any] | None:
        """Its models, or None where they were not recorded."""
        return read_architecture(self.run_dir)

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """Metrics of its epochs so far."""
        return read_epochs(self.run_dir)

    @property
    def arguments(self) -> dict[str, Any]:
        """What decides its result, those that it does not mention with their defaults."""
        given = {**DEFAULTS, **self.config["arguments"]}
        return {name: value for name, value in given.items() if name not in OUTPUT_ONLY}

    @property
    def data(self) -> dict[str, str]:
        """Name and fingerprint of its data."""
        found: dict[str, str] = self.environment["data"]
        return found


@dataclass(frozen=True)
class FactDifference:
    """A fact that is another one in another run.

    Attributes:
        name: Of the argument, the package or what else it is.
        first: Of the first run, in words.
        other: Of the other.
    """

    name: str
    first: str
    other: str

    def __str__(self) -> str:
        return f"{self.name}: {self.first} and {self.other}"


def argument_differences(first: RecordedRun, other: RecordedRun) -> list[FactDifference]:
    """Return which arguments differ between two runs, nested ones by their path; the recipe comes first."""
    found = flat_differences(first.arguments, other.arguments)
    if first.config["recipe"] != other.config["recipe"]:
        found.insert(0, FactDifference("recipe", first.config["recipe"], other.config["recipe"]))
    return found


def environment_differences(first: RecordedRun, other: RecordedRun) -> list[FactDifference]:
    """Return what differs between what two runs were run with, but for their data, seeds and notes."""
    facts, others = (
        {
            "versions": run.environment.get("versions") or {},
            "computation": run.environment.get("computation") or {},
            "hardware": run.environment.get("hardware") or {},
            "git": _git(run.environment.get("git")),
        }
        for run in (first, other)
    )
    return flat_differences(facts, others)


def _git(recorded: object) -> dict[str, str]:
    """Return the commit, and whether files were changed since: the changes themselves fill pages."""
    if not isinstance(recorded, dict):
        return {}
    diff = str(recorded.get("diff") or "")
    changed = f"{len(diff)} characters of changes" if diff else "no changes"
    return {"commit": str(recorded.get("commit"))[:12], "changes": changed}


def flat_differences(
    first: Mapping[str, Any], other: Mapping[str, Any], path: str = ""
) -> list[FactDifference]:
    """Return which entries of two mappings differ, by their paths.

    Example:
        >>> [str(one) for one in flat_differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 0})]
        ['a.c: 2 and 3', 'd: not given and 0']
    """
    found = []
    for name in dict.fromkeys((*first, *other)):
        one, two = first.get(name), other.get(name)
        whole = f"{path}{name}"
        nested = isinstance(one, Mapping) and isinstance(two, Mapping)
        if nested and not is_described(one) and not is_described(two):
            found += flat_differences(one, two, f"{whole}.")  # type: ignore[arg-type]
        elif one != two:
            shown = [in_words(side[name]) if name in side else ABSENT for side in (first, other)]
            found.append(FactDifference(whole, *shown))
    return found
