"""The objective of an ensemble in one network: each member learns the targets by itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, DatasetSpec
from kexp.engine.base import StepContext
from kexp.models.tabular.member_layers import MemberMean
from kexp.train.objectives.base import Losses
from kexp.train.objectives.supervised import Supervised, supervised


def ensemble(spec: DatasetSpec, *, label_smoothing: float = 0.0) -> Ensemble:
    """Return the objective of a model whose outputs are the mean of its members', by a last `MemberMean`.

    A training step minimises the mean of the members' losses, so that no member learns to rely on the others.
    Metrics, and the losses of validation and test data, are those of the mean prediction.

    Args:
        spec: What the data is.
        label_smoothing: Share of a label spread over all classes, default 0; that of the training options.

    Source:
        Gorishniy, Kotelnikov and Babenko 2024, "TabM: Advancing Tabular Deep Learning with
        Parameter-Efficient Ensembling".

    Example:
        >>> from kexp.data import load
        >>> ensemble(load("iris").spec).monitor
        'val_accuracy'
    """
    base = supervised(spec, label_smoothing=label_smoothing)
    return Ensemble(**{field.name: getattr(base, field.name) for field in fields(base)})


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble(Supervised):
    """The mean of the members' losses in training, and the loss of their mean elsewhere."""

    has_label_options: bool = True

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless the model ends in the mean of its members, of the outputs of the data."""
        received = tuple(model.output_shape[1:])
        if _mean_of(model) is None or received != (data.spec.outputs,):
            raise InputError(
                f"model must end in a MemberMean layer with {data.spec.outputs} outputs for {data.name}, as "
                f"kexp.models.tabm builds; {model.name} ends in {type(model.layers[-1]).__name__} with "
                f"{received}."
            )

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return the mean of the members' losses in training, else the loss of the mean prediction."""
        if not step.training:
            return super().losses(player, model, inputs, targets, step)
        mean = _mean_of(model)
        assert mean is not None
        # Named, for Keras counts those without a name, and the order of some sums goes by names.
        below = keras.Model(model.input, mean.input, name=f"{model.name}_members")
        members = ops.cast(below(inputs, training=True), "float32")  # (batch, members, outputs)
        count, outputs = members.shape[1:]
        flat = ops.reshape(members, (-1, outputs))  # (batch * members, outputs)
        losses = self.compared(ops.repeat(targets, count, axis=0), flat)
        losses = ops.mean(losses, axis=tuple(range(1, len(losses.shape))))
        total = ops.mean(ops.reshape(losses, (-1, count)), axis=1)
        return Losses(total, penalty=sum(below.losses), outputs=mean(members))


def _mean_of(model: keras.Model) -> Any:
    """Return the last layer of a model if it takes the mean of members, else None."""
    last = model.layers[-1] if model.layers else None
    return last if isinstance(last, MemberMean) else None
