"""Arrays in memory as Keras's `fit` takes them, tables, tensors and nests of them: NumPy arrays by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kexp.core.errors import InputError, located, shown
from kexp.core.structures import Structure, flat, is_nested, leaves, mapped, structure_of
from kexp.core.types import ArrayLike, Nest
from kexp.data.dataset import Split, sample_count
from kexp.data.plain_arrays import plain_array
from kexp.data.splits import taken


@dataclass(frozen=True)
class GivenArrays:
    """What a model is trained on, in memory.

    Attributes:
        train: Inputs and targets by name, or single ones; targets (samples, 0) where there are none.
        validation: Likewise, or None.
        inputs: The nest in which the model takes its inputs, with their names.
        targets: The nest in which it is given its targets; None where there are none.
    """

    train: Split
    validation: Split | None
    inputs: Structure
    targets: Structure


def given_arrays(
    x: Nest,
    y: Nest,
    sample_weight: Nest = None,
    *,
    validation_data: Nest = None,
    validation_split: float = 0.0,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
) -> GivenArrays:
    """Return arrays in memory by name, checked.

    Args:
        x: An array, a DataFrame, a tensor or a list of numbers, or a nest of them.
        y: The same, or None.
        sample_weight: (samples,) weights, a nest of them for several targets, or None.
        validation_data: (x, y) or (x, y, sample_weight), or None.
        validation_split: The share at the end of `x` and `y` to validate on, as Keras takes it; default 0.
        input_names: Of the model's inputs, where it says so.
        output_names: Of the model's outputs.

    Raises:
        InputError: They are not arrays of numbers or texts, or not as many samples each.

    Example:
        >>> given = given_arrays([np.zeros((4, 2)), np.ones((4, 1))], [0, 1, 0, 1], validation_split=0.25)
        >>> sorted(given.train.inputs), given.train.targets.tolist(), len(given.validation)
        (['input_0', 'input_1'], [0, 1, 0], 1)
    """
    inputs = structure_of(_arrays("x", x), input_names)
    targets = None if y is None else structure_of(_arrays("y", y), output_names, stem="target")
    train = _split("", (x, y, sample_weight), inputs, targets)
    if validation_data is not None:
        if validation_split:
            raise InputError("validation_split and validation_data exclude each other; give one of them.")
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (1, 2, 3):
            raise InputError(
                "validation_data must be (x, y) or (x, y, sample_weight); received "
                f"{shown(validation_data) if not is_nested(validation_data) else len(validation_data)}."
            )
        parts = (*validation_data, None, None)[:3]
        validation = _split("validation_data: ", parts, inputs, targets)
        _require_alike(train, validation)
        return GivenArrays(train, validation, inputs, targets)
    if not validation_split:
        return GivenArrays(train, None, inputs, targets)
    return GivenArrays(*_last_part(train, validation_split), inputs, targets)


def _split(place: str, parts: tuple[Any, Any, Any], inputs: Structure, targets: Structure) -> Split:
    x, y, weights = parts
    given = _arrays(f"{place}x", x)
    with located(f"{place}x"):
        by_name = flat(inputs, given)
    samples = sample_count(by_name)
    if targets is None:
        y_by_name: Any = np.zeros((samples, 0), np.float32)
    elif y is None:
        raise InputError(f"{place}y must be given, as for training; received None.")
    else:
        given = _arrays(f"{place}y", y)
        with located(f"{place}y"):
            y_by_name = flat(targets, given)
    split = Split(by_name, y_by_name, _weights(f"{place}sample_weight", weights, targets))
    for what, arrays in (("x", by_name), ("y", y_by_name), ("sample_weight", split.sample_weight)):
        for name, array in _named(arrays).items():
            if len(array) != samples:
                where = f" {name!r}" if name else ""
                raise InputError(
                    f"{place}{what}{where} must have as many samples as x, {samples}; received {len(array)}."
                )
    if not samples:
        raise InputError(f"{place}x must have samples; received none.")
    return split


def _named(arrays: Nest) -> dict[str, np.ndarray]:
    if arrays is None:
        return {}
    return arrays if isinstance(arrays, dict) else {"": arrays}


def _weights(place: str, weights: Nest, targets: Structure) -> Any:
    if weights is None:
        return None
    arrays = mapped(lambda one: _numbers(place, one), _arrays(place, weights))
    if is_nested(arrays):
        return flat(targets, arrays)
    if not is_nested(targets):
        return arrays
    return dict.fromkeys(leaves(targets), arrays)  # of every output alike, as Keras takes it


def _numbers(place: str, array: np.ndarray) -> np.ndarray:
    if array.dtype == object:
        raise InputError(f"{place} must be numbers; received {shown(array.flat[0])}.")
    return array.astype(np.float32)


def _arrays(place: str, nest: Nest) -> Any:
    """Return a nest with a NumPy array in the place of each array, list of numbers, table or tensor."""
    if nest is None:
        return None
    if isinstance(nest, list | tuple) and all(map(_is_plain, nest)):
        return as_array(place, nest)
    if is_nested(nest):
        keys = nest.items() if isinstance(nest, dict) else enumerate(nest)
        named = {key: _arrays(f"{place}[{key!r}]", value) for key, value in keys}
        return named if isinstance(nest, dict) else list(named.values())
    return as_array(place, nest)


def _is_plain(value: object) -> bool:
    """Return whether a value is a number or a text, or a list of such, which is data and no structure."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str | np.generic)


def as_array(place: str, values: ArrayLike) -> np.ndarray:
    """Return values as an array that a model takes: floats as float32, texts as str objects, else as it is.

    Args:
        place: What they are, for messages.
        values: An array, a list of numbers, a pandas DataFrame or Series, or a tensor.

    Raises:
        InputError: They are no numbers or texts, differ in shape, or are a single one.

    Example:
        >>> as_array("x", [[0.5], [1.0]]).dtype.name, as_array("y", ["a", "b"]).dtype.name
        ('float32', 'object')
    """
    if hasattr(values, "detach"):  # of PyTorch, which gives no array of what has a gradient
        values = values.detach().cpu()
    if is_sparse(values):
        values = values.toarray() if hasattr(values, "toarray") else _dense(values)
    if hasattr(values, "nested_row_splits"):  # of TensorFlow, ragged
        raise InputError(
            f"{place} must have rows of one length; received a RaggedTensor, so pad it with .to_tensor()."
        )
    if hasattr(values, "select_dtypes"):
        _require_numbers(place, values)
    array = plain_array(place, values)
    if not array.ndim:
        raise InputError(f"{place} must be an array with a row for each sample; received {shown(values)}.")
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind in "biu":
        return array
    texts = array.astype(object) if array.dtype.kind in "US" else array
    if texts.dtype.kind != "O" or not all(isinstance(text, str | bytes) for text in texts.ravel()):
        raise InputError(
            f"{place} must be of numbers or of texts; received {array.dtype} such as "
            f"{shown(texts.flat[0]) if texts.size else 'nothing'}, so convert it first."
        )
    decoded = [text.decode() if isinstance(text, bytes) else text for text in texts.ravel()]
    return np.array(decoded, dtype=object).reshape(texts.shape)


def is_sparse(values: object) -> bool:
    """Return whether values are a matrix of SciPy's or a tensor of TensorFlow's that holds no zeros.

    Example:
        >>> import scipy.sparse
        >>> is_sparse(scipy.sparse.csr_matrix([[0, 1]])), is_sparse([[0, 1]])
        (True, False)
    """
    return hasattr(values, "tocoo") or hasattr(values, "dense_shape")


def _dense(values: Any) -> Any:
    import tensorflow as tf

    return tf.sparse.to_dense(tf.sparse.reorder(values))


def _require_numbers(place: str, frame: Any) -> None:
    others = list(frame.select_dtypes(exclude=["number", "bool"]).columns)
    if others:
        raise InputError(
            f"{place} must be a table of numbers for a model of one array; column {shown(others[0])} is "
            "something else, so encode it, or give the table to a recipe such as mlp_tabular, or a mapping "
            "of columns to a model with an input for each."
        )


def _last_part(train: Split, share: float) -> tuple[Split, Split]:
    samples = len(train)
    first = math.floor(samples * (1.0 - share))
    if not 0 < share < 1 or first in (0, samples):
        raise InputError(
            f"validation_split must leave samples to train and to validate on, of {samples}; received "
            f"{shown(share)}."
        )
    return taken(train, slice(0, first)), taken(train, slice(first, None))


def _require_alike(train: Split, validation: Split) -> None:
    for what, own, other in (
        ("x", train.inputs, validation.inputs),
        ("y", train.targets, validation.targets),
    ):
        for name, array in _named(own).items():
            received = _named(other)[name]
            if array.ndim != received.ndim or (array.dtype == object) != (received.dtype == object):
                raise InputError(
                    f"validation_data: {what} must be like that of training, {array.dtype} {array.shape}; "
                    f"received {received.dtype} {received.shape}."
                )
