"""Near copies of training samples in other parts: resized, rounded or slightly changed ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.spatial.distance import cdist

from kexp.core.name_lists import listed
from kexp.data import Dataset, Split
from kexp.data.dataset import DatasetSpec, sample_count, single_array
from kexp.data.splits import taken
from kexp.data.stored_arrays import blocks_of
from kexp.preflight.data_checks import row_hashes
from kexp.preflight.doctor.base import DataCheck, other_parts, some_rows
from kexp.preflight.doctor.column_frames import column_frame, has_columns
from kexp.preflight.doctor.sample_features import perceptual_hashes, projected_shingles, row_vectors
from kexp.preflight.findings import Finding

_MOST_TRAIN, _MOST_OTHER = 30_000, 5_000
_BLOCK = 1000
_FEW = 3
_GAP = 2  # as far again there must be nothing more: what merely looks alike is everywhere in between
_TYPICAL_PAIRS = 1000
_LEAST_WIDTH = 4  # columns, fewer of which are close by chance
_LONG = 40  # characters; shorter texts are alike by chance
# Of the distance of two samples drawn at random.
_NEAR = {"image": 0.07, "text": 0.45, "table": 0.02, "array": 0.02}


class NearCopies(DataCheck):
    """Samples of validation and test that are nearly a training sample; exact copies are told elsewhere.

    Nearness is measured against the distance of samples drawn at random: by perceptual hash for images, by
    standardised values for tables, by shingles for texts. Shifted, turned and cropped images are not found.
    """

    name: ClassVar[str] = "near copies"

    def applies(self, data: Dataset) -> bool:
        """Where samples can be compared; of series windows overlap as a rule."""
        spec, split = data.spec, data.train
        if not list(other_parts(data)) or sample_count(split.targets) < 2:
            return False
        if spec.kind == "image":
            return None not in spec.input_shape and len(spec.input_shape) == 3
        if spec.kind == "text":
            some = single_array(split.inputs)[:_BLOCK]
            return float(np.median([len(text) for text in some])) >= _LONG
        return has_columns(spec) and column_frame(split, spec, np.arange(1)).shape[1] >= _LEAST_WIDTH

    def findings(self, data: Dataset) -> list[Finding]:
        train, rows = _sample(data.train, _MOST_TRAIN)
        told, looked_at = [], []
        for name, split in other_parts(data):
            other, other_rows = _sample(split, _MOST_OTHER)
            pairs = near_pairs(train, other, data.spec)
            looked_at.append(f"{len(other_rows):,} {name} rows")
            if len(pairs) > _FEW:
                shown = listed([f"{other_rows[one]} ≈ {rows[two]}" for one, two in pairs])
                told.append(f"{len(pairs):,} of {looked_at[-1]} ({name} ≈ training {shown})")
        if told:
            text = f"nearly the same as training rows are {' and '.join(told)}"
            return [Finding(self.name, "warning", f"{text}; keep copies of a sample in one part.")]
        of = f"{' and '.join(looked_at)} are near copies of {len(rows):,} training rows"
        return [Finding(self.name, "ok", f"no more than {_FEW} of {of}.")]


def _sample(split: Split, most: int) -> tuple[Split, np.ndarray]:
    rows = some_rows(sample_count(split.targets), most)
    return taken(split, rows), rows


def near_pairs(train: Split, other: Split, spec: DatasetSpec) -> list[tuple[int, int]]:
    """Return which rows of another part are near which training row, without exact copies.

    Nothing is near where there are as many rows again a little further: there the data is dense; and no row
    of tables and texts that repeat themselves within the training part.

    Example:
        >>> import kexp
        >>> data = kexp.data.load("breast_cancer")
        >>> moved = {name: column * 1.0003 for name, column in data.train.inputs.items()}
        >>> near_pairs(data.train, Split(moved, data.train.targets), data.spec)[:2]
        [(0, 0), (1, 1)]
    """
    known, asked = _vectors(train, other, spec)
    nearest, distances = nearest_rows(known, asked)
    radius = _NEAR[spec.kind] * _typical_distance(known)
    # Of the same columns and other targets there are many where columns are few; images may differ unseen.
    exact = np.isin(row_hashes(other), row_hashes(train)) | ((distances == 0) & has_columns(spec))
    near = (distances <= radius) & ~exact
    further = (distances <= _GAP * radius) & ~exact
    is_dense = spec.kind != "text" and further.sum() > 2 * near.sum()
    if is_dense or (spec.kind != "image" and near.mean() <= 2 * _repeated(known, radius)):
        return []
    return [(int(row), int(nearest[row])) for row in np.flatnonzero(near)]


def _vectors(train: Split, other: Split, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray]:
    if has_columns(spec):
        known, asked = row_vectors([column_frame(split, spec) for split in (train, other)])
        return known, asked
    hashes = perceptual_hashes if spec.kind == "image" else projected_shingles
    known, asked = (
        np.concatenate([hashes(block) for block in blocks_of(single_array(split.inputs))])
        for split in (train, other)
    )
    return known, asked


def _typical_distance(vectors: np.ndarray) -> float:
    one, two = np.random.default_rng(0).integers(0, len(vectors), (2, _TYPICAL_PAIRS))
    return float(np.median(np.linalg.norm(vectors[one] - vectors[two], axis=1)[one != two]))


def _repeated(vectors: np.ndarray, radius: float) -> float:
    """Return the share of rows that have another one near, of a sample of them."""
    some = some_rows(len(vectors), _BLOCK)
    distances = cdist(vectors[some], vectors)
    distances[np.arange(len(some)), some] = np.inf
    return float((distances.min(axis=1) <= radius).mean())


def nearest_rows(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row of `asked` the nearest of `known`, and how far it is.

    Example:
        >>> rows, distances = nearest_rows(np.array([[0.0], [3.0]]), np.array([[2.0]]))
        >>> rows.tolist(), distances.tolist()
        ([1], [1.0])
    """
    lengths = (known**2).sum(axis=1)
    rows = np.concatenate(
        [
            np.argmin(lengths - 2 * asked[start : start + _BLOCK] @ known.T, axis=1)
            for start in range(0, len(asked), _BLOCK)
        ]
    )
    return rows, np.linalg.norm(asked - known[rows], axis=1)
