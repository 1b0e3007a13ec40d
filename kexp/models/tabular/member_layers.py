"""Layers of many members in one network: one matrix for all, scales before and after it for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

__all__ = ["MemberDense", "MemberHeads", "MemberInputs", "MemberMean"]


@keras.saving.register_keras_serializable(package="kexp")
class MemberInputs(keras.layers.Layer):
    """Each member sees the features at scales of its own, which start at random, so that members differ.

    Args:
        members: How many.
        sections: How many features each column has, which start at one scale; None (default): one each.
        start: What scales start from: "normal" (default), for embeddings, or "signs", 1 or -1.

    Source:
        Gorishniy, Kotelnikov and Babenko 2024, "TabM".

    Example:
        >>> MemberInputs(8)(ops.ones((2, 5))).shape
        TensorShape([2, 8, 5])
    """

    def __init__(
        self,
        members: int,
        sections: Sequence[int] | None = None,
        start: Literal["normal", "signs"] = "normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.members, self.sections, self.start = members, sections and list(sections), start

    def build(self, input_shape: Shape) -> None:
        sections = self.sections or [1] * input_shape[-1]
        if sum(sections) != input_shape[-1]:
            raise InputError(
                f"sections must be {input_shape[-1]} features together; received {sum(sections)} of them."
            )
        self.scale = self.add_weight(
            shape=(self.members, input_shape[-1]), initializer=self._scales(sections), name="scale"
        )

    def _scales(self, sections: Sequence[int]) -> Any:
        columns = np.repeat(np.arange(len(sections)), sections)

        def start(shape: Shape, dtype: Any = None) -> Any:
            drawn = keras.random.normal((self.members, len(sections)), dtype=dtype)
            return ops.take(ops.sign(drawn) if self.start == "signs" else drawn, columns, axis=1)

        return start

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, members, features) of (batch, features)."""
        return ops.expand_dims(inputs, 1) * self.scale

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], self.members, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("members", "sections", "start")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kexp")
class MemberDense(keras.layers.Layer):
    """A dense layer whose matrix all members share, with scales of inputs and outputs and a bias for each.

    A member's `x` becomes `((x * r) W) * s + b`; `r` and `s` start at 1.

    Args:
        units: Outputs of a member.
        scales_inputs: Whether there is an `r`, default True; behind `MemberInputs` there is one already.

    Source:
        Wen, Tran and Ba 2020, "BatchEnsemble"; Gorishniy, Kotelnikov and Babenko 2024, "TabM".

    Example:
        >>> MemberDense(7)(ops.ones((2, 8, 5))).shape
        TensorShape([2, 8, 7])
    """

    def __init__(self, units: int, *, scales_inputs: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.scales_inputs = units, scales_inputs

    def build(self, input_shape: Shape) -> None:
        _, members, features = input_shape
        start = _uniform(features)
        self.kernel = self.add_weight(shape=(features, self.units), initializer=start, name="kernel")
        self.bias = self.add_weight(shape=(members, self.units), initializer=start, name="bias")
        self.output_scale = self.add_weight(
            shape=(members, self.units), initializer="ones", name="output_scale"
        )
        self.input_scale = None
        if self.scales_inputs:
            self.input_scale = self.add_weight(
                shape=(members, features), initializer="ones", name="input_scale"
            )

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, members, units) of (batch, members, features)."""
        members, features = inputs.shape[1:]
        x = inputs if self.input_scale is None else inputs * self.input_scale
        # As one product of matrices: TensorFlow would take one for each sample.
        x = ops.matmul(ops.reshape(x, (-1, features)), self.kernel)
        return ops.reshape(x, (-1, members, self.units)) * self.output_scale + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "scales_inputs": self.scales_inputs}


@keras.saving.register_keras_serializable(package="kexp")
class MemberHeads(keras.layers.Layer):
    """A dense layer of its own for each member.

    Args:
        units: Outputs of a member.

    Example:
        >>> MemberHeads(3)(ops.ones((2, 8, 5))).shape
        TensorShape([2, 8, 3])
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Shape) -> None:
        _, members, features = input_shape
        start = _uniform(features)
        self.kernel = self.add_weight(shape=(members, features, self.units), initializer=start, name="kernel")
        self.bias = self.add_weight(shape=(members, self.units), initializer=start, name="bias")

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, members, units) of (batch, members, features)."""
        x = ops.matmul(ops.transpose(inputs, (1, 0, 2)), self.kernel)  # (members, batch, units)
        return ops.transpose(x, (1, 0, 2)) + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


MeanOf = Literal["values", "classes", "labels"]


@keras.saving.register_keras_serializable(package="kexp")
class MemberMean(keras.layers.Layer):
    """The prediction of all members together: the mean of their numbers, or of their probabilities.

    Args:
        of: "values" (default): numbers; "classes": logits of exclusive classes; "labels": logits of labels,
            each by itself. Of logits it gives logits, those of the mean of the probabilities.

    Example:
        >>> logits = ops.log(ops.array([[[0.2, 0.8], [0.6, 0.4]]]))
        >>> [round(float(share), 3) for share in ops.softmax(MemberMean("classes")(logits))[0]]
        [0.4, 0.6]
    """

    def __init__(self, of: MeanOf = "values", **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.of = of

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, outputs) of (batch, members, outputs)."""
        if self.of == "values":
            return ops.mean(inputs, axis=1)
        if self.of == "classes":
            members = math.log(inputs.shape[1])
            return ops.logsumexp(ops.log_softmax(inputs, axis=-1), axis=1) - members
        yes, no = ops.log_sigmoid(inputs), ops.log_sigmoid(-inputs)
        return ops.logsumexp(yes, axis=1) - ops.logsumexp(no, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "of": self.of}


def _uniform(features: int) -> keras.initializers.Initializer:
    bound = features**-0.5
    return keras.initializers.RandomUniform(-bound, bound)
