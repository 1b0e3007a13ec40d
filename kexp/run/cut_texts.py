"""Texts that a preprocessing cuts, as notes on the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kexp.core.errors import shown
from kexp.data import Dataset, Split
from kexp.data.lengths import cut_to
from kexp.models.preprocessing.token_counts import token_limit

_SHOWN = 24  # characters of the longest text


def with_cuts_noted(
    data: Dataset, preprocessing: keras.Model | None, target_preprocessing: keras.Model | None
) -> Dataset:
    """Return a data set with a note on its texts that a run will not read to their end, if there are any.

    Args:
        data: As it was loaded.
        preprocessing: Of its inputs, or None.
        target_preprocessing: Of its targets, or None.
    """
    splits = _splits(data)
    inputs = {part: split.inputs for part, split in splits.items()}
    targets = {part: split.targets for part, split in splits.items()}
    notes = _cut("text", preprocessing, inputs) + _cut("target text", target_preprocessing, targets)
    return replace(data, notes=(*data.notes, *notes))


def _splits(data: Dataset) -> dict[str, Split]:
    """Return the parts that are in memory."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {part: split for part, split in parts.items() if type(split) is Split}


def _cut(noun: str, preprocessing: keras.Model | None, parts: dict[str, Any]) -> list[str]:
    limit = None if preprocessing is None else token_limit(preprocessing)
    texts = {part: x for part, x in parts.items() if isinstance(x, np.ndarray) and x.dtype == object}
    if limit is None or not texts:
        return []
    cut = cut_to(limit.tokens, {part: limit.counts(each) for part, each in texts.items()})
    if cut is None:
        return []
    begins = shown(texts[cut.part][cut.position][:_SHOWN])
    return [f"of each {noun} the first {limit.tokens:,} {limit.noun} are read, which {cut} ({begins} …)."]
