"""Checks of the data: values that can be trained on, classes, and rows that are in two parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from kexp.core.name_lists import listed
from kexp.data import Dataset, Split
from kexp.data.series import complete
from kexp.data.splits import taken
from kexp.data.stored_arrays import blocks_of
from kexp.data.table_columns import ColumnFacts
from kexp.preflight.findings import Finding, Status
from kexp.run.training_setup import TrainingSetup
from kexp.tasks import task_named

_HASHED_ROWS = 100_000  # of a part; about a second
# Rows in two parts are leakage from here on; real data has a few, and small parts make any share large.
_LEAKED_SHARE = 0.01
_LEAKED_ROWS = 3
_IMBALANCE = 10
_SHOWN = 5
_LISTED = 60  # columns


def data_findings(training: TrainingSetup) -> list[Finding]:
    """Return what is found without the model."""
    findings = [_values(training), *_leakage(training)]
    if task_named(training.raw.spec.task).has_classes:
        findings.insert(1, _classes(training))
    facts = training.raw.spec.column_facts[:_LISTED]
    findings += [Finding("column", "ok", _described(one)) for one in facts]
    findings += [Finding("budget", "ok", note) for note in training.budget]
    return findings + [Finding("note", "warning", note) for note in training.raw.notes]


def _described(facts: ColumnFacts) -> str:
    missing = f", {facts.missing:,} missing" if facts.missing else ""
    values = f"{facts.distinct:,} distinct{missing}, such as {', '.join(facts.examples)}"
    return f"{facts.name}: {facts.kind}, {values}."


def _values(training: TrainingSetup) -> Finding:
    wrong = [text for part, split in _parts(training.data) for text in _wrong_values(part, split, training)]
    if wrong:
        return Finding("data", "problem", "; ".join(wrong) + ".")
    spec = training.raw.spec
    if task_named(spec.task).has_classes:
        return Finding("data", "ok", f"labels are within 0..{spec.outputs - 1}, inputs are finite.")
    return Finding("data", "ok", "targets and inputs are finite.")


def _parts(data: Dataset) -> Iterator[tuple[str, Split]]:
    yield "training", data.train
    if data.validation is not None and data.validation is not data.train:
        yield "validation", data.validation


def _wrong_values(part: str, split: Split, training: TrainingSetup) -> Iterator[str]:
    spec, targets = training.data.spec, split.targets
    if not _finite_rows(targets).all():
        yield f"targets of {part} samples {_some(~_finite_rows(targets))} are not finite"
    elif task_named(spec.task).has_classes and targets.dtype.kind in "iu":
        outside = ((targets < 0) | (targets >= spec.outputs)).reshape(len(targets), -1).any(axis=1)
        if outside.any():
            yield (
                f"labels of {part} samples {_some(outside)} are outside 0..{spec.outputs - 1}, from "
                f"{targets.min()} to {targets.max()}"
            )
    # In the columns of a table NaN says that a value is missing, and at the end of a series that there is no
    # further step, which is the model's to deal with.
    if not isinstance(split.inputs, Mapping):
        finite = np.concatenate([_finite_rows(block) for block in blocks_of(split.inputs)])
        if not finite.all():
            yield f"inputs of {part} samples {_some(~finite)} hold NaN or infinity"


def _finite_rows(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return np.ones(len(array), bool)
    return complete(array)  # (samples,)


def _some(mask: Any) -> str:
    """Return the first positions at which `mask` holds, and how many there are if there are more."""
    positions = np.flatnonzero(mask)
    shown = ", ".join(map(str, positions[:_SHOWN]))
    return shown if len(positions) <= _SHOWN else f"{shown}, … ({len(positions):,} in all)"


def _classes(training: TrainingSetup) -> Finding:
    data, options = training.raw, training.options
    names, classes = data.spec.class_names, data.spec.outputs
    task = task_named(data.spec.task)
    counts = _counts(data.train, classes, task.labels_of)
    missing = np.flatnonzero(counts == 0)
    shortened = options["fast_dev_run"] or options["overfit_batches"]
    if len(missing):
        status: Status = "warning" if shortened else "problem"
        return Finding("classes", status, f"no training sample of {_named(missing, names)}.")
    least, most = int(counts.argmin()), int(counts.argmax())
    each = f"{task.counted} each"
    spread = f"{counts[least]:,} ({_name(least, names)}) to {counts[most]:,} ({_name(most, names)}) {each}"
    if counts[least] == counts[most]:
        spread = f"{counts[least]:,} {each}"
    if data.validation is not None:
        absent = np.flatnonzero(_counts(data.validation, classes, task.labels_of) == 0)
        if len(absent):
            return Finding(
                "classes", "warning", f"no validation sample of {_named(absent, names)}; {spread}."
            )
    ratio = counts[most] / counts[least]
    weighted = options["class_weight"] is not None or training.sample_weight is not None
    # Of pixels most are background, as a rule, and there are no weights of classes for them.
    if ratio > _IMBALANCE and not weighted and task.has_labels:
        advice = 'class_weight="balanced" would weigh them alike'
        return Finding("classes", "warning", f"{spread}, {ratio:.0f} to 1; {advice}.")
    return Finding("classes", "ok", f"{spread}.")


def _counts(split: Split, classes: int, labels_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    labels = labels_of(split.targets)
    return np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes)


def _named(classes: np.ndarray, names: tuple[str, ...]) -> str:
    shown = listed([_name(int(number), names) for number in classes], _SHOWN)
    return f"class {shown}" if len(classes) == 1 else f"classes {shown}"


def _name(number: int, names: tuple[str, ...]) -> str:
    return repr(names[number]) if number < len(names) else str(number)


def _leakage(training: TrainingSetup) -> Iterator[Finding]:
    """Look up the rows of validation and test data among those of the training data."""
    data = training.raw
    others = [("validation", data.validation), ("test", data.test)]
    # With overfit_batches the training data validates itself, as was asked for.
    others = [(name, part) for name, part in others if part is not None and part is not data.train]
    if not others:
        return
    train = row_hashes(_some_rows(data.train))
    order = np.argsort(train, kind="stable")
    ordered = train[order]
    distinct, counts = np.unique(ordered, return_counts=True)
    repeated = 1 - (counts == 1).sum() / max(1, len(train))
    for name, part in others:
        assert part is not None
        hashes = row_hashes(_some_rows(part))
        found = np.isin(hashes, distinct)
        rows = np.flatnonzero(found)[:_SHOWN]
        twins = order[np.searchsorted(ordered, hashes[rows])]
        pairs = [
            f"{_original(part, row)} = {_original(data.train, twin)}"
            for row, twin in zip(rows, twins, strict=True)
        ]
        whole = len(train) == len(data.train)
        yield _leak(name, int(found.sum()), len(hashes), float(repeated), pairs, whole=whole)


def _leak(name: str, count: int, rows: int, repeated: float, pairs: list[str], *, whole: bool) -> Finding:
    title = f"{name} rows"
    of = f"{rows:,} {name} rows" + ("" if whole else " that were looked up in a sample")
    if not count:
        return Finding(title, "ok", f"none of {of} is among the training rows.")
    share = count / rows
    text = (
        f"{count:,} of {of} ({share:.1%}) {'is' if count == 1 else 'are'} among the training rows too: "
        f"{name} = training {', '.join(pairs)}{', …' if count > len(pairs) else ''}"
    )
    # Data that repeats itself within one part will do so across two.
    leaked = share > _LEAKED_SHARE and count > _LEAKED_ROWS and share > 2 * repeated
    if leaked:
        return Finding(
            title, "problem", f"{text}; {name} metrics would be too good, so split the data again."
        )
    return Finding(title, "warning", f"{text}.")


def _chosen(split: Split) -> np.ndarray | None:
    if len(split) <= _HASHED_ROWS:
        return None
    return np.sort(np.random.default_rng(0).choice(len(split), _HASHED_ROWS, replace=False))


def _some_rows(split: Split) -> Split:
    chosen = _chosen(split)
    return split if chosen is None else taken(split, chosen)


def _original(split: Split, row: np.integer) -> int:
    """Return the position in a part of the row of `_some_rows`."""
    chosen = _chosen(split)
    return int(row if chosen is None else chosen[row])


def row_hashes(split: Split) -> np.ndarray:
    """Return (samples,) 64-bit hashes of the inputs, for a table, whose rows are short, with the targets.

    Example:
        >>> images = np.array([[[1], [2]], [[2], [1]], [[1], [2]]], "uint8")
        >>> first, second, third = row_hashes(Split(images, np.array([0, 1, 2])))
        >>> bool(first == third), bool(first == second)
        (True, False)
    """
    if not isinstance(split.inputs, Mapping):
        rows = chain.from_iterable(map(np.ascontiguousarray, blocks_of(split.inputs)))
        contents = (row.encode() if isinstance(row, str) else row.tobytes() for row in rows)
        digests = b"".join(hashlib.blake2b(content, digest_size=8).digest() for content in contents)
        return np.frombuffer(digests, np.uint64)
    import pandas as pd

    targets = split.targets.reshape(len(split), -1)
    arrays = {name: np.asarray(column) for name, column in split.inputs.items()}
    columns = {
        f"input {name}": array if array.ndim == 1 else row_hashes(Split(array, split.targets))
        for name, array in arrays.items()
    }
    columns |= {f"target {number}": column for number, column in enumerate(targets.T)}
    return pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
