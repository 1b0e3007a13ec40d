"""What a model answers besides its predictions, as further functions of an export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

__all__ = ["Signature"]


class Signature(NamedTuple):
    """A further function that an export serves, and what it is checked with.

    An output named "margin", (n,) float32, says how far each row's prediction is from another one: where it
    is next to nothing, rounding decides, and the check does not compare the row's texts.

    Attributes:
        function: From tensors, by the names of `inputs`, to a dict of tensors.
        inputs: Shape and type of each input; None: one argument, the raw inputs as the model itself takes
            them, which the export knows.
        examples: A value of each input to check the export with; None with `inputs`.
    """

    function: Callable[..., dict[str, Any]]
    inputs: Mapping[str, tf.TensorSpec] | None
    examples: Mapping[str, np.ndarray] | None
