"""The objective of a student: the labels of the data, and what a teacher says of the same inputs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import keras
from keras import ops

from kexp.core.constraints import Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.splits import head
from kexp.engine.base import StepContext
from kexp.metrics.direction import Direction
from kexp.tasks import task_named
from kexp.train.objectives.base import Losses
from kexp.train.objectives.supervised import Supervised, supervised

_TRIED_SAMPLES = 2


def distillation(
    spec: DatasetSpec, teacher: keras.Model, *, temperature: float = 4.0, weight: float = 0.5
) -> Distillation:
    """Return the objective of a student that learns from labels and from a teacher.

    With logits `z` of the student and `t` of the teacher, a temperature `T` and a weight `w`, a sample costs
    `(1 - w) CE(labels, softmax(z)) + w T^2 KL(softmax(t / T), softmax(z / T))`. The teacher takes what the
    student takes, augmentation included, and is not changed.

    Args:
        spec: What the data is: one class for each sample.
        teacher: From the student's inputs to (batch, classes) logits, such as `kexp.load_teacher` gives.
        temperature: What logits are divided by, default 4, from 0.1 to 100.
        weight: Share of the teacher in the loss, default 0.5, from 0 to 1.

    Raises:
        InputError: A value is out of range, or the data are not for classification.

    Source:
        Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network".

    Example:
        >>> from kexp.data import load
        >>> data = load("digits")
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
        >>> teacher = keras.Sequential(layers)
        >>> distillation(data.spec, teacher, weight=0.9).components
        ('label_loss', 'teacher_loss')
    """
    temperature = check_value("temperature", temperature, Annotated[float, Between(0.1, 100.0)])
    weight = check_value("weight", weight, Annotated[float, Between(0.0, 1.0)])
    if not task_named(spec.task).has_labels:
        raise InputError(f"spec must be of data for classification for a teacher; received {spec.task}.")
    base = supervised(spec)
    own = {field.name: getattr(base, field.name) for field in fields(base)}
    return Distillation(**own, teacher=teacher, temperature=temperature, weight=weight)


@dataclass(frozen=True, eq=False, kw_only=True)
class Distillation(Supervised):
    """The loss of labels, and the divergence of a student's classes from a teacher's.

    Attributes:
        teacher: From inputs to (batch, classes) logits.
        temperature: What logits are divided by.
        weight: Share of the teacher in the loss.
    """

    teacher: keras.Model
    temperature: float
    weight: float
    components: tuple[str, ...] = ("label_loss", "teacher_loss")

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless student and teacher take the data's inputs and know its classes."""
        inputs = ops.convert_to_tensor(head(data.train, _TRIED_SAMPLES).inputs)
        for name, network in (("model", model), ("teacher", self.teacher)):
            try:
                received = tuple(network(inputs, training=False).shape[1:])
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"{name} must take the inputs of {data.name}, {data.spec.input_shape} {data.spec.dtype} "
                    f"each, as the student does; {network.name} does not."
                ) from error
            if received != (data.spec.outputs,):
                raise InputError(
                    f"{name} must give a logit for each of the {data.spec.outputs} classes of {data.name}; "
                    f"{network.name} gives {received}."
                )

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return what a batch costs the student."""
        labelled = super().losses(player, model, inputs, targets, step)
        taught = ops.cast(self.teacher(inputs, training=False), "float32") / self.temperature
        soft = ops.softmax(ops.stop_gradient(taught))  # (batch, classes)
        learned = ops.log_softmax(ops.divide(labelled.outputs, self.temperature))
        divergence = ops.sum(soft * (ops.log_softmax(taught) - learned), axis=-1)
        teacher_loss = self.temperature**2 * divergence
        total = (1.0 - self.weight) * labelled.total + self.weight * teacher_loss
        components = {"label_loss": labelled.total, "teacher_loss": teacher_loss}
        return Losses(total, labelled.penalty, components, labelled.outputs)

    def metric_directions(self) -> dict[str, Direction | None]:
        """Return the names of loss, components and metrics."""
        return {**super().metric_directions(), **dict.fromkeys(self.components, "min")}

    def least_loss(self, batch: Split, spec: DatasetSpec, label_smoothing: float) -> float:
        """Return 0: nobody knows how far labels and teacher agree."""
        return 0.0
