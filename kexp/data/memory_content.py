"""The content of data in memory, as plain arrays with a description in JSON.

A run has a fingerprint of it, and the workers of a sweep read it. Data in memory are what a recipe takes in
`data=` beside names and paths: a `Dataset`, arrays and lists of them, `(x, y)`, a mapping such as
`{"x_train": …}`, a DataFrame or Series of pandas, tables by part, and a finite tf.data.Dataset.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.files import sha256_of
from kexp.core.foreign_files import guarded
from kexp.data.catalog import locate_table
from kexp.data.dataset import Dataset, DatasetSpec, Split
from kexp.data.frame_columns import (
    Node,
    are_scalars,
    frame_node,
    frame_of,
    scalars_node,
    scalars_of,
    series_node,
    series_of,
)
from kexp.data.given_tables import given_tables
from kexp.data.memory_forms import form_of
from kexp.data.sources.tf_data import from_dataset, is_dataset
from kexp.data.stored_arrays import is_stored

_SPLITS = ("train", "validation", "test")
_PARTS = ("inputs", "targets", "sample_weight")
_PLAIN_KINDS = "biufcmMUS"


@dataclass(frozen=True)
class Content:
    """What data in memory hold.

    Attributes:
        form: What they are, in a word.
        structure: How they are made of the arrays, in JSON.
        arrays: By name: plain ones, and texts as objects, (samples,) str or None.
    """

    form: str
    structure: Node
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, data: Any) -> Content:
        """Return the content of data in memory.

        Raises:
            InputError: Something in them is neither arrays nor texts nor numbers.

        Example:
            >>> content = Content.of(([[1.0], [2.0]], ["a", "b"]))
            >>> content.form, content.value()
            ('(x, y)', ([[1.0], [2.0]], ['a', 'b']))
        """
        encoder = _Encoder()
        form, given = form_of(data), data
        if form is None:
            raise InputError(f"data must be in memory; received {shown(data)}.")
        if is_dataset(data):
            given = from_dataset(data).parts["train"]
        if given_tables(data):
            given = _with_files(data)
        return cls(form, encoder.node(given, "data"), encoder.arrays)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content, the same in every process."""
        digest = hashlib.sha256(json.dumps(self.structure, sort_keys=True).encode())
        for array in self.arrays.values():
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            for part in text_arrays(array) if array.dtype.kind == "O" else (array,):
                digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    @property
    def described(self) -> dict[str, str]:
        """What a record says: form and fingerprint, not what they hold."""
        return {"in_memory": self.form, "fingerprint": self.fingerprint}

    def value(self) -> Any:
        """Return the data anew, whose arrays may be written to."""
        return _decoded(self.structure, self.arrays)


def text_arrays(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return texts as UTF-8 in one array, and the bytes of each, -1 for what is missing.

    Args:
        texts: (samples,) str objects or None.

    Returns:
        (bytes,) uint8 and (samples,) int64.

    Example:
        >>> bytes_, lengths = text_arrays(np.array(["né", None, ""], object))
        >>> bytes(bytes_), lengths.tolist()
        (b'n\\xc3\\xa9', [3, -1, 0])
    """
    encoded = [None if text is None else text.encode("utf-8", "surrogatepass") for text in texts.tolist()]
    lengths = np.array([-1 if text is None else len(text) for text in encoded], np.int64)
    return np.frombuffer(b"".join(filter(None, encoded)), np.uint8), lengths


def texts_of(characters: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the texts that `text_arrays` took apart."""
    whole, texts, first = characters.tobytes(), np.empty(len(lengths), object), 0
    for row, length in enumerate(lengths.tolist()):
        if length >= 0:
            texts[row] = whole[first : first + length].decode("utf-8", "surrogatepass")
            first += length
    return texts


def _with_files(data: Any) -> Any:
    """Return tables by part of which those in files are given by whole paths."""
    listed = data.items() if isinstance(data, Mapping) else zip(("train", "test"), data, strict=True)
    places = {key: (table, locate_table(key, table)) for key, table in listed}
    found = {key: place.path.resolve() if place else table for key, (table, place) in places.items()}
    return found if isinstance(data, Mapping) else tuple(found.values())


class _Encoder:
    """Takes values apart into a description and arrays with names."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, array: np.ndarray, name: str) -> str:
        """Keep an array, and return the name it is kept by."""
        key, count = name, 1
        while key in self.arrays:
            count += 1
            key = f"{name} {count}"
        self.arrays[key] = array
        return key

    def node(self, value: Any, place: str) -> Node:
        """Return the description of a value.

        Args:
            value: Data, or something in them.
            place: What it is, for messages.

        Raises:
            InputError: It cannot be taken apart.
        """
        if isinstance(value, Dataset):
            return {"dataset": self._dataset(value, place)}
        if isinstance(value, Mapping):
            return {"mapping": self._mapping(value, place)}
        if value is None or type(value) in (bool, int, float, str):
            return {"value": value}
        if isinstance(value, Path):
            return {"file": str(value), "sha256": sha256_of(value)}
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(value, pandas.DataFrame):
            return {"frame": frame_node(value, self.put, place)}
        if pandas is not None and isinstance(value, pandas.Series):
            return {"series": series_node(value, self.put, place)}
        if isinstance(value, tuple | list):
            return self._listed(value, place)
        if isinstance(value, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(value)
            blank: Any = "" if value.dtype.kind in "OUS" else np.zeros((), value.dtype)[()]
            filled = value.filled(blank)
            return {"masked": self.node(filled, place), "mask": self.put(mask, f"{place} mask")}
        return self._array(value, place)

    def _mapping(self, value: Mapping[Any, Any], place: str) -> list[list[Any]]:
        for key in value:
            if not isinstance(key, str):
                raise InputError(f"{place} has the key {shown(key)}; expected texts as keys, so rename it.")
        return [[key, self.node(entry, f"{place}[{key!r}]")] for key, entry in value.items()]

    def _dataset(self, data: Dataset, place: str) -> Node:
        if is_stored(data.train.inputs):
            raise InputError(
                f"{place} is a Dataset whose samples are on the disk; give the path that {data.name} was "
                "loaded from, or load it with in_memory=True."
            )
        splits = {
            name: {
                part: self.node(getattr(split, part), f"{place}.{name}.{part}")
                for part in _PARTS
                if getattr(split, part) is not None
            }
            for name in _SPLITS
            if (split := getattr(data, name)) is not None
        }
        return {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "spec": data.spec.to_json(),
            "splits": splits,
            "streamed": type(data.train) is not Split,
        }

    def _listed(self, value: Sequence[Any], place: str) -> Node:
        kind = "tuple" if isinstance(value, tuple) else "list"
        array = _uniform(value)
        if array is not None:
            return {"each": {"array": self.put(array, place)}, "kind": kind}
        if _is_ragged(value):
            lengths = np.array([len(item) for item in value], np.int64)
            whole = self.put(np.concatenate(value), place)
            return {"ragged": whole, "lengths": self.put(lengths, f"{place} lengths"), "kind": kind}
        if value and are_scalars(value):
            return {"each": scalars_node(value, self.put, place, place), "kind": kind}
        return {kind: [self.node(item, f"{place}[{number}]") for number, item in enumerate(value)]}

    def _array(self, value: Any, place: str) -> Node:
        with guarded(place, "arrays, texts or numbers", "leave it out, or make an array of it"):
            array = np.asarray(value)
        if array.dtype.kind in _PLAIN_KINDS:
            return {"array": self.put(array, place)}
        if array.dtype.kind != "O" or not array.ndim:
            raise InputError(
                f"{place} is of the type {type(value).__name__}, expected arrays, texts or numbers; leave it "
                "out, or make an array of it."
            )
        return {"objects": self._listed(array.reshape(-1).tolist(), place), "shape": list(array.shape)}


def _uniform(value: Sequence[Any]) -> np.ndarray | None:
    """Return a list of numbers of one type, or of such lists of one length, as an array."""
    nested = all(type(item) is list for item in value)
    if nested and len({len(item) for item in value}) != 1:
        return None
    kinds = {type(leaf) for leaf in (chain.from_iterable(value) if nested else value)}
    array = np.array(value) if kinds in ({int}, {float}, {bool}) else None
    return array if array is not None and array.dtype.kind in "bif" else None


def _is_ragged(value: Sequence[Any]) -> bool:
    """Return whether a list is of arrays that can be put one after the other."""
    arrays = [
        item for item in value if type(item) is np.ndarray and item.ndim and item.dtype.kind in _PLAIN_KINDS
    ]
    return len(value) == len(arrays) > 1 and len({(item.dtype, item.shape[1:]) for item in arrays}) == 1


def _decoded(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    if "value" in node:
        return node["value"]
    if "file" in node:
        return Path(node["file"])
    if "array" in node:
        return arrays[node["array"]].copy()
    if "scalars" in node:
        return scalars_of(node, arrays)
    if "frame" in node:
        return frame_of(node["frame"], arrays)
    if "series" in node:
        return series_of(node["series"], arrays)
    if "mapping" in node:
        return {key: _decoded(entry, arrays) for key, entry in node["mapping"]}
    if "masked" in node:
        return np.ma.array(_decoded(node["masked"], arrays), mask=arrays[node["mask"]].copy())
    if "dataset" in node:
        return _dataset_of(node["dataset"], arrays)
    return _listed_of(node, arrays)


def _listed_of(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    if "objects" in node:
        entries = _listed_of(node["objects"], arrays)
        flat = np.empty(len(entries), object)
        for number, entry in enumerate(entries):
            flat[number] = entry
        return flat.reshape(node["shape"])
    made: list[Any]
    if "each" in node:
        made = _decoded(node["each"], arrays).tolist()
    elif "ragged" in node:
        ends = np.cumsum(arrays[node["lengths"]])[:-1]
        made = [part.copy() for part in np.split(arrays[node["ragged"]], ends)]
    else:
        made = [_decoded(entry, arrays) for entry in node.get("list", node.get("tuple"))]
    return tuple(made) if "tuple" in (node.get("kind"), *node) else made


def _frozen(value: Any) -> Any:
    """Return arrays of a data set, which can no longer be written to."""
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(array) for name, array in value.items()})
    value.setflags(write=False)
    return value


def _dataset_of(node: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Dataset:
    splits = {
        name: Split(**{part: _frozen(_decoded(content, arrays)) for part, content in parts.items()})
        for name, parts in node["splits"].items()
    }
    return Dataset(
        node["name"],
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        DatasetSpec.from_json(node["spec"]),
        node["fingerprint"],
    )
