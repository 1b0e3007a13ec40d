"""Classical methods tried on the data of a network: fitted, chosen and measured beside it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from kexp.classical import ClassicalMethod, fitting_methods
from kexp.classical.classical_comparison import ClassicalComparison, MethodResult
from kexp.data.dataset import Dataset, DatasetSpec, Split
from kexp.data.splits import in_memory, taken
from kexp.metrics.direction import better
from kexp.metrics.intervals import difference_interval
from kexp.metrics.row_scores import RowScores
from kexp.tasks import task_named
from kexp.tasks.classification import class_indices
from kexp.tasks.output_part import OutputPart

LIMIT_S = 60.0  # which the rule of rows keeps well away from
_NONE = "no classical method fits such data, or has time for enough of them"
_CHOICE_SHARE = 0.2  # of the training rows, where there are no others to choose on


def compare_methods(
    data: Dataset, measured: Split, predictions: Mapping[str, np.ndarray], prefix: str, seed: int
) -> ClassicalComparison:
    """Return a network beside the classical methods that fit its data.

    Every method is fitted to training rows. The one that is better on validation data is the one that is
    named; without such, or where they are what is measured on, a fifth of the training rows are kept for that
    choice. Weights of samples and classes, which are of the network's loss, are left out.

    Of several outputs, or several targets of a forecast, each has a comparison of its own.

    Args:
        data: Raw, with a spec of the network's predictions.
        measured: The test part; or the validation part, of data without one.
        predictions: The network's of `measured`, by name.
        prefix: "test_" or "val_".
        seed: Of rows that are drawn, and of methods that draw.
    """
    parts, started_s = task_named(data.spec.task).parts(data.spec), time.perf_counter()
    if not parts:
        return _compared_with(data, measured, predictions, prefix, seed, started_s)
    each = {}
    for part in parts:
        own, answers = _only(data, part, measured), part.predictions(predictions)
        found = _compared_with(own, part.split(measured), answers, prefix, seed, started_s)
        each[part.name] = _named(found, part, prefix)
    return ClassicalComparison(outputs=each)


def _only(data: Dataset, part: OutputPart, measured: Split) -> Dataset:
    """Return data with one of several outputs alone; what is measured on chooses nothing."""
    chosen = None if data.validation is measured else data.validation
    validation = None if chosen is None else part.split(chosen)
    return Dataset(data.name, part.split(data.train), validation, None, part.spec, data.fingerprint)


def _named(found: ClassicalComparison, part: OutputPart, prefix: str) -> ClassicalComparison:
    """Return a comparison whose metric has the name that the run has for it."""
    stem = found.metric.removeprefix(prefix)
    return replace(found, metric=f"{prefix}{part.metric(stem)}", figure=stem) if stem else found


def _compared_with(
    data: Dataset,
    measured: Split,
    predictions: Mapping[str, np.ndarray],
    prefix: str,
    seed: int,
    started_s: float,
) -> ClassicalComparison:
    if not len(measured.targets):
        return ClassicalComparison(reason="there are no targets to compare with")
    scores = task_named(data.spec.task).row_scores(measured.targets, predictions, data.spec)
    if scores is None:
        return ClassicalComparison(reason=f"no classical method is known here for {data.spec.task}")
    if len(scores.values) < 2 or len(data.train) < 2:
        return ClassicalComparison(reason="there are too few rows to compare on")
    train, choice = data.train, data.validation
    if choice is None or choice is measured:
        train, choice = _divided(data.train, seed)
    if not _vary(train, data.spec):
        return ClassicalComparison(reason="all training rows have the same target")
    data = replace(data, train=train, validation=choice, test=None)
    return _compared(data, measured, scores, prefix, seed, started_s)


def _compared(
    data: Dataset, measured: Split, scores: RowScores, prefix: str, seed: int, started_s: float
) -> ClassicalComparison:
    """Return the network beside every method that takes the data and is done in time."""
    found, failures, seconds = [], {}, {}
    with _one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an optimizer has not converged is no news at its limit
        for method in fitting_methods(data):
            begun_s, name = time.perf_counter(), method.title(data.spec)
            try:
                found.append(_tried(method, data, measured, scores, seed))
            # The network's figures must not be lost.
            except (ValueError, ArithmeticError, MemoryError) as error:
                failures[name] = str(error) or type(error).__name__
            seconds[name] = round(time.perf_counter() - begun_s, 3)
            if time.perf_counter() - started_s > LIMIT_S:
                return ClassicalComparison(reason=f"not finished within {LIMIT_S:.0f} s")
    if not found:
        return ClassicalComparison(reason=_NONE, failures=failures)
    sign = 1 if better(scores.metric) == "max" else -1
    chosen = max(found, key=lambda one: sign * one.chosen_by)  # the first of equals
    results = (f"{prefix}{scores.metric}", scores.is_share, tuple(found), chosen.name)
    return ClassicalComparison(*results, failures=failures, seconds=seconds)


def _tried(
    method: ClassicalMethod, data: Dataset, measured: Split, scores: RowScores, seed: int
) -> MethodResult:
    """Return what a method comes to on the rows that it has time for."""
    most, spec = method.most_rows(data), data.spec
    assert data.validation is not None
    train, choice, tested = (_some(split, most, seed) for split in (data.train, data.validation, measured))
    fitted = method.fit(train[0], choice[0], spec, seed)
    own = [_scores(fitted.predict(split.inputs), split, spec) for split, _ in (choice, tested)]
    network = scores._replace(values=scores.values[tested[1]])
    return MethodResult(
        name=method.title(spec),
        words=fitted.words,
        figure=own[1].figure,
        chosen_by=own[0].figure,
        rows=len(train[1]),
        all_rows=len(data.train),
        measured_rows=len(tested[1]),
        all_measured_rows=len(measured),
        network=network.figure,
        difference=own[1].figure - network.figure,
        interval=difference_interval(own[1].values, network.values, of_roots=scores.is_root),
    )


def _scores(outputs: np.ndarray, split: Split, spec: DatasetSpec) -> RowScores:
    task = task_named(spec.task)
    predictions = task.named_predictions(outputs, spec, from_probabilities=True)
    found = task.row_scores(split.targets, predictions, spec)
    if found is None:
        raise ValueError("its predictions are not finite")
    return found


def _some(split: Split, most: int, seed: int) -> tuple[Split, np.ndarray]:
    """Return at most so many rows of a part, drawn by the seed, in memory, and their places."""
    rows = np.arange(len(split))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
        split = taken(split, rows)
    return in_memory(split), rows


def _divided(train: Split, seed: int) -> tuple[Split, Split]:
    """Return the training rows in two: to fit to, and to choose on."""
    order = np.random.default_rng(seed).permutation(len(train))
    kept = max(1, round(_CHOICE_SHARE * len(train)))
    return taken(train, np.sort(order[kept:])), taken(train, np.sort(order[:kept]))


def _vary(train: Split, spec: DatasetSpec) -> bool:
    """Return whether there is anything to learn of the targets."""
    targets = np.asarray(train.targets)
    classes = class_indices(targets, spec.outputs) if task_named(spec.task).has_labels else targets
    return classes is not None and len(classes) > 0 and bool(np.ptp(classes, axis=0).any())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums are then the same on any number of cores, and nobody is waited for."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
