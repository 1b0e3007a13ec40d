"""Inputs for a model: what a user has, a file or an array or a table, as the model takes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError, located, shown
from kexp.core.foreign_files import require_regular_file
from kexp.core.numpy_files import read_npy
from kexp.core.structures import flat
from kexp.core.user_paths import user_path
from kexp.data.array_specs import ArraySpec, shapes_agree
from kexp.data.audio_arguments import AudioOptions
from kexp.data.column_kinds import dates_as, stripped, without
from kexp.data.dataset import DatasetSpec, Inputs, Kind, single_array
from kexp.data.forecast_inputs import latest_inputs
from kexp.data.number_texts import NA_WORDS, TRUTH_WORDS, NumberFormat, is_missing_word, numbers_of
from kexp.data.plain_arrays import floats_of, plain_array, require_unmasked
from kexp.data.series import complete, listed, padded_to
from kexp.data.sources.folder_layout import IMAGES, SOUNDS
from kexp.data.sources.image_files import image_header, require_pixels, upright_image
from kexp.data.sources.image_resizing import Resizing, resize
from kexp.data.sources.sound_clips import clips_of_files
from kexp.data.sources.table_files import read_csv, read_parquet
from kexp.data.strings import as_text, read_lines
from kexp.data.table_columns import Column, column_name

IMAGE_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")


def adapt_inputs(raw: Any, spec: DatasetSpec) -> Inputs:
    """Return raw inputs in the form a model of this data takes.

    Args:
        raw: For a table a DataFrame or a mapping from column name to values, where other columns are
            ignored, or to one value each for a single sample. For text strings or one string, or a
            DataFrame with the column of the training data. For everything else an array of
            (samples, *spec.input_shape) or one sample of spec.input_shape; a last axis of one channel
            may be left out. Series may also be a list of (steps_i, channels) arrays with no more steps
            than those of training, and may end in steps of NaN. For forecasts also a DataFrame with the past
            of each series, and what is known ahead. For images and sounds also the
            path of a file, or a list of paths.
        spec: The data that the model was made for.

    Returns:
        (samples, *spec.input_shape) of spec.dtype, shorter series ending in steps of NaN; for text
        (samples,) str objects; for a table a dict with a vector of (samples,) per
        column: float32 with NaN for what is missing, or str objects with "".

    Raises:
        InputError: The shape, the type or a column is not the data's.

    Example:
        >>> image = DatasetSpec("image", (2, 2, 1), "uint8", "classification", 10)
        >>> adapt_inputs([[0, 255], [7, 7]], image).shape
        (1, 2, 2, 1)
        >>> columns = (Column("age", "number"), Column("town", "category"))
        >>> table = DatasetSpec("table", (2,), "mixed", "regression", 1, columns=columns)
        >>> adapt_inputs({"age": [31, None], "town": [None, "Graz"]}, table)
        {'age': array([31., nan], dtype=float32), 'town': array(['', 'Graz'], dtype=object)}
    """
    if spec.kind == "table":
        return _columns(raw, spec)
    if spec.kind == "text":
        return _texts(raw, spec)
    if spec.forecast_form is not None and _is_frame(raw):
        return latest_inputs(raw, spec)
    if spec.kind == "arrays":
        return _several(raw, spec)
    if (spec.kind == "image" or spec.sample_rate) and _are_paths(raw):
        return _samples_at([raw] if isinstance(raw, str | os.PathLike) else raw, spec)
    require_unmasked("inputs", raw)
    if spec.kind == "series" and listed(raw):
        raw = padded_to("inputs:", raw, *spec.input_shape)
    array = _numeric(raw)
    return _with_dtype(_with_all_axes(array, spec.input_shape), spec)


def _is_frame(raw: Any) -> bool:
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    return pandas is not None and isinstance(raw, pandas.DataFrame)


def _are_paths(raw: Any) -> bool:
    """Return whether inputs are the path of a file, or a list of paths."""
    paths = raw if isinstance(raw, list | tuple) and raw else [raw]
    return all(isinstance(path, str | os.PathLike) for path in paths)


def _samples_at(paths: Sequence[str | os.PathLike[str]], spec: DatasetSpec) -> np.ndarray:
    """Return the images or sounds in files, one sample each."""
    return np.concatenate([single_array(read_inputs(path, spec)) for path in paths])


def _several(raw: Any, spec: DatasetSpec) -> dict[str, np.ndarray]:
    """Return several inputs by name: given in the nest that the model takes, or by their names."""
    names = [one.name for one in spec.inputs]
    by_name = raw if isinstance(raw, Mapping) and set(raw) == set(names) else None
    if by_name is None:
        with located("inputs"):
            by_name = flat(spec.input_structure, raw)
    own = {
        one.name: replace(spec, kind=_kind(one), input_shape=one.shape, dtype=one.dtype)
        for one in spec.inputs
    }
    adapted: dict[str, np.ndarray] = {}
    for name in names:
        with located(f"input {name!r}"):
            adapted[name] = single_array(adapt_inputs(by_name[name], own[name]))
    lengths = {name: len(array) for name, array in adapted.items()}
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{count} of {name!r}" for name, count in lengths.items())
        raise InputError(f"inputs must have as many samples each; received {received}.")
    return adapted


def _kind(one: ArraySpec) -> Kind:
    return "text" if one.dtype == "string" and not one.shape else "array"


def read_inputs(path: str | os.PathLike[str], spec: DatasetSpec) -> Inputs:
    """Read the raw inputs of a model from a file.

    An image of another size is resized as those of training were, and refused where all had one size.

    Args:
        path: An image for a model of images; a WAV or FLAC file for one of sounds, resampled and cut or
            padded as those of training; .csv, .csv.gz or .parquet for one of tables; for one of
            text these, or .txt with a text in every line; .npy for any array. Nothing in it is unpickled.
        spec: The data that the model was made for.

    Returns:
        As `adapt_inputs`; an image or a sound is one sample.

    Raises:
        InputError: There is no such file, it is damaged, or it is not what the model takes.
    """
    path = user_path("path", path)
    require_regular_file(path, _wanted_files(spec), "give one")
    name = path.name.lower()
    if name.endswith(".npy") and spec.kind != "table":
        return _named(path, read_npy(path, "save it with numpy.save"), spec)
    if path.suffix.lower() in IMAGES.suffixes and spec.kind == "image":
        return _named(path, _read_image(path, spec), spec)
    if path.suffix.lower() in SOUNDS.suffixes and spec.sample_rate:
        return _read_clip(path, spec.sample_rate, spec.input_shape[0])
    if name.endswith(".txt") and spec.kind == "text":
        return _named(path, read_lines(path), spec)
    if name.endswith(TABLE_SUFFIXES) and spec.forecast_form is not None:
        return latest_inputs(path, spec)
    if name.endswith(TABLE_SUFFIXES) and spec.kind in ("table", "text"):
        return _named(path, _read_table(path, spec), spec)
    raise InputError(
        f"path {path} must be {_wanted_files(spec)} for a model of this kind of data ({spec.kind})."
    )


def input_suffixes(spec: DatasetSpec) -> tuple[str, ...]:
    """Return how the names of a model's files end in folders, where an array may be something else.

    Example:
        >>> input_suffixes(DatasetSpec("text", (), "string", "classification", 2))
        ('.txt', '.csv', '.csv.gz', '.parquet', '.jsonl', '.jsonl.gz')
    """
    records = (*TABLE_SUFFIXES, ".jsonl", ".jsonl.gz")
    if spec.forecast_form is not None:
        return TABLE_SUFFIXES
    if spec.sample_rate:
        return tuple(sorted(SOUNDS.suffixes))
    tables = {"table": records, "text": (".txt", *records)}
    return tuple(sorted(IMAGES.suffixes)) if spec.kind == "image" else tables.get(spec.kind, (".npy",))


def _wanted_files(spec: DatasetSpec) -> str:
    if spec.kind == "table" or spec.forecast_form is not None:
        return f"a table ({', '.join(TABLE_SUFFIXES)})"
    if spec.kind == "text":
        return (
            f"lines of text (.txt), a table with the column {shown(text_column(spec))} "
            f"({', '.join(TABLE_SUFFIXES)}) or an array (.npy)"
        )
    if spec.kind == "image":
        return f"an image ({', '.join(sorted(IMAGES.suffixes))}) or an array (.npy)"
    if spec.sample_rate:
        return f"a sound ({', '.join(sorted(SOUNDS.suffixes))}) or an array (.npy)"
    return "an array (.npy)"


def _read_clip(path: Path, rate: int, steps: int) -> np.ndarray:
    """Return the first steps of a sound, at the rate of those of training, padded as they were."""
    options = AudioOptions(sample_rate=rate, clip_seconds=steps / rate)
    return clips_of_files([path], options).samples


def _named(path: Path, raw: Any, spec: DatasetSpec) -> Inputs:
    try:
        return adapt_inputs(raw, spec)
    except InputError as error:
        raise InputError(f"file {path}: {error}") from None


def _read_table(path: Path, spec: DatasetSpec) -> Any:
    if path.name.lower().endswith(".parquet"):
        return read_parquet(path)
    categories = [column.name for column in spec.columns if column.kind == "category"]
    return read_csv(path, categories, text=text_column(spec) if spec.kind == "text" else ())


def text_column(spec: DatasetSpec) -> str:
    """Return the name of the column that has the texts of a table."""
    return spec.columns[0].name if spec.columns else "text"


def _texts(raw: Any, spec: DatasetSpec) -> np.ndarray:  # (samples,) str objects
    if isinstance(raw, Mapping) or hasattr(raw, "columns"):
        values, column = _by_name(raw), text_column(spec)
        if column not in values:
            raise InputError(
                f"inputs lack the column {shown(column)}, expected the text there; rename a column."
            )
        raw = values[column]
    if isinstance(raw, str):
        raw = [raw]
    if not (isinstance(raw, list | tuple) or np.ndim(raw) == 1) or not len(raw):
        raise InputError(
            f"inputs must be one string or more, received {_described(raw)}; give a list of them."
        )
    return as_text("inputs", raw)


def _read_image(path: Path, spec: DatasetSpec) -> np.ndarray:  # (height, width, channels) uint8
    height, width, channels = spec.input_shape
    if channels not in IMAGE_MODES:
        raise InputError(
            f"file {path}: an image has 1, 3 or 4 channels, the model takes {channels}; give an array (.npy)."
        )
    # The size is known before a pixel is decoded; a photograph may lie on its side.
    announced = image_header(path)
    if not spec.resize and sorted(announced) != sorted((width, height)):
        raise _wrong_size(path, announced, spec)
    require_pixels(f"image {path}", 1, announced[::-1])
    image = upright_image(path).image
    if not spec.resize and image.size != (width, height):
        raise _wrong_size(path, image.size, spec)
    image = image.convert(IMAGE_MODES[channels])
    if not spec.resize:
        return np.asarray(image).reshape(spec.input_shape)
    if image.mode == "RGBA":  # whose colours Pillow would blend by how opaque they are
        return resize([np.asarray(image)], (height, width), spec.resize)[0]
    return np.asarray(Resizing((height, width), spec.resize).image(image)).reshape(spec.input_shape)


def _wrong_size(path: Path, size: tuple[int, int], spec: DatasetSpec) -> InputError:
    height, width = spec.input_shape[:2]
    return InputError(
        f"file {path}: expected an image of {width} x {height} pixels (width x height), "
        f"received {size[0]} x {size[1]}; resize it as the training images were."
    )


def _numeric(raw: Any) -> np.ndarray:
    advice = "pad or cut them first, or give a list of (steps, channels) arrays to a model of series"
    array = plain_array("inputs", raw, ragged=advice)
    if array.dtype.kind not in "biuf":
        raise InputError(f"inputs must be an array of numbers, received {_described(raw)}; convert it first.")
    return array


def _described(raw: Any) -> str:
    if isinstance(raw, np.ndarray):
        return f"an array of {raw.dtype}"
    return f"a {type(raw).__name__}"


def _with_all_axes(array: np.ndarray, sample: tuple[int, ...]) -> np.ndarray:
    """Add the batch axis and the axis of a single channel where they were left out."""
    shape = array.shape
    if len(array.shape) and shapes_agree(shape[1:], sample) and len(array):
        return array
    if shape == sample:
        return array[None]
    if len(sample) > 1 and sample[-1] == 1:
        if shape[1:] == sample[:-1] and len(array):
            return array[..., None]
        if shape == sample[:-1]:
            return array[None, ..., None]
    wanted = ", ".join(map(str, sample))
    raise InputError(
        f"inputs must have the shape (samples, {wanted}), or ({wanted}) for one sample, received {shape}; "
        "bring them to the size of the training data."
    )


def _with_dtype(array: np.ndarray, spec: DatasetSpec) -> np.ndarray:
    if spec.dtype == "uint8":
        return _as_uint8(array)
    if np.dtype(spec.dtype).kind in "biu":
        return _as_whole(array, spec.dtype)
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines
        floats = array.astype(spec.dtype)
    ends_in_nan = spec.kind == "series"
    finite = complete(floats) if ends_in_nan else np.isfinite(floats).reshape(len(floats), -1).all(1)
    if not finite.all():
        allowed = " (it may only pad the end of a series, in all channels)" if ends_in_nan else ""
        raise InputError(
            f"inputs must be finite, received NaN or infinity in sample {finite.argmin()}; remove or fill "
            f"it{allowed}."
        )
    return floats


def _as_whole(array: np.ndarray, dtype: str) -> np.ndarray:
    whole = array.astype(dtype)
    if not (whole == array).all():
        raise InputError(
            f"inputs must be whole numbers ({dtype}), as those of training; received "
            f"{shown(array[whole != array][0])}, so convert them."
        )
    return whole


def _as_uint8(array: np.ndarray) -> np.ndarray:
    whole = array.dtype.kind in "iu"
    if whole and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8, copy=False)
    advice = (
        "give images of 8 bits per channel" if whole else "give the raw pixels, the model scales them itself"
    )
    raise InputError(
        f"inputs must be whole numbers from 0 to 255 (uint8), received {array.dtype} from {array.min()} to "
        f"{array.max()}; {advice}."
    )


def _columns(raw: Any, spec: DatasetSpec) -> dict[str, np.ndarray]:
    values = _by_name(raw)
    missing = [column.name for column in spec.columns if column_name(column.name) not in values]
    if missing:
        raise InputError(
            f"inputs lack the columns {', '.join(map(shown, missing))}, expected "
            f"{', '.join(repr(column.name) for column in spec.columns)}; add them, empty if unknown."
        )
    columns = {column.name: _column(column, values[column_name(column.name)]) for column in spec.columns}
    lengths = {name: len(vector) for name, vector in columns.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        raise InputError(
            "inputs must have one or more samples, as many in every column, received "
            f"{', '.join(f'{count} in {shown(name)}' for name, count in lengths.items())}; mend the columns."
        )
    return columns


def _by_name(raw: Any) -> dict[str, Any]:
    if isinstance(raw, Mapping):
        return {column_name(name): values for name, values in raw.items()}
    if not hasattr(raw, "iloc") or not hasattr(raw, "columns"):
        raise InputError(
            f"inputs must be a pandas DataFrame or a mapping from column name to values, received "
            f"{_described(raw)}; name the columns."
        )
    return {column_name(name): raw.iloc[:, position] for position, name in enumerate(raw.columns)}


def _column(column: Column, values: Any) -> np.ndarray:
    place = f"inputs in column {shown(column.name)}"
    series = _series(place, values)
    if column.kind == "number":
        return _numbers(column, series)
    if column.kind == "date":
        return dates_as(column, place, series)
    texts, _ = stripped(place, series, column.missing_words)
    # A word that usually stands for a missing value is a category where training had it as such.
    absent = NA_WORDS - set(column.categories)
    return np.array(["" if text in absent else text for text in texts], dtype=object)


def _series(place: str, values: Any) -> Any:
    """Return the values of a column as a pandas Series, in which what is masked is missing."""
    import pandas as pd

    if hasattr(values, "iloc"):
        return values
    if not hasattr(values, "dtype") or not np.ndim(values):
        listed = isinstance(values, list | tuple)
        each = [None if value is np.ma.masked else value for value in (values if listed else [values])]
        several = next((value for value in each if np.iterable(value) and not isinstance(value, str)), None)
        if several is None:
            return pd.Series(each, dtype=object)
        raise InputError(f"{place} must be one value per sample, received {shown(several)}; flatten it.")
    array = values if isinstance(values, np.ma.MaskedArray) else plain_array(place, values)
    if array.ndim != 1:
        raise InputError(f"{place} must be one value per sample, received shape {array.shape}; flatten it.")
    return pd.Series(array)


def _numbers(column: Column, series: Any) -> np.ndarray:  # (samples,) of the column's type
    gaps = (series.isna() | series.eq("")).to_numpy()
    if series.dtype.kind in "Mm":  # to pandas dates are numbers, of nanoseconds since 1970
        series = series.astype(object).astype(str)
    if series.dtype.kind in "biuf" or not any(isinstance(value, str) for value in series):
        given = floats_of(series)
        wide = without(given, column.missing_words)
        gaps = gaps | np.isnan(wide) & ~np.isnan(given)
    else:
        texts, _ = stripped(f"inputs in column {shown(column.name)}", series, column.missing_words)
        known = {*column.missing_words, ""}
        gaps = gaps | np.array([text in known or is_missing_word(text) for text in texts], bool)
        decimal = column.decimal or "."
        form = NumberFormat(decimal, "," if decimal == "." else ".")
        truths = np.array([TRUTH_WORDS.get(text, np.nan) for text in texts])
        wide = np.where(np.isnan(truths), numbers_of(texts, form), truths)
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines
        numbers = wide.astype(column.dtype)
    wrong = np.flatnonzero((np.isnan(numbers) & ~gaps) | np.isinf(numbers))
    if len(wrong):
        raise InputError(
            f"inputs must have finite or missing numbers in column {shown(column.name)}, received "
            f"{shown(series.iloc[wrong[0]])} in row {wrong[0] + 1} of {len(series)}; mend it or leave it "
            "empty."
        )
    return numbers
