"""What a model gives for raw inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.structures import Structure, packed
from kexp.data.dataset import Inputs, sample_count
from kexp.data.stored_arrays import ArrayWriter
from kexp.tasks.predictions import as_str

if TYPE_CHECKING:
    import keras


def raw_model(model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
    """Return a model of raw inputs, with what has to be done to them before."""
    import keras

    if preprocessing is None:
        return model
    return keras.Model(preprocessing.input, model(preprocessing.output), name=model.name)


@contextmanager
def state_kept(model: keras.Model) -> Iterator[None]:
    """Put back what forward passes in the block change in a model, such as the state of its random streams.

    A run shall draw what plain Keras would, which looks at no sample before it trains.
    """
    kept = [(variable, np.copy(variable.numpy())) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def raw_outputs(
    model: keras.Model,
    inputs: Inputs,
    batch_size: int,
    structure: Structure = None,
    *,
    on_disk: bool = False,
) -> Any:
    """Return the model's outputs for (samples, ...) inputs, batch by batch, in order.

    Args:
        model: The model.
        inputs: An array, or arrays by name.
        batch_size: Samples per call.
        structure: The nest in which the model takes several inputs; None: as they are.
        on_disk: Whether the outputs, which are numbers, go to the disk rather than into memory.

    Returns:
        An array, or a mapping of arrays if the model gives one; strings as str objects.
    """
    from keras import ops, tree

    from kexp.engine.engine_choice import backend

    count = sample_count(inputs)

    def outputs(first: int) -> Any:
        rows = slice(first, first + batch_size)
        if isinstance(inputs, Mapping):
            batch = {name: ops.convert_to_tensor(column[rows]) for name, column in inputs.items()}
        else:
            batch = ops.convert_to_tensor(inputs[rows])
        outputs = backend().forward_pass(model, packed(structure, batch))
        return tree.map_structure(lambda tensor: as_str(np.array(tensor)), outputs)  # writable

    begun = outputs(0)
    if on_disk:
        writers = tree.map_structure(lambda _: ArrayWriter(), begun)
        for first in range(0, count, batch_size):
            tree.map_structure(ArrayWriter.append, writers, begun if first == 0 else outputs(first))
        return tree.map_structure(ArrayWriter.array, writers)
    if count <= batch_size:
        return begun
    # Each batch goes where it belongs: all of them beside the whole would be twice the memory.
    whole = tree.map_structure(lambda array: np.empty((count, *array.shape[1:]), array.dtype), begun)
    for first in range(0, count, batch_size):
        batch = begun if first == 0 else outputs(first)
        tree.map_structure(partial(_put, slice(first, min(first + batch_size, count))), whole, batch)
    return whole


def _put(rows: slice, whole: np.ndarray, batch: np.ndarray) -> None:
    if len(batch) != rows.stop - rows.start:
        raise InputError(
            f"model must give an output for each sample; received {len(batch)} for "
            f"{rows.stop - rows.start} samples, so keep the first axis."
        )
    whole[rows] = batch
