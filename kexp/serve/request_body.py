"""The body of a request in TensorFlow Serving's REST form: rows or columns; images and texts also in base64.

The form is described at https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import binascii
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.core.json_files import parse_json
from kexp.data.adapters import adapt_inputs, read_inputs
from kexp.data.dataset import DatasetSpec, Inputs, single_array
from kexp.data.sources.image_files import image_header
from kexp.data.table_columns import unknown_values
from kexp.export.exported_model import Exported
from kexp.export.input_names import ARRAY_KEY, BYTES_KEY, DEFAULT, OF_BYTES

_KEYS = {"instances": list[Any] | None, "inputs": Any, "signature_name": str | None}
_ADVICE = 'send a JSON object such as {"instances": [...]}'
_BASE64 = "b64"
_MOST_PIXELS = 50_000_000  # of an encoded image: a small file may announce far more than memory holds
_decoding = threading.Lock()  # one image at a time, whose decoded pixels take the most memory of a request


@dataclass(frozen=True, eq=False)
class RequestBody:
    """What a request asks to be predicted.

    Attributes:
        inputs: In the form that the model takes, as of `kexp.data.adapters.adapt_inputs`.
        rows: How many samples these are.
        in_columns: Whether they came in columns, as the answer then does.
        notes: What they have and training had not.
    """

    inputs: Inputs
    rows: int
    in_columns: bool
    notes: tuple[str, ...] = ()


def read_body(content: bytes, exported: Exported, *, most_rows: int) -> RequestBody:
    """Return what the body of a request asks a model to predict.

    Args:
        content: JSON, an object with `instances` (rows: values, or objects with a value for each input) or
            `inputs` (columns: a list of values, or an object with such a list for each input). An input is
            named as in the training data or in the signature. An image, or a text, may be
            `{"b64": "…"}`, an encoded file or UTF-8.
        exported: The model.
        most_rows: That there may be, 1 or more.

    Raises:
        InputError: It is not JSON, not of this form, too many rows, or not what the model takes.

    Example:
        >>> from kexp.export.manifest import Manifest
        >>> spec = DatasetSpec("array", (2,), "float32", "regression", 1)
        >>> model = Exported(Path("m/1"), Manifest(spec, {"inputs": "inputs"}, {}))
        >>> read_body(b'{"instances": [[1, 2], [3, 4]]}', model, most_rows=8).rows
        2
        >>> read_body(b'{"instance": [[1, 2]]}', model, most_rows=8)
        Traceback (most recent call last):
        ...
        kexp.InputError: the body has the key 'instance' (did you mean 'instances'?), and may have instances,
        inputs, signature_name; ...
    """
    body = parse_json(content, "the body", _KEYS, advice=_ADVICE)
    unknown = next((key for key in body if key not in _KEYS), None)
    if unknown is not None:
        raise InputError(
            f"the body has the key {shown(unknown)}{nearest(unknown, _KEYS)}, and may have "
            f"{', '.join(_KEYS)}; {_ADVICE}."
        )
    _check_signature(body["signature_name"] or DEFAULT, exported)
    rows, columns = body["instances"], body["inputs"]
    if (rows is None) == (columns is None):
        raise InputError(
            f"the body must have instances (rows) or inputs (columns), received "
            f"{'neither' if rows is None else 'both'}; {_ADVICE}."
        )
    given = _of_columns(columns, exported) if rows is None else _of_rows(rows, exported, most_rows)
    inputs = adapt_inputs(_decoded(given, exported.spec), exported.spec)
    count = len(inputs if isinstance(inputs, np.ndarray) else next(iter(inputs.values())))
    _check_count(count, "inputs" if rows is None else "instances", most_rows)
    if rows is not None and count != len(rows):
        raise InputError(
            f"instances must be one sample each, received {len(rows)} that are {count} together; put each "
            "sample into a list of its own."
        )
    return RequestBody(inputs, count, rows is None, unknown_values(exported.spec.columns, inputs))


def _check_signature(name: str, exported: Exported) -> None:
    known = [DEFAULT, *(one for one in exported.signatures if one == OF_BYTES)]
    if name not in known:
        raise InputError(
            f"signature_name must be {' or '.join(known)}, received {shown(name)}{nearest(name, known)}; "
            "leave it out."
        )


def _check_count(count: int, name: str, most_rows: int) -> None:
    if count > most_rows:
        raise InputError(
            f"{name} must be {most_rows} rows or fewer, received {count}; send several requests."
        )


def _of_rows(rows: Sequence[Any], exported: Exported, most_rows: int) -> dict[str, Any]:
    """Return the values of rows by the name of the input."""
    _check_count(len(rows), "instances", most_rows)
    if not rows:
        raise InputError("instances must be one row or more, received none; send one.")
    names = _input_names(exported)
    are_named = [_is_named(row) for row in rows]
    if not any(are_named):
        return {_only_name(names, "instances"): rows}
    if not all(are_named):
        raise InputError(
            f"instances must be all objects or all values, received both (row {are_named.index(False) + 1} "
            "is a value); send one form."
        )
    renamed = [_renamed(row, names, f"row {number} of instances") for number, row in enumerate(rows, 1)]
    first = renamed[0]
    for number, row in enumerate(renamed, 1):
        for name in first.keys() ^ row.keys():
            raise InputError(
                f"row {number} of instances must name what row 1 does, and {shown(name)} is in one of them "
                "alone; add it, null if unknown."
            )
    return {name: [row[name] for row in renamed] for name in first}


def _of_columns(columns: Any, exported: Exported) -> dict[str, Any]:
    """Return the values of columns by the name of the input."""
    names = _input_names(exported)
    if _is_named(columns):
        return _renamed(columns, names, "inputs")
    return {_only_name(names, "inputs"): columns if isinstance(columns, list) else [columns]}


def _is_named(value: Any) -> bool:
    """Return whether a value is an object of inputs by name, and not one encoded value."""
    return isinstance(value, dict) and set(value) != {_BASE64}


def _input_names(exported: Exported) -> dict[str, str]:
    """Return the name of the input for each name that it may be given: the data's, and the signature's."""
    names = {key: name for name, key in exported.keys.items()} | {name: name for name in exported.keys}
    if exported.spec.kind == "image":
        names[BYTES_KEY] = ARRAY_KEY
    if exported.spec.kind == "text" and exported.spec.columns:
        names[exported.spec.columns[0].name] = ARRAY_KEY
    return names


def _only_name(names: Mapping[str, str], place: str) -> str:
    if len(set(names.values())) > 1:
        raise InputError(
            f"{place} must name the inputs, {', '.join(map(shown, dict.fromkeys(names.values())))}; send "
            "objects with them as keys."
        )
    return next(iter(names.values()))


def _renamed(given: Mapping[str, Any], names: Mapping[str, str], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = names.get(key)
        if name is None:
            raise InputError(
                f"{place} has {shown(key)}{nearest(key, names)}, which the model does not take; it takes "
                f"{', '.join(map(shown, dict.fromkeys(names.values())))}."
            )
        if name in found:
            raise InputError(f"{place} has {shown(name)} under two names; leave one out.")
        found[name] = value
    return found


def _decoded(given: dict[str, Any], spec: DatasetSpec) -> Any:
    """Return the values in the form of `adapt_inputs`, what is in base64 decoded."""
    decoded = {name: _values(name, values, spec) for name, values in given.items()}
    return decoded if spec.kind in ("table", "arrays") else decoded.get(ARRAY_KEY, [])


def _values(name: str, values: Any, spec: DatasetSpec) -> Any:
    # In Python a text is the path of an image or a sound, and no file of this machine is for those who ask.
    some = [values, *(values if isinstance(values, list) else ())]
    if spec.sample_rate and any(isinstance(one, str | dict) for one in some):
        raise InputError(
            f"sounds must be numbers, {spec.input_shape} samples each at {spec.sample_rate:,} a second; "
            f"received {shown(values)}, so decode the file."
        )
    if spec.kind == "image" and any(isinstance(one, str) for one in some):
        raise InputError(
            f'images must be numbers or {{"b64": "…"}}, received {shown(values)}; encode the file in base64.'
        )
    if not isinstance(values, list):
        return values
    encoded = [isinstance(value, dict) for value in values]
    if spec.kind == "image" and any(encoded):
        if not all(encoded):
            raise InputError("images must be all encoded or all numbers, received both; send one form.")
        return np.concatenate([_image(value, number, spec) for number, value in enumerate(values, 1)])
    return [_text(value, f"input {shown(name)}, row {n}") for n, value in enumerate(values, 1)]


def _text(value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return _bytes(value, place).decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place} must be UTF-8 in base64, and byte {error.start} is none; mend it."
        ) from None


def _image(value: dict[str, Any], number: int, spec: DatasetSpec) -> np.ndarray:
    """Return the pixels of an encoded image, (1, height, width, channels), as files of it are read."""
    place = f"image {number}"
    content = _bytes(value, place)
    with _decoding, tempfile.TemporaryDirectory(prefix="kexp-image-") as folder:
        path = Path(folder, "image.png")  # whatever it is, which its first bytes say
        path.write_bytes(content)
        try:
            width, height = image_header(path)
            if width * height > _MOST_PIXELS:
                raise InputError(
                    f"{place} must have {_MOST_PIXELS:,} pixels or fewer, received {width} x {height}; "
                    "send a smaller one."
                )
            return single_array(read_inputs(path, spec))
        except InputError as error:
            raise InputError(str(error).replace(f"file {path}", place).replace(str(path), place)) from None


def _bytes(value: dict[str, Any], place: str) -> bytes:
    text = value.get(_BASE64)
    if set(value) != {_BASE64} or not isinstance(text, str):
        raise InputError(f'{place} must be a value or {{"b64": "…"}}, received {shown(value)}; mend it.')
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{place} must be base64, and is not ({error}); encode it anew.") from None
