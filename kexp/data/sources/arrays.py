"""Arrays in memory: pairs of them, and mappings by split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kexp.core.constraints import plain
from kexp.core.errors import InputError, shown
from kexp.data.array_sounds import scaled_samples
from kexp.data.audio_arguments import check_rate
from kexp.data.dataset import Source
from kexp.data.plain_arrays import plain_targets
from kexp.data.series import with_lengths
from kexp.data.sources.base import DataSource, ReadOptions

PARTS = ("train", "validation", "test")


class Mappings(DataSource):
    """A mapping with the keys x_train, y_train and so on."""

    name: ClassVar[str] = "mapping"
    asked_last: ClassVar[bool] = True

    def accepts(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def take(self, value: Any, options: ReadOptions) -> Source:
        return from_mapping(value)


class Pairs(DataSource):
    """(x, y), or a pair of such pairs."""

    name: ClassVar[str] = "pairs"
    asked_last: ClassVar[bool] = True

    def accepts(self, value: object) -> bool:
        return isinstance(value, tuple | list)

    def take(self, value: Any, options: ReadOptions) -> Source:
        return from_pairs(value)


def from_pairs(source: tuple[Any, Any] | list[Any]) -> Source:
    """Read (x, y), or ((x_train, y_train), (x_test, y_test)) when both are pairs of arrays."""
    if len(source) != 2:
        raise InputError(
            f"data: expected (x, y) or ((x_train, y_train), (x_test, y_test)), received {len(source)} items; "
            f"pass a mapping with the keys x_train, y_train, x_test and y_test for anything else."
        )
    if all(_is_pair(item) for item in source):
        return Source("arrays", {"train": tuple(source[0]), "test": tuple(source[1])})
    return Source("arrays", {"train": (source[0], source[1])})


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple | list) and len(item) == 2 and all(hasattr(part, "shape") for part in item)


def from_mapping(source: Mapping[str, Any], name: str = "arrays") -> Source:
    """Read a mapping with the keys x_train and y_train, and the same for validation and test if there.

    Steps of the series in x_train after those that length_train counts are padding, and likewise for the
    other parts; class_names gives the names of the labels, sample_rate that of sounds. Keys of other names
    are left alone.

    Raises:
        InputError: When a key of a pair is lacking, or one looks like a misspelt part, and for lengths
            that are not those of the series.
    """
    expected = [f"{axis}_{part}" for part in PARTS for axis in "xy"]
    strange = sorted(key for key in source if str(key)[:2] in ("x_", "y_") and key not in expected)
    lacking = [key for key in expected[:2] if key not in source] or [
        key
        for part in PARTS[1:]
        for key, other in ((f"x_{part}", f"y_{part}"), (f"y_{part}", f"x_{part}"))
        if other in source and key not in source
    ]
    if lacking or strange:
        raise InputError(
            f"data {name!r}: expected the keys x_train, y_train and, if there is a test part, x_test and "
            f"y_test, received {', '.join(map(str, source)) or 'none'}; add or rename "
            f"{', '.join(lacking or map(str, strange))}."
        )
    parts = {
        part: (_inputs(source, name, part), source[f"y_{part}"]) for part in PARTS if f"x_{part}" in source
    }
    rate = source.get("sample_rate")
    sample_rate = (
        None if rate is None else check_rate(f"data {name!r}: sample_rate", plain(np.asarray(rate)[()]))
    )
    names = _class_names(name, source.get("class_names", ()))
    return Source(name, parts, class_names=names, sample_rate=sample_rate)


def _class_names(name: str, given: Any) -> tuple[str, ...]:
    array = plain_targets(f"data {name!r}: the class_names", given)
    names = array.astype(str).tolist() if array.dtype.kind in "iu" else array.tolist()
    if array.ndim != 1 or not all(isinstance(label, str) for label in names):
        raise InputError(
            f"data {name!r}: class_names must be a list of strings, one for each class; received "
            f"{shown(given)}, so correct it."
        )
    return tuple(names)


def _inputs(source: Mapping[str, Any], name: str, part: str) -> Any:
    inputs, lengths = source[f"x_{part}"], source.get(f"length_{part}")
    if source.get("sample_rate") is not None and isinstance(inputs, np.ndarray):
        inputs = scaled_samples(inputs)
    return inputs if lengths is None else with_lengths(name, part, inputs, lengths)
