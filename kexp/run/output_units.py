"""Output units that stand each for themselves: whether they are logits or probabilities."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from kexp.core.keras_private import output_activations, takes_logits
from kexp.data.dataset import Inputs
from kexp.run.inference import raw_outputs

_PROBABILITIES = ("hard_sigmoid", "sigmoid", "softmax")
TRIED_SAMPLES = 512


def units_give_logits(model: keras.Model, inputs: Inputs, loss: object) -> tuple[bool, str]:
    """Return whether units are logits rather than probabilities, and how that is known.

    A few values of an untrained model may lie between 0 and 1 by chance. So what the last layer computes
    comes first, then what the loss takes, and many values come last.

    Args:
        model: Built, with one output.
        inputs: Of the first `TRIED_SAMPLES` training samples, as the model takes them.
        loss: A Keras loss, its name or a function; None: the task's own, which takes either.
    """
    (activation, *_) = output_activations(model)
    if activation is not None:
        return activation not in _PROBABILITIES, f"its last layer is {activation}"
    taken = loss_takes_logits(loss)
    if taken is not None:
        return taken, f"the loss takes {'logits' if taken else 'probabilities'}"
    outputs = raw_outputs(model, inputs, 256)
    inside = bool(((outputs >= 0) & (outputs <= 1)).all())
    where = "all between 0 and 1" if inside else "not all between 0 and 1"
    return not inside, f"{outputs.size} of them are {where}"


def loss_takes_logits(loss: Any) -> bool | None:
    """Return whether a loss takes logits, or None for one that does not say.

    Args:
        loss: A Keras loss, its name, a function of targets and outputs, or None.

    Example:
        >>> loss_takes_logits("binary_crossentropy"), loss_takes_logits(keras.losses.Huber())
        (False, None)
    """
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    if isinstance(loss, keras.losses.Loss):
        return takes_logits(loss)
    parameter = inspect.signature(loss).parameters.get("from_logits") if callable(loss) else None
    return None if parameter is None else bool(parameter.default)
