"""Drawing the parts of a data set, and the fingerprint of what they are drawn from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.alike_names import alike_names
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split
from kexp.data.folds import Fold, current_fold
from kexp.data.split_ways import SplitWay, held_groups, latest
from kexp.data.stored_arrays import StoredArray, is_stored, taken_columns
from kexp.data.table_columns import Column
from kexp.data.targets import target_kinds

Parts = dict[str, tuple[Inputs, np.ndarray]]

_DAY_S = 86400.0
_TEXTS_AT_ONCE = 1024
# Of so many samples a share has a standard error of 0.07 at 0.8: more than what epochs differ by.
FEWEST_TO_CHOOSE_BY = 30
FEWEST_OF_A_CLASS = 5
TEST_SEED = 0  # fixed: whatever seed a run takes, no search ever looks at a test sample


def fingerprint(parts: Mapping[str, tuple[Inputs, Any]], *described: object) -> str:
    """SHA-256 of the content of a data set, the same in every process and however it will be split.

    Args:
        parts: Inputs and targets by part, as the source has them; validation counts as training.
        described: What else belongs to the content, as plain values: class names, columns and the like.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> x, y = np.zeros((2, 3), np.float32), np.array([0, 1], np.int32)
        >>> fingerprint({"train": (x, y)}, ("cat", "dog"))[:8]
        '2d998633'
    """
    digest = hashlib.sha256(repr(described).encode())
    for group in (("train", "validation"), ("test",)):
        pairs = [parts[part] for part in group if part in parts]
        for arrays in zip(*map(_arrays, pairs), strict=True):
            samples = sum(len(array) for array in arrays)
            digest.update(f"{group[0]} {samples} {arrays[0].shape[1:]} {arrays[0].dtype}".encode())
            for array in arrays:
                _update(digest, array)
    return digest.hexdigest()


def _arrays(pair: tuple[Inputs, Any]) -> list[np.ndarray]:
    return [
        array for arrays in pair for array in (arrays.values() if isinstance(arrays, Mapping) else [arrays])
    ]


def _update(digest: hashlib._Hash, array: np.ndarray) -> None:
    if isinstance(array, StoredArray):
        for block in array.blocks():
            _update(digest, block)
        return
    if array.dtype.kind != "O":
        digest.update(np.ascontiguousarray(array).data)
        return
    texts = array.ravel().tolist()
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        encoded = [text.encode() for text in texts[first : first + _TEXTS_AT_ONCE]]
        # The length of each first, so that "ab" + "c" is not "a" + "bc".
        digest.update(b"".join(len(one).to_bytes(8, "little") + one for one in encoded))


def join_validation(parts: Parts) -> Parts:
    """Add the validation part of a source to its training part."""
    if "validation" not in parts:
        return parts
    first, second = _arrays(parts["train"]), _arrays(parts["validation"])
    *inputs, targets = [_joined(*pair) for pair in zip(first, second, strict=True)]
    train = parts["train"][0]
    joined = dict(zip(train, inputs, strict=True)) if isinstance(train, Mapping) else inputs[0]
    return {"train": (joined, targets)} | {part: pair for part, pair in parts.items() if part == "test"}


def _joined(first: Any, second: Any) -> Any:
    return first.joined(second) if isinstance(first, StoredArray) else np.concatenate([first, second])


def to_divide(
    parts: Parts, rows: Mapping[str, RowFacts], validation: float
) -> tuple[Parts, Mapping[str, RowFacts]]:
    """Return the parts of a source, and what is known of their rows, of which the others are to be drawn.

    Without a validation part, or where a fold is to be held out, what the source has of it is training data;
    and a part that the fold is to be is left out.

    Args:
        parts: Inputs and targets by part, as the source has them.
        rows: What is known of their rows, by part.
        validation: Share of the training part to validate on.
    """
    fold = current_fold()
    if validation == 0 or fold is not None:
        parts = join_validation(parts)
        if "validation" in rows:
            joined = {"train": rows["train"].joined(rows["validation"])}
            rows = joined | {part: facts for part, facts in rows.items() if part == "test"}
    if fold is None:
        return parts, rows
    others = {part: pair for part, pair in parts.items() if part != fold.part}
    return others, {part: facts for part, facts in rows.items() if part in others}


@dataclass(frozen=True)
class RowFacts:
    """What the rows of a part of a source belong to, when they are from, and what they count.

    Attributes:
        groups: (samples,), or None.
        times: (samples,) float64, or None.
        time_column: How the times are written; None: there are none.
        weights: (samples,) float32, or None.
    """

    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    time_column: Column | None = None
    weights: np.ndarray | None = None

    def taken(self, index: np.ndarray) -> RowFacts:
        """Return what is known of some of the rows."""

        def of(facts: np.ndarray | None) -> np.ndarray | None:
            return None if facts is None else facts[index]

        return RowFacts(of(self.groups), of(self.times), self.time_column, of(self.weights))

    @property
    def time_unit(self) -> float:
        """Of `times` for people: in days there are so many."""
        return _DAY_S if self.time_column is not None and self.time_column.kind == "date" else 1.0

    def joined(self, other: RowFacts) -> RowFacts:
        """Return the facts of these rows and those of another part after them."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("groups", "times", "weights"))
        groups, times, weights = (None if one is None else np.concatenate([one, two]) for one, two in pairs)
        return RowFacts(groups, times, self.time_column, weights)


def make_splits(
    name: str,
    parts: Parts,
    spec: DatasetSpec,
    *,
    validation: float,
    test: float,
    seed: int,
    way: SplitWay | None = None,
    rows: Mapping[str, RowFacts] | None = None,
) -> dict[str, Split]:
    """Draw the parts that the source does not have, and make all of them read-only.

    Args:
        name: Name of the data, for messages.
        parts: Inputs and encoded targets by part.
        spec: Task, whose kind of targets says what every split gets its share of, and class names for
            messages.
        validation: Fraction of the training part to validate on; 0 for none.
        test: Fraction of the whole to test on; 0 for none.
        seed: Seed of the validation part; the test part is always the same.
        way: How they are drawn; default: each class in proportion.
        rows: What the rows of the parts belong to and when they are from; default: nothing is known.

    Returns:
        The splits by part, without those that are not wanted.

    Raises:
        InputError: When there are too few samples, or too few of some class, or groups.
    """
    way, known, fold = way or SplitWay(), dict.fromkeys(parts, RowFacts()) | dict(rows or {}), current_fold()
    inputs, targets = parts["train"]
    wanted = [
        part
        for part, share in (("test", test), ("validation", validation))
        if (share > 0 and part not in parts) or (fold is not None and part == fold.part)
    ]
    strata = target_kinds()[spec.task].strata(targets)
    if way.name != "stratified":
        strata = np.zeros(len(targets), int)
    if way.name in ("stratified", "random"):
        _require_enough(name, strata, spec.class_names or ("samples",), ["train", *wanted])
    index = {"train": np.arange(len(targets))}
    for part in wanted:
        if fold is not None and part == fold.part:
            kept, held = _folded(fold, way, known["train"].taken(index["train"]), strata[index["train"]])
        else:
            # The test part leaves room for a validation part even if none is wanted: it is always the same.
            share, part_seed, keep = (test, TEST_SEED, 2) if part == "test" else (validation, seed, 1)
            kept, held = _divided(way, known["train"], strata, index["train"], share, part_seed, keep)
        index["train"], index[part] = index["train"][kept], index["train"][held]
    whole = Split(inputs, targets, known["train"].weights)
    drawn = {part: taken(whole, one) if wanted else whole for part, one in index.items()}
    splits = {
        part: read_only(split.inputs, split.targets, split.sample_weight) for part, split in drawn.items()
    }
    if fold is not None:
        splits[fold.part] = replace(splits[fold.part], rows=index[fold.part])
    own = {part for part, share in (("validation", validation), ("test", test)) if share > 0} - index.keys()
    return splits | {part: read_only(*parts[part], known[part].weights) for part in sorted(own)}


def fewest_to_choose_by(spec: DatasetSpec, targets: Any, least: int = FEWEST_TO_CHOOSE_BY) -> int:
    """Return how many validation samples it takes at least to choose an epoch by.

    Args:
        spec: Task and classes.
        targets: Of the validation samples.
        least: Samples in all, default 30; of each class it takes 5.

    Example:
        >>> from kexp.data import load
        >>> data = load("japanese_vowels")
        >>> fewest_to_choose_by(data.spec, data.validation.targets), len(data.validation)
        (45, 27)
    """
    classes = len(spec.class_names) if np.ndim(targets) == 1 else 0
    return max(least, FEWEST_OF_A_CLASS * classes)


def _divided(
    way: SplitWay, rows: RowFacts, strata: np.ndarray, index: np.ndarray, share: float, seed: int, keep: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of some rows stay and which are held out."""
    if way.name == "group":
        assert rows.groups is not None
        return held_groups(rows.groups[index], share, seed, keep)
    if way.name == "time":
        assert rows.times is not None
        return latest(rows.times[index], share, way.gap * rows.time_unit)
    return hold_out(strata[index], share, seed, keep)


def folded(data: Dataset, validation: float, seed: int) -> Dataset:
    """Return a data set that is divided already, divided anew where a fold of it is asked for.

    Its training and validation parts are joined first, and the test part too is left out if a fold is to be.

    Args:
        data: The data set.
        validation: Share of what is trained on to validate on, where the data set has such a part.
        seed: Of that draw.

    Raises:
        InputError: Its parts are read as they are trained on.
    """
    fold = current_fold()
    if fold is None:
        return data
    read = [split for split in (data.train, data.validation) if split is not None]
    if not all(isinstance(split, Split) for split in read):
        raise InputError(
            f"data {data.name!r}: expected arrays to hold out folds of, received batches that are read while "
            "they are trained on; pass arrays."
        )
    pairs = zip(("train", "validation"), read, strict=False)
    parts = join_validation({part: (split.inputs, split.targets) for part, split in pairs})
    weights = [split.sample_weight for split in read if split.sample_weight is not None]
    facts = RowFacts(weights=np.concatenate(weights) if len(weights) == len(read) else None)
    share, rows = 0.0 if data.validation is None else validation, {"train": facts}
    drawn = make_splits(data.name, parts, data.spec, validation=share, test=0.0, seed=seed, rows=rows)
    note = f"folds of {data.name!r}, which is divided already, take its samples for independent ones."
    return replace(
        data,
        train=drawn["train"],
        validation=drawn.get("validation"),
        test=drawn.get("test") if fold.part == "test" else data.test,
        notes=(*data.notes, note),
    )


def _folded(fold: Fold, way: SplitWay, rows: RowFacts, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of some rows a fold of a cross-validation trains on and holds out."""
    return fold.divide(way.name, strata, rows.groups, rows.times, way.gap * rows.time_unit)


def hold_out(strata: np.ndarray, fraction: float, seed: int, keep: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows of each class in proportion, at least one of them on either side.

    scikit-learn's stratified split may leave a rare class out of a part; this one cannot.

    Args:
        strata: (samples,) class of each row, every class with 2 rows or more.
        fraction: Share to hold out, above 0 and below 1.
        seed: Seed of the draw, 0 or more.
        keep: Rows of each class that stay where there are enough, whatever the fraction; default 1.

    Returns:
        The rows that are kept and those held out, both ascending.

    Example:
        >>> kept, held = hold_out(np.array([0, 0, 0, 0, 1, 1]), fraction=0.25, seed=0)
        >>> kept.tolist(), held.tolist()
        ([0, 1, 3, 4], [2, 5])
    """
    rng = np.random.default_rng(seed)
    kept, held = [], []
    for rows in _rows_by_class(strata):
        count = min(max(round(fraction * len(rows)), 1), max(len(rows) - keep, 1))
        shuffled = rng.permutation(rows)
        held.append(shuffled[:count])
        kept.append(shuffled[count:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))


def _rows_by_class(strata: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(strata, kind="stable")
    _, starts = np.unique(strata[order], return_index=True)
    return np.split(order, starts[1:])


def _require_enough(name: str, strata: np.ndarray, names: Sequence[str], parts: Sequence[str]) -> None:
    classes, counts = np.unique(strata, return_counts=True)
    rarest = int(counts.argmin())
    if counts[rarest] >= len(parts):
        return
    what = f"{counts[rarest]} in all"
    if len(classes) > 1:
        label = names[classes[rarest]]
        what = f"{counts[rarest]} of class {shown(label)}"
        others = [name for name in names if name != label and alike_names([label, name])]
        what += f", elsewhere written {shown(others[0])}" if others else ""
    raise InputError(
        f"data {name!r}: too few samples ({what}; {len(strata)} samples, {len(classes)} classes), expected "
        f"one of each at least for {', '.join(parts)}; add samples, drop that class, pass validation=0 or "
        f"test=0, or task='regression' if the targets are quantities."
    )


def read_only(inputs: Inputs, targets: np.ndarray, sample_weight: np.ndarray | None = None) -> Split:
    """Return a part of a data set, whose arrays can no longer be written to."""
    for array in _arrays((inputs, targets)) + ([] if sample_weight is None else [sample_weight]):
        if isinstance(array, np.ndarray):  # what is stored is only read
            array.setflags(write=False)
    fixed = MappingProxyType(dict(inputs)) if isinstance(inputs, Mapping) else inputs
    return Split(fixed, targets, sample_weight)


def taken(split: Split, rows: slice | np.ndarray) -> Split:
    """Return some samples of a part; of those on the disk a view.

    Args:
        split: The part.
        rows: Which of them.
    """

    def of(arrays: Any) -> Any:
        if isinstance(arrays, StoredArray):
            return arrays.taken(rows)
        if arrays is None or isinstance(arrays, np.ndarray):
            return None if arrays is None else arrays[rows]
        if is_stored(arrays):
            return taken_columns(arrays, rows)
        return {name: array[rows] for name, array in arrays.items()}

    return Split(of(split.inputs), of(split.targets), of(split.sample_weight), of(split.rows))


def head(split: Split, samples: int) -> Split:
    """Return the first samples of a part."""
    return taken(split, slice(0, samples))


def in_memory(split: Split) -> Split:
    """Return a part with inputs in memory, where they are on the disk."""
    if not is_stored(split.inputs):
        return split
    inputs = split.inputs
    held = (
        {name: np.asarray(array) for name, array in inputs.items()}
        if isinstance(inputs, Mapping)
        else np.asarray(inputs)
    )
    return replace(split, inputs=held)
