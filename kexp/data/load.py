"""The way in: any source becomes one immutable `Dataset`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kexp.core.errors import InputError
from kexp.data import splits
from kexp.data.catalog import DataLocation, locate
from kexp.data.dataset import Dataset, DatasetSpec, Kind, Source
from kexp.data.sources import arrays, tables, tf_data
from kexp.data.sources.array_files import read_idx_folder, read_npz
from kexp.data.sources.builtin_datasets import one_long_text, read_embedded
from kexp.data.sources.images import Size, read_folder, resize
from kexp.data.sources.text import as_text
from kexp.data.sources.tfds import read_tfds
from kexp.data.targets import labels as targets
from kexp.data.targets.masks import are_masks, encode_masks

_TARGETS = ("classification", "regression", "segmentation", "text")


def load(
    source: Any,
    *,
    target: str | None = None,
    text: str | None = None,
    task: str | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    image_size: Size | None = None,
    kinds: Sequence[Kind] = get_args(Kind),
) -> Dataset:
    """Load a data set from any source into memory, checked and split.

    A name is looked for in KEXP_DATA_DIR (NAME.npz or a folder NAME), then among the embedded data
    (`kexp.data.names` lists it), then in KEXP_DATA_DIR again (NAME.csv, NAME.csv.gz or NAME.parquet), then
    as a path, then among what tensorflow-datasets has prepared (`kexp.data.prepare` downloads). A path
    is an .npz, .csv, .csv.gz or .parquet file, a folder of IDX files, or a folder of class folders of
    images, with or without train, validation and test folders around them.

    Series of different lengths are a list of (steps, channels) arrays, or one array whose steps after
    the end are NaN in all channels; in an .npz file or a mapping length_train and so on give the lengths of
    series that are padded with something else.

    Args:
        source: Name, path, (x, y), ((x_train, y_train), (x_test, y_test)), a mapping with the keys x_train,
            y_train, x_test and y_test, a pandas DataFrame, or a finite tf.data.Dataset of (x, y) whose
            elements are batches if the targets are vectors as long as the inputs, and samples otherwise.
            Where x is one-dimensional and of strings, it is text; None and NaN are the empty string. Where x
            is of images and y of (samples, height, width) whole numbers as large, y is their masks.
        target: Column to predict; tables need it, nothing else takes it.
        text: Column of a table that is the text to learn from, the others being left out; default: all
            columns but the target are inputs, strings being categories.
        task: "classification", "regression", "segmentation" (masks of images) or "text" (texts from
            texts); default: masks are what they are, floats are quantities, everything else classes, and
            in a table whole numbers are classes if there are at most 20 different ones.
        validation: Share of the training part to make choices on, at least 0 and below 1, default 0.1;
            unused if the source has a validation part. 0: train on all of it.
        test: Share of the whole to hold out, at least 0 and below 1, default 0.2; unused if the source
            has a test part. 0: no test part. The seed has no influence on it.
        seed: Seed of the validation part, 0 or more; default 0.
        image_size: (height, width) in pixels that images are resized to; default: as they are.
        kinds: What the caller can use of "image", "series", "text", "table" and "array"; default: all.

    Returns:
        Images (samples, height, width, channels) uint8, series (samples, steps, channels) float32
        with NaN in the steps after the end of shorter ones, text (samples,) of str objects, other arrays
        float32, or tables by column; targets as in `Split`; every array read-only.

    Raises:
        InputError: For anything that cannot be used as given, saying what and what to do.

    Example:
        >>> data = load("digits")
        >>> data.spec.kind, data.spec.input_shape, data.spec.outputs
        ('image', (8, 8, 1), 10)
        >>> len(data.train), len(data.validation), len(data.test)
        (1295, 143, 359)
    """
    _require_arguments(task, validation, test, seed, image_size)
    read = _read(source, target, text, task, image_size)
    kind, inputs = _inputs(read, image_size)
    if kind not in kinds:
        raise InputError(
            f"data {read.name!r} is of kind {kind!r}, expected {' or '.join(map(repr, kinds))}; "
            "give other data or take a recipe for this kind."
        )
    task, encoded, class_names = _targets(read, kind, inputs, task or read.task)
    spec = _spec(read, kind, task, inputs["train"], encoded["train"], class_names)
    parts: splits.Parts = {part: (inputs[part], encoded[part]) for part in inputs}
    fingerprint = splits.fingerprint(parts, spec.to_json())
    if validation == 0:
        parts = splits.join_validation(parts)
    if task in ("classification", "segmentation"):
        indices = {part: y for part, (_, y) in parts.items()}
        targets.require_classes_in_training(read.name, indices, class_names)
    drawn = splits.make_splits(read.name, parts, spec, validation=validation, test=test, seed=seed)
    return Dataset(read.name, drawn["train"], drawn.get("validation"), drawn.get("test"), spec, fingerprint)


def _targets(
    read: Source, kind: Kind, inputs: dict[str, Any], task: str | None
) -> tuple[str, targets.Targets, tuple[str, ...]]:
    """Return the task, the targets by part and the names of the classes, if there are any."""
    labels = {part: y for part, (_, y) in read.parts.items()}
    for wanted, needed in (("segmentation", "image"), ("text", "text")):
        if task == wanted and kind != needed:
            raise InputError(
                f"task={task!r}: data {read.name!r} is of kind {kind!r}, expected {needed!r}; leave task out."
            )
    if task == "segmentation" or (
        task is None and kind == "image" and are_masks(inputs["train"], labels["train"])
    ):
        return "segmentation", *encode_masks(read.name, inputs, labels, read.class_names)
    if task == "text":
        answers = {part: as_text(f"data {read.name!r}: the {part} targets", y) for part, y in labels.items()}
        return task, answers, ()
    return targets.encode(read.name, labels, task, read.class_names)


def _spec(
    read: Source, kind: Kind, task: str, inputs: Any, encoded: np.ndarray, class_names: tuple[str, ...]
) -> DatasetSpec:
    table = kind == "table"
    numbers = encoded.shape[1] if task == "regression" else 0
    return DatasetSpec(
        kind=kind,
        input_shape=(len(read.columns),) if table else inputs.shape[1:],
        dtype={"table": "mixed", "text": "string"}.get(kind) or str(inputs.dtype),
        task=task,
        outputs=len(class_names) or numbers,
        class_names=class_names,
        columns=read.columns,
        target=read.target,
    )


def _require_arguments(
    task: object, validation: object, test: object, seed: object, image_size: object
) -> None:
    for argument, share in (("validation", validation), ("test", test)):
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InputError(
                f"{argument}={share!r}: expected a share of at least 0 and below 1; pass 0.1 for a tenth."
            )
    if task not in (None, *_TARGETS):
        known = " or ".join(map(repr, _TARGETS))
        advice = "pass one or leave it out"
        if task in ("reconstruction", "generation"):
            advice = "that is what a model does, whatever the targets are, so leave task out"
        raise InputError(f"task={task!r}: expected {known}; {advice}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed={seed!r}: expected a whole number of 0 or more; pass one.")
    if image_size is not None and not _is_size(image_size):
        raise InputError(
            f"image_size={image_size!r}: expected two whole numbers of pixels; pass (height, width)."
        )


def _is_size(value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(pixels, int) and pixels > 0 for pixels in value)
    )


def _read(
    source: Any, target: str | None, text: str | None, task: str | None, image_size: Size | None
) -> Source:
    place = locate(source) if isinstance(source, str | Path) else None
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return tables.from_frame(source, "DataFrame", target, task, text)
    if place and place.form == "csv":
        # What is text is taken to the letter, be it read or answered.
        letters = [column for column in (text, target if task == "text" else None) if column]
        return tables.from_frame(tables.read_csv(place.path, text=letters), place.name, target, task, text)
    if place and place.form == "parquet":
        return tables.from_frame(tables.read_parquet(place.path), place.name, target, task, text)
    for argument, column in (("target", target), ("text", text)):
        if column is not None:
            raise InputError(
                f"{argument}={column!r}: only a CSV, Parquet or DataFrame has columns to choose; leave "
                f"{argument} out."
            )
    return _read_place(place, image_size) if place else _read_memory(source)


def _read_place(place: DataLocation, image_size: Size | None) -> Source:
    if place.form == "embedded":
        return read_embedded(place.name)
    if place.form == "npz":
        return read_npz(place.path, place.name)
    if place.form == "idx":
        return read_idx_folder(place.path, place.name)
    if place.form == "txt":
        raise one_long_text(str(place.path))
    reader = read_tfds if place.form == "tfds" else read_folder
    return reader(place.path, place.name, image_size)


def _read_memory(source: Any) -> Source:
    if isinstance(source, Mapping):
        return arrays.from_mapping(source)
    if isinstance(source, tuple | list):
        return arrays.from_pairs(source)
    if tf_data.is_dataset(source):
        return tf_data.from_dataset(source)
    raise InputError(
        f"data: expected a name, a path, (x, y), a mapping, a DataFrame or a tf.data.Dataset, received "
        f"{type(source).__name__}; pass (x, y) if it is an array."
    )


def _inputs(read: Source, image_size: Size | None) -> tuple[Kind, dict[str, Any]]:
    kind: Kind
    if read.columns and read.columns[0].kind != "text":
        kind, inputs = "table", {part: x for part, (x, _) in read.parts.items()}
    else:
        kind, inputs = arrays.inputs_of(read.name, read.parts)
    if image_size is None:
        return kind, inputs
    if kind != "image":
        raise InputError(
            f"image_size={image_size!r}: data {read.name!r} is of kind {kind!r}, not images; leave it out."
        )
    if any(are_masks(inputs[part], y) for part, (_, y) in read.parts.items()):
        raise InputError(
            f"image_size={image_size!r}: data {read.name!r} has masks, which would have to be resized with "
            "their images; resize both before, the masks without blending."
        )
    fits = inputs["train"].shape[1:3] == tuple(image_size)
    return kind, inputs if fits else {part: resize(x, image_size) for part, x in inputs.items()}
