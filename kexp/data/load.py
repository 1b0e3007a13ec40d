"""The way in: any source becomes one immutable `Dataset`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, get_args

import numpy as np

from kexp.core.constraints import Resize, plain
from kexp.core.errors import InputError, shown
from kexp.core.options import Unpack
from kexp.core.reading_progress import shown_work
from kexp.data.alike_names import alike_notes
from kexp.data.array_sounds import with_rate
from kexp.data.audio_arguments import AudioArguments, AudioOptions, audio_options
from kexp.data.cache import cached
from kexp.data.catalog import locate
from kexp.data.class_labels import require_class_names
from kexp.data.dataset import Dataset, DatasetSpec, Kind, Source, Split
from kexp.data.folds import current_fold
from kexp.data.image_arguments import checked_size
from kexp.data.input_kinds import inputs_of
from kexp.data.merging_numbers import merging_notes
from kexp.data.plain_arrays import plain_targets
from kexp.data.resized_images import in_one_size
from kexp.data.series import without_far_longer
from kexp.data.sources import ReadOptions, data_sources, source_of_value
from kexp.data.sources.base import DataLocation, Size
from kexp.data.sources.image_resizing import Resizing
from kexp.data.split_notes import split_notes
from kexp.data.split_ways import SplitWay
from kexp.data.splits import (
    Parts,
    RowFacts,
    fewest_to_choose_by,
    fingerprint,
    folded,
    make_splits,
    to_divide,
)
from kexp.data.stored_arrays import is_stored
from kexp.data.table_arguments import TableArguments, table_options
from kexp.data.table_columns import plain_columns, with_categories
from kexp.data.table_options import TableOptions
from kexp.data.targets import TargetKind, Targets, kind_of, target_kinds

# Of what a run makes of any targets.
_ADVICE = dict.fromkeys(
    ("generation", "reconstruction"),
    "that is what a model does, whatever the targets are, so leave task out",
)


class _Shares(TypedDict):
    validation: float
    test: float
    seed: int
    way: SplitWay
    least_validation: int | None


class RowArguments(TableArguments, AudioArguments, total=False):
    """How the rows of tables are read and divided, and sounds and images.

    Attributes:
        image: Column of a table with the path of an image in each row, as seen from the folder of the table,
            below which they lie.
    """

    image: str | None


@cached
def load(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    text: str | None = None,
    task: str | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    image_size: Size | None = None,
    resize: Resize | None = None,
    in_memory: bool | None = None,
    kinds: Sequence[Kind] = get_args(Kind),
    least_validation: int | None = None,
    **rows: Unpack[RowArguments],
) -> Dataset:
    """Load a data set from any source into memory, checked and split.

    A name is looked for in KEXP_DATA_DIR (NAME.npz or a folder NAME), among the embedded data (as
    `kexp.data.names` lists), in KEXP_DATA_DIR again (NAME.csv, NAME.csv.gz or NAME.parquet), as a path, then
    among what `kexp.data.prepare` has downloaded. A path is an .npz, .csv, .csv.gz or .parquet file, a folder
    of IDX files, of tables such as train.csv and test.csv, or of class folders of images or sounds (WAV,
    FLAC), with or without train, validation and test folders around them. Series of different lengths are a
    list of (steps, channels) arrays, or one array with NaN in all channels after the end, or with the
    lengths length_train and so on beside it; with a `sample_rate` they are sounds.

    Args:
        source: Name, path, (x, y), ((x_train, y_train), (x_test, y_test)), a mapping with the keys x_train,
            y_train, x_test and y_test, a pandas DataFrame, tables by part, (train, test) or a mapping from
            train, validation and test, of DataFrames and paths, all read as the training table is, or a
            finite tf.data.Dataset of (x, y) whose elements are batches if the targets are vectors as long as
            the inputs, else samples. One-dimensional x of strings is text; None and NaN are the empty string.
            Of images, y as large of whole numbers is masks; (samples, boxes, 5) with x_min, y_min, x_max,
            y_max in pixels and a class index, -1 for padding, or {"boxes": (n, 4), "labels": (n,)} of each is
            boxes. A `Dataset` stays as it is.
        target: Column to predict; only tables take it, and need it.
        text: Column of a table that is the only input, a text; default: all but the target are inputs.
        task: "classification", "multilabel" (any number of labels for each sample), "regression",
            "segmentation" (masks of images), "detection" (boxes on images), "text" (texts from texts),
            "transcription" (of sounds) or "retrieval" (of images); default: masks and boxes are what they
            are, rows of zeros and ones labels, floats, of tables over 20 integers, quantities, else classes.
        validation: Share of the training part to make choices on, from 0, for none, to below 1, default 0.1;
            unused if the source has a validation part.
        test: Share of the whole to hold out, from 0, for none, to below 1, default 0.2; unused if the source
            has a test part. The seed has no influence on it.
        seed: Seed of the validation part, 0 or more; default 0.
        image_size: (height, width) in pixels that images are resized to; default: as they are.
        resize: How images of another shape are resized: "stretch" (default), each axis by itself; "crop", the
            middle is cut out in its proportions, then scaled; "pad", scaled until they fit, amid black.
        in_memory: False: samples are read from disk while training; default: where they do not fit.
        kinds: What the caller can use of "image", "series", "text", "table" and "array"; default: all.
        least_validation: Fewest samples, and 5 of each class, of a drawn validation part; default: any. With
            fewer there is none, which `notes` says.
        **rows: How a table is read and its rows are divided (`kexp.data.TableArguments`), what sounds are
            brought to (`kexp.data.AudioArguments`), and `image`, the column of a table with paths of images.

    Returns:
        Read-only images (samples, height, width, channels) uint8, series (samples, steps, channels) float32,
        texts (samples,) of str objects, other arrays float32, or tables by column; targets as in `Split`.

    Raises:
        InputError: Anything cannot be used as given.

    Example:
        >>> data = load("digits")
        >>> data.spec.kind, data.spec.outputs, len(data.train), len(data.validation), len(data.test)
        ('image', 10, 1295, 143, 359)
    """
    task, validation, test, seed = map(plain, (task, validation, test, seed))
    _require_arguments(task, validation, test, seed, in_memory, kinds)
    named, size = _columns_named(target, text), checked_size(image_size, resize)
    asked, sounds, image, way = _of_rows(rows, text)
    options = ReadOptions(named, text, task, size, None, asked, in_memory, resize, sounds, image)
    if isinstance(source, Dataset):
        return folded(_as_given(source, options, kinds), validation, seed)
    read, options = _read(source, options)
    read = without_far_longer(with_rate(_with_plain_targets(read, options), options.audio))
    read, kind, inputs = _inputs(read, options.resizing, kinds)
    shares = _Shares(validation=validation, test=test, seed=seed, way=way, least_validation=least_validation)
    return _divided(read, kind, inputs, options, shares)


def _divided(
    read: Source, kind: Kind, inputs: dict[str, Any], options: ReadOptions, shares: _Shares
) -> Dataset:
    """Return what was read with its targets encoded and its splits drawn."""
    with shown_work(f"dividing {read.name}"):
        targets, encoded, class_names = _encoded(read, kind, inputs, options.task or read.task)
        separator = options.separator or ""
        spec = _spec(read, kind, targets, inputs["train"], encoded["train"], class_names, separator)
        spec = replace(spec, resize=options.resizing.way if options.resizing else "")
        parts: Parts = {split: (inputs[split], encoded[split]) for split in inputs}
        rows = read.rows or {}
        content = fingerprint(
            parts, replace(spec, columns=plain_columns(spec.columns), column_facts=(), resize="").to_json()
        )
        parts, rows = to_divide(parts, rows, shares["validation"])
        targets.check(read.name, {split: y for split, (_, y) in parts.items()}, class_names)
        drawn, held_notes = _drawn(read.name, parts, spec, shares, rows)
        targets.check_drawn(read.name, {split: part.targets for split, part in drawn.items()}, class_names)
        spec = replace(spec, columns=with_categories(spec.columns, drawn["train"].inputs))
    held = {part: facts for part, facts in rows.items() if part == "train" or part in drawn}
    notes = (*read.notes, *alike_notes(spec), *_merging(read, kind, targets), *held_notes)
    notes += split_notes(shares["way"], options.table, drawn, held)
    return Dataset(
        read.name, drawn["train"], drawn.get("validation"), drawn.get("test"), spec, content, notes
    )


def _drawn(
    name: str, parts: Parts, spec: DatasetSpec, shares: _Shares, rows: Mapping[str, RowFacts]
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the splits, and what to say where a validation part would be too small to choose anything by."""
    share, least, fold = shares["validation"], shares["least_validation"], current_fold()
    drawing = partial(
        make_splits, name, parts, spec, test=shares["test"], seed=shares["seed"], way=shares["way"], rows=rows
    )
    drawn = drawing(validation=share)
    held = drawn.get("validation")
    own = "validation" in parts or (fold is not None and fold.part == "validation")
    if least is None or held is None or own:
        return drawn, ()
    needed = fewest_to_choose_by(spec, held.targets, least)
    if len(held) >= needed:
        return drawn, ()
    drawn = drawing(validation=0.0)
    return drawn, (
        f"all {len(drawn['train']):,} training samples are trained on, none validated: a share of {share}, "
        f"{len(held)} of them, would be too few to choose an epoch by ({needed} or more); "
        f"validation={share} holds them out all the same.",
    )


def _merging(read: Source, kind: Kind, targets: TargetKind) -> tuple[str, ...]:
    """Return what is to be said of numbers that float32 makes one of; columns of tables are centred."""
    x, y = read.parts["train"]
    inputs = merging_notes("the inputs are", x) if kind in ("array", "series") else ()
    return (*inputs, *(merging_notes("the targets are", y) if targets.has_scale else ()))


def _require_kind(name: str, kind: Kind, kinds: Sequence[Kind]) -> None:
    if kind not in kinds:
        raise InputError(
            f"data {name!r} is of kind {kind!r}, expected {' or '.join(map(repr, kinds))}; "
            "give other data or take a recipe for this kind."
        )


def _as_given(data: Dataset, options: ReadOptions, kinds: Sequence[Kind]) -> Dataset:
    """Return a data set that is made already, unless other data are asked for."""
    _require_kind(data.name, data.spec.kind, kinds)
    spec = data.spec
    made: dict[str, object] = {"task": spec.task, "separator": spec.separator}
    if spec.columns:
        several = isinstance(options.target, tuple) and ", ".join(options.target) == spec.target
        made["target"] = options.target if several else spec.target
    if spec.kind == "text" and spec.columns:
        made["text"] = spec.columns[0].name
    if spec.kind == "image":
        made["image_size"] = spec.input_shape[:2]
        made["resize"] = spec.resize
    made |= {"sample_rate": spec.sample_rate}
    if options.in_memory is not None:
        made["in_memory"] = not any(is_stored(part.inputs) for part in (data.train, data.validation) if part)
    asked = {**vars(options), **vars(options.table), **vars(options.audio)}
    del asked["table"]
    for argument, value in asked.items():
        if value not in (None, (), {}) and value != made.get(argument):
            raise InputError(
                f"{argument}={shown(value)}: data {data.name!r} is a Dataset, which is made already; leave "
                f"{argument} out, or give what it was made of."
            )
    return data


def _with_plain_targets(read: Source, options: ReadOptions) -> Source:
    asked = options.task or read.task
    kinds = [target_kinds()[asked]] if asked else list(target_kinds().values())

    def plain_or_gathered(place: str, values: Any) -> np.ndarray:
        for kind in kinds:
            array = kind.gathered(place, values, asked=asked is not None, separator=options.separator or "")
            if array is not None:
                return array
        return plain_targets(place, values)

    parts = {
        split: (x, plain_or_gathered(f"data {read.name!r}: the {split} targets", y))
        for split, (x, y) in read.parts.items()
    }
    # Of a DataFrame, whose columns say what they are.
    columns = tuple(map(str, getattr(read.parts["train"][1], "columns", ())))
    if len(columns) > 1 and not read.class_names:
        read = replace(read, class_names=columns, target_names=columns)
    return replace(read, parts=parts)


def _encoded(
    read: Source, kind: Kind, inputs: dict[str, Any], asked: str | None
) -> tuple[TargetKind, Targets, tuple[str, ...]]:
    """Return what the targets are, the targets by split, and the names of the classes, if there are any."""
    require_class_names(f"data {read.name!r}", read.class_names)
    targets = _target_kind(read, kind, inputs, asked)
    given = {split: y for split, (_, y) in read.parts.items()}
    return targets, *targets.encode(read.name, inputs, given, read.class_names, asked=asked is not None)


def _target_kind(read: Source, kind: Kind, inputs: dict[str, Any], asked: str | None) -> TargetKind:
    """Return what the targets are: what was asked for, or what they look like."""
    if asked is None:
        return kind_of(kind, inputs["train"], read.parts["train"][1])
    targets = target_kinds()[asked]
    if targets.input_kind not in (None, kind):
        raise InputError(
            f"task={asked!r}: data {read.name!r} is of kind {kind!r}, expected {targets.input_kind!r}; "
            "leave task out."
        )
    return targets


def _spec(
    read: Source,
    kind: Kind,
    targets: TargetKind,
    inputs: Any,
    encoded: np.ndarray,
    class_names: tuple[str, ...],
    separator: str,
) -> DatasetSpec:
    table = kind == "table"
    return DatasetSpec(
        kind=kind,
        input_shape=(len(read.columns),) if table else inputs.shape[1:],
        dtype={"table": "mixed", "text": "string"}.get(kind) or str(inputs.dtype),
        task=targets.task,
        outputs=targets.outputs(encoded, class_names),
        class_names=class_names,
        columns=read.columns,
        target=read.target,
        target_names=read.target_names if targets.has_scale else (),
        separator=separator,
        column_facts=read.column_facts,
        sample_rate=read.sample_rate if kind == "series" else None,
    )


def _require_arguments(
    task: object, validation: object, test: object, seed: object, in_memory: object, kinds: object
) -> None:
    _require_kinds(kinds)
    for argument, share in (("validation", validation), ("test", test)):
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InputError(
                f"{argument}={shown(share)}: expected a share of at least 0 and below 1; pass 0.1 for a "
                "tenth."
            )
    _require_task(task)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed={shown(seed)}: expected a whole number of 0 or more; pass one.")
    if in_memory not in (None, True, False):
        raise InputError(f"in_memory={shown(in_memory)}: expected True, False or None; pass one of them.")


def _columns_named(target: Any, text: object) -> Any:
    """Return the column to predict, several in a tuple, once it and that of the text can be names."""
    if isinstance(target, list | tuple) and (len(target) < 2 or len({*map(str, target)}) < len(target)):
        raise InputError(
            f"target={shown(target)}: expected the names of two columns or more, each once; pass them, or "
            "one name."
        )
    for argument, columns in (("target", target), ("text", text)):
        for column in columns if argument == "target" and isinstance(columns, list | tuple) else [columns]:
            if column is not None and not isinstance(column, Hashable):
                raise InputError(f"{argument}={shown(column)}: expected the name of a column; pass one.")
    return tuple(target) if isinstance(target, list | tuple) else target


def _require_separator(separator: object, task: str | None) -> None:
    if separator is None:
        return
    if not isinstance(separator, str) or not separator:
        raise InputError(
            f"separator={shown(separator)}: expected a text such as ';'; pass one or leave it out."
        )
    if task is not None and not target_kinds()[task].is_separable:
        raise InputError(
            f"separator={shown(separator)}: only several labels of a sample are separated, received "
            f"task={task!r}; leave one of them out."
        )


def _of_rows(rows: RowArguments, text: str | None) -> tuple[TableOptions, AudioOptions, str | None, SplitWay]:
    """Return how tables, sounds and images are read, and how rows are divided, of what was given, checked."""
    sounds = audio_options({name: rows.get(name) for name in AudioArguments.__annotations__})
    apart = (*AudioArguments.__annotations__, "image")
    of_tables = {name: value for name, value in rows.items() if name not in apart}
    options, way = table_options(of_tables)
    if sounds.hop_seconds is not None and way.name == "stratified":
        way = SplitWay("group")  # of clips of one sound
    return options, sounds, _image_column(rows.get("image"), sounds, text), way


def _image_column(image: object, sounds: AudioOptions, text: str | None) -> str | None:
    """Return the column with the paths of images, if one was named, and no other is the only input."""
    if image is None:
        return None
    if not isinstance(image, str) or not image:
        raise InputError(f"image={shown(image)}: expected the name of a column; pass one or leave it out.")
    for argument, column in (("audio", sounds.audio), ("text", text)):
        if column is not None:
            raise InputError(
                f"image={shown(image)}: the images are the only input, and {argument}={shown(column)} names "
                "another one; leave one of them out."
            )
    return image


def _require_kinds(kinds: object) -> None:
    known = get_args(Kind)
    if isinstance(kinds, str) or not isinstance(kinds, Sequence) or not all(kind in known for kind in kinds):
        raise InputError(
            f"kinds={shown(kinds)}: expected some of {', '.join(map(repr, known))} in a tuple; correct it."
        )


def _require_task(task: object) -> None:
    known = target_kinds()
    if task is not None and known.get(str(task)) is None:
        advice = _ADVICE.get(str(task), "pass one or leave it out")
        raise InputError(f"task={shown(task)}: expected {' or '.join(map(repr, known))}; {advice}.")


def _read(source: Any, options: ReadOptions) -> tuple[Source, ReadOptions]:
    """Return what was read, and the options with what stands between labels, if that was meant."""
    place = locate(source) if isinstance(source, str | Path) else None
    if place is not None and options.file_column is not None and place.path.is_dir():
        place = _with_tables(place)
    reader = data_sources()[place.form] if place else source_of_value(source)
    table = options.table
    if reader is None or not reader.has_columns:
        of_tables = {name: value for name, value in vars(table).items() if name != "separator"}
        columns = {"target": options.target, "text": options.text}
        columns |= {"audio": options.audio.audio, "image": options.image}
        for argument, column in (columns | of_tables).items():
            if column not in (None, (), {}):
                raise InputError(
                    f"{argument}={shown(column)}: only a CSV, Parquet or DataFrame has columns to choose; "
                    f"leave {argument} out."
                )
    if options.in_memory is False and not (reader and reader.is_stored):
        raise InputError(
            "in_memory=False: only class folders of images and Parquet files are read from disk while they "
            "are trained on; leave in_memory out."
        )
    if reader is None:
        raise InputError(
            f"data: expected a name, a path, (x, y), a mapping, a DataFrame, a tf.data.Dataset or a Dataset, "
            f"received {type(source).__name__}; pass (x, y) if it is an array."
        )
    if table.separator is not None and not reader.separates(place or source, table):
        options = replace(options, separator=table.separator, table=replace(table, separator=None))
    read = reader.read(place, options) if place else reader.take(source, options)
    _require_separator(options.separator, options.task)
    return read, options


def _with_tables(place: DataLocation) -> DataLocation:
    """Return where the tables of a folder are, if it has some beside its images or sounds."""
    readers = [one for one in data_sources().values() if one.has_columns and one.holds(place.path)]
    return replace(place, form=readers[0].name) if readers else place


def _inputs(
    read: Source, resizing: Resizing | None, kinds: Sequence[Kind]
) -> tuple[Source, Kind, dict[str, Any]]:
    """Return what was read, with a note where images were resized, what kind it is, and inputs by part."""
    kind: Kind
    if read.columns and read.columns[0].kind != "text":
        kind, inputs = "table", {part: x for part, (x, _) in read.parts.items()}
    elif is_stored(read.parts["train"][0]):
        kind, inputs = "image", {part: x for part, (x, _) in read.parts.items()}
    else:
        kind, inputs = inputs_of(read.name, read.parts)
    read, inputs = in_one_size(read, kind, inputs, resizing)
    _require_kind(read.name, kind, kinds)
    return read, kind, inputs
