"""A data set after preprocessing: numbers and tokens, as a model in training takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras

from kexp.data import Dataset, Split
from kexp.data.stored_arrays import is_stored
from kexp.run.inference import raw_outputs


def preprocessed(data: Dataset, preprocessing: keras.Model) -> Dataset:
    """Return a data set with its inputs as a model takes them."""

    def apply(split: Split) -> Split:
        on_disk = is_stored(split.inputs)
        return replace(split, inputs=raw_outputs(preprocessing, split.inputs, 1024, on_disk=on_disk))

    return _each_part(data, apply)


def with_token_targets(data: Dataset, target_preprocessing: keras.Model) -> Dataset:
    """Return a data set with tokens in place of its target texts, (samples, steps) int32, 0 for padding."""

    def apply(split: Split) -> Split:
        return replace(split, targets=raw_outputs(target_preprocessing, split.targets, 1024))

    return _each_part(data, apply)


def teacher_forced(
    data: Dataset, preprocessing: keras.Model | None, target_preprocessing: keras.Model
) -> Dataset:
    """Return texts as tokens, for a model that is told all tokens before the one it is asked for.

    Williams and Zipser 1989, "A learning algorithm for continually running fully recurrent neural networks".

    Args:
        data: Texts with texts as targets.
        preprocessing: From input texts to (batch, source steps) tokens, or None where targets are all.
        target_preprocessing: From target texts to (batch, steps + 1) tokens, 0 for padding.

    Returns:
        Inputs (samples, steps) int32, or with a preprocessing these as "previous" beside "source"; targets
        (samples, steps) int32, the tokens one step later.
    """

    def apply(split: Split) -> Split:
        tokens = raw_outputs(target_preprocessing, split.targets, 1024)
        previous, targets = tokens[:, :-1], tokens[:, 1:]
        if preprocessing is None:
            return Split(previous, targets)
        source = raw_outputs(preprocessing, split.inputs, 1024)
        return Split({"previous": previous, "source": source}, targets)

    return _each_part(data, apply)


def _each_part(data: Dataset, apply: Callable[[Split], Split]) -> Dataset:
    return replace(
        data,
        train=apply(data.train),
        validation=data.validation and apply(data.validation),
        test=data.test and apply(data.test),
    )
