"""What a model gives for raw inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.structures import Structure, packed
from kexp.core.trainer_private import call_model
from kexp.data.dataset import Inputs, sample_count
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


def raw_outputs(model: keras.Model, inputs: Inputs, batch_size: int, structure: Structure = None) -> Any:
    """Return the model's outputs for (samples, ...) inputs, batch by batch, in order.

    Args:
        model: The model.
        inputs: An array, or arrays by name.
        batch_size: Samples per call.
        structure: The nest in which the model takes several inputs; None: as they are.

    Returns:
        An array, or a mapping of arrays if the model gives one; strings as str objects.
    """
    from keras import ops, tree

    def outputs(first: int) -> Any:
        rows = slice(first, first + batch_size)
        if isinstance(inputs, np.ndarray):
            batch = ops.convert_to_tensor(inputs[rows])
        else:
            batch = {name: ops.convert_to_tensor(column[rows]) for name, column in inputs.items()}
        outputs = call_model(model, packed(structure, batch), training=False)
        return tree.map_structure(lambda tensor: as_str(np.asarray(tensor)), outputs)

    parts = [outputs(first) for first in range(0, sample_count(inputs), batch_size)]
    return tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
