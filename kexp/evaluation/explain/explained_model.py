"""The model that is explained, with raw inputs as its data has them and one number to explain per sample."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.structures import leaves, packed
from kexp.core.types import Nest
from kexp.data import DatasetSpec
from kexp.data.dataset import Inputs, sample_count
from kexp.engine.engine_choice import backend
from kexp.models.layer_outputs import Place, activations, outputs_with
from kexp.run.inference import raw_outputs

_AT_ONCE = 256  # samples, unless each has many numbers
_NUMBERS = 2_000_000  # of the samples that go through the model at once
_LEAST = 1e-7  # probability whose logarithm is taken


@dataclass(frozen=True)
class ExplainedModel:
    """A model from raw inputs to outputs, and what its outputs are.

    Attributes:
        model: Any Keras model.
        spec: What goes in and comes out.
        from_logits: Whether outputs that stand for classes are logits.
    """

    model: keras.Model
    spec: DatasetSpec
    from_logits: bool = True

    def batch(self, inputs: Inputs) -> Nest:
        """Return inputs as tensors, as the model takes them."""
        if isinstance(inputs, Mapping):
            return packed(
                self.spec.input_structure,
                {name: ops.convert_to_tensor(array) for name, array in inputs.items()},
            )
        return packed(self.spec.input_structure, ops.convert_to_tensor(inputs))

    def outputs(self, inputs: Inputs) -> np.ndarray:
        """Return the (samples, ...) numbers of the model, of its first output where it has several."""
        given = raw_outputs(self.model, inputs, at_once(inputs), self.spec.input_structure)
        return np.asarray(first_output(given), np.float32)

    def activations(self, inputs: Inputs) -> list[tuple[Place, Any]]:
        """Return the floating-point tensors with an axis of the samples that layers see and give."""
        count = sample_count(inputs)
        return [
            (place, value)
            for place, value in activations(self.model, self.batch(inputs))
            if is_float(value) and len(value.shape) > 1 and value.shape[0] == count
        ]

    def activations_at(self, inputs: Inputs, places: Collection[Place]) -> Iterator[dict[Place, np.ndarray]]:
        """Yield (samples, ...) float32 of some places, for some samples after the others."""
        step = at_once(inputs)
        for first in range(0, sample_count(inputs), step):
            batch = self.batch(some(inputs, slice(first, first + step)))
            found = activations(self.model, batch, places)
            yield {place: np.nan_to_num(np.asarray(value, np.float32)) for place, value in found}

    def targets(self, inputs: Inputs) -> np.ndarray:
        """Return for each sample the (samples,) index of the output that is greatest, which is explained.

        Of pixels that have classes it is the class of the most of them, the first one aside.
        """
        outputs = self.outputs(inputs)
        if outputs.ndim <= 2:
            return outputs.reshape(len(outputs), -1).argmax(axis=1)
        chosen = outputs.argmax(axis=-1).reshape(len(outputs), -1)  # (samples, positions)
        counts = np.stack([(chosen == index).sum(axis=1) for index in range(outputs.shape[-1])], axis=1)
        counts[:, 0] = 0 if outputs.shape[-1] > 1 else 1
        return counts.argmax(axis=1)

    def scores(self, inputs: Inputs, targets: np.ndarray) -> np.ndarray:
        """Return (samples,) numbers that are explained, as `score` makes them."""
        step, parts = at_once(inputs), []
        for first in range(0, len(targets), step):
            rows = slice(first, first + step)
            outputs = backend().forward_pass(self.model, self.batch(some(inputs, rows)))
            parts.append(np.asarray(self.score(outputs, targets[rows])))
        return np.concatenate(parts)

    def score(self, outputs: Nest, targets: np.ndarray) -> Any:
        """Return (samples,) of the outputs: the logit or log-probability of a class, or the number itself.

        Args:
            outputs: As the model gives them.
            targets: (samples,) index of an output each.
        """
        values: Any = ops.cast(first_output(outputs), "float32")
        if len(values.shape) == 1:
            values = ops.expand_dims(values, -1)
        if self.has_probabilities:
            values = ops.log(ops.maximum(values, _LEAST))
        chosen = ops.one_hot(ops.convert_to_tensor(targets), values.shape[-1])  # (samples, outputs)
        chosen = ops.reshape(chosen, (len(targets), *(1 for _ in values.shape[2:]), values.shape[-1]))
        return ops.mean(ops.reshape(ops.sum(values * chosen, axis=-1), (len(targets), -1)), axis=1)

    @property
    def has_probabilities(self) -> bool:
        """Whether outputs are probabilities of classes."""
        from kexp.tasks import task_named

        task = task_named(self.spec.task)
        return task.has_logits and not task.has_text_targets and not self.from_logits

    def score_with(self, inputs: Inputs, targets: np.ndarray, place: Place | None) -> Callable[[Any], Any]:
        """Return a function from a tensor in a place of the model, or in that of its input, to scores."""
        if place is None:
            return lambda value: self.score(
                self.model(packed(self.spec.input_structure, value), training=False), targets
            )
        batch = self.batch(inputs)
        return lambda value: self.score(outputs_with(self.model, batch, place, value), targets)

    def gradient(
        self, inputs: Inputs, targets: np.ndarray, place: Place | None, value: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (samples,) scores and their gradients with respect to a tensor, of its shape."""
        function = self.score_with(inputs, targets, place)
        score, gradient = backend().value_and_gradient(function, value)
        return np.asarray(score), np.asarray(gradient, np.float32)


def first_output(outputs: Nest) -> Any:
    """Return the only output of a model, or the first of several."""
    return leaves(outputs)[0]


def only_images(inputs: Inputs) -> str | None:
    """Return the name of the only images among several inputs; None where there are none, or several.

    Example:
        >>> only_images({"photo": np.zeros((2, 8, 8, 3)), "age": np.zeros((2, 1))})
        'photo'
    """
    if not isinstance(inputs, Mapping):
        return None
    named = [name for name, array in inputs.items() if np.ndim(array) == 4]
    return named[0] if len(named) == 1 else None


def at_once(inputs: Inputs) -> int:
    """Return how many of some samples go through a model at once: fewer where each is large.

    Example:
        >>> at_once(np.zeros((2, 8, 8, 1))), at_once(np.zeros((2, 224, 224, 3)))
        (256, 13)
    """
    arrays = inputs.values() if isinstance(inputs, Mapping) else [inputs]
    numbers = sum(int(np.prod(np.shape(array)[1:])) for array in arrays)
    return max(1, min(_AT_ONCE, _NUMBERS // max(numbers, 1)))


def is_float(value: Any) -> bool:
    """Return whether a tensor has numbers of floating point.

    Example:
        >>> is_float(np.zeros(2, np.float32)), is_float(np.zeros(2, np.uint8))
        (True, False)
    """
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(value.dtype))


def some(inputs: Inputs, rows: slice | np.ndarray) -> Inputs:
    """Return some samples of inputs.

    Example:
        >>> some({"age": np.array([1.0, 2.0])}, slice(0, 1))
        {'age': array([1.])}
    """
    if isinstance(inputs, Mapping):
        return {name: np.asarray(array[rows]) for name, array in inputs.items()}
    return np.asarray(inputs[rows])
