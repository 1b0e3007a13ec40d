"""Data that `kexp.fit` is given in place of a data set: a name, arrays, or batches of the caller's own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.options import TrainOptions
from kexp.core.structures import Structure, is_nested, leaves, packed
from kexp.core.types import Nest
from kexp.data import Dataset, Split, load
from kexp.data.array_specs import ArraySpec
from kexp.data.batch_feed import BatchFeed, FedSplit, described, fed_split
from kexp.data.dataset import DatasetSpec, Kind
from kexp.data.feed_kinds import ends, feed_of
from kexp.data.given_arrays import GivenArrays, as_array, given_arrays
from kexp.data.merging_numbers import merging_notes
from kexp.data.splits import fingerprint
from kexp.run.fit_plan import EpochOptions, FitPlan, GivenData

_Resolved = tuple[Dataset, Structure, Structure]  # with the nests of inputs and targets
_IMAGE_CHANNELS = (1, 3, 4)


def with_data(plan: FitPlan, options: TrainOptions) -> FitPlan:
    """Return a plan with a data set, which is made of what was given in its place.

    Args:
        plan: What is trained, and on what.
        options: Complete training options.

    Raises:
        InputError: The data cannot be used as they are.
    """
    given = plan.given
    if given is None:
        return plan
    if given.y is None and isinstance(given.x, str | Path):
        return replace(plan, data=load(given.x, validation=options["validation"], seed=options["seed"]))
    if given.by_task:
        data = data_of_task(given, options)
        weights = plan.sample_weight
        if given.validation_split and weights is not None:
            weights = as_array("sample_weight", weights)[: len(data.train)]
        return replace(plan, data=data, sample_weight=weights)
    data, inputs, targets = data_of_keras(plan.model, given, plan.epochs, options)
    # The weights are with the samples by now.
    return replace(plan, data=data, inputs=inputs, targets=targets, sample_weight=None)


def data_of_task(given: GivenData, options: TrainOptions) -> Dataset:
    """Return data in memory as `kexp.data.load` understands them, all of them to train and validate on.

    Args:
        given: Arrays, or whatever has its targets in it.
        options: Training options, of which seed is read.

    Raises:
        InputError: The data cannot be used as they are.
    """
    share = given.validation_split or given.validation
    if given.y is None:
        return load(given.x, test=0.0, validation=share, seed=options["seed"])
    parts: dict[str, Any] = {"x_train": given.x, "y_train": given.y}
    if given.validation_data is not None:
        parts["x_validation"], parts["y_validation"] = given.validation_data[:2]
    elif given.validation_split:
        found = given_arrays(given.x, given.y, validation_split=given.validation_split)
        assert found.validation is not None
        for name, part in (("train", found.train), ("validation", found.validation)):
            parts[f"x_{name}"], parts[f"y_{name}"] = part.inputs, part.targets
    # Of data with a validation part the share says nothing, but that 0 would train on it too.
    share = 0.5 if "x_validation" in parts else given.validation
    return load(parts, test=0.0, validation=share, seed=options["seed"])


def data_of_keras(
    model: keras.Model, given: GivenData, epochs: EpochOptions, options: TrainOptions
) -> _Resolved:
    """Return data as Keras's `fit` takes them, with the nests of inputs and targets.

    Args:
        model: Names its inputs and outputs, if it has names.
        given: Arrays, nests of them, or batches.
        epochs: What the epochs are.
        options: Training options, of which seed is read.

    Raises:
        InputError: The data cannot be used as they are.
    """
    names = _names(model, "input_names"), _names(model, "output_names")
    feed = feed_of(given.x, shuffle=epochs.shuffle, seed=options["seed"])
    if feed is not None:
        if epochs.steps is None and not ends(feed):
            raise InputError(f"steps_per_epoch must be given for a {feed.noun} without an end.")
        return _of_feed(feed, given, epochs, names)
    arrays = given_arrays(
        given.x,
        given.y,
        given.sample_weight,
        validation_data=_validation(given, epochs),
        validation_split=given.validation_split or given.validation,
        input_names=names[0],
        output_names=names[1],
    )
    data, inputs, targets = _dataset(arrays, "arrays", None)
    # Whole numbers stay what they are; they may be those of tokens.
    floats = [one for one in leaves(given.x) if getattr(getattr(one, "dtype", None), "kind", "") == "f"]
    merging = dict.fromkeys(note for one in floats for note in merging_notes("the inputs are", one))
    return replace(data, notes=tuple(merging)), inputs, targets


def _of_feed(
    feed: BatchFeed, given: GivenData, epochs: EpochOptions, names: tuple[Sequence[str], Sequence[str]]
) -> _Resolved:
    for name in ("y", "sample_weight"):
        if getattr(given, name) is not None:
            raise InputError(f"{name} must be left out for a {feed.noun}, which gives it with its batches.")
    if given.validation_split:
        raise InputError(f"validation_split is for arrays; give validation_data beside a {feed.noun}.")
    train = fed_split(feed, *names)
    validation, part = _validation(given, epochs), None
    if validation is not None:
        part = given_arrays(*(*validation, None, None)[:3], input_names=names[0], output_names=names[1]).train
    arrays = GivenArrays(train, part, train.input_structure, train.target_structure)
    return _dataset(arrays, feed.noun, described(feed, train))


def _names(model: keras.Model, attribute: str) -> Sequence[str]:
    try:
        return tuple(getattr(model, attribute, None) or ())
    except AttributeError:  # of a model without inputs of its own
        return ()


def _validation(given: GivenData, epochs: EpochOptions) -> Any:
    """Return data to validate on as arrays: (x, y) or (x, y, weights), or None."""
    data = given.validation_data
    in_batches = data is not None and not isinstance(data, tuple | list)
    return _read(data, epochs.validation_steps) if in_batches else data


def _read(source: Nest, steps: int | None) -> tuple[Any, ...]:
    """Return data to validate on, which come in batches, as arrays."""
    feed = feed_of(source, shuffle=False, seed=0)
    if feed is None:
        raise InputError(
            "validation_data must be (x, y), (x, y, sample_weight), a tf.data.Dataset, a PyDataset or a "
            f"generator with validation_steps; received {shown(source)}."
        )
    if steps is None and (not feed.passes or not ends(feed)):
        raise InputError(
            f"validation_steps must be given for a {feed.noun}, which does not say how many batches it has."
        )
    split = fed_split(feed)
    batches = [split.named(batch) for batch in itertools.islice(feed.batches(0), steps)]
    parts = [_joined([batch[place] for batch in batches]) for place in range(3)]
    x = packed(split.input_structure, parts[0])
    y = None if split.target_structure is None else packed(split.target_structure, parts[1])
    weights = parts[2]
    if isinstance(weights, dict):
        weights = packed(split.target_structure, weights)
    return (x, y, weights)


def _joined(parts: list[Any]) -> Any:
    if parts[0] is None:
        return None
    if isinstance(parts[0], Mapping):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)


def _dataset(arrays: GivenArrays, name: str, like: str | None) -> _Resolved:
    spec = _spec(arrays)
    parts = {"train": (arrays.train.inputs, arrays.train.targets)}
    if arrays.validation is not None:
        parts["test"] = (arrays.validation.inputs, arrays.validation.targets)
    content = fingerprint({} if like else parts, spec.to_json(), arrays.targets, like)
    data = Dataset(name, arrays.train, arrays.validation, None, spec, content)
    return data, arrays.inputs, arrays.targets


def _spec(arrays: GivenArrays) -> DatasetSpec:
    inputs = arrays.train.inputs
    if is_nested(arrays.inputs):
        several = tuple(ArraySpec(name, *_shape(arrays.train, name)) for name in inputs)
        return DatasetSpec("arrays", (), "mixed", "outputs", 0, inputs=several, input_structure=arrays.inputs)
    shape, dtype = _shape(arrays.train, None)
    return DatasetSpec(_kind(shape, dtype), shape, dtype, "outputs", 0)


def _shape(train: Split, name: str | None) -> tuple[tuple[Any, ...], str]:
    """Return the shape of one sample, without axes in which batches differ, and the type."""
    array = train.inputs if name is None else train.inputs[name]
    assert isinstance(array, np.ndarray)
    shape: list[int | None] = list(array.shape[1:])
    if isinstance(train, FedSplit) and train.another is not None:
        other = train.another[0] if name is None else train.another[0][name]
        shape = [size if size == own else None for size, own in zip(shape, other.shape[1:], strict=True)]
    return tuple(shape), "string" if array.dtype == object else array.dtype.name


def _kind(shape: tuple[Any, ...], dtype: str) -> Kind:
    if dtype == "string" and not shape:
        return "text"
    is_image = dtype == "uint8" and len(shape) == 3 and shape[-1] in _IMAGE_CHANNELS
    return "image" if is_image else "array"
