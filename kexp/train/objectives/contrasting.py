"""The objective of dual encoders: each image is told its text from the others of the batch, and back."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, Split
from kexp.engine.base import MetricProvider, StepContext
from kexp.metrics.retrieval_recall import mean_recall
from kexp.models.dual_encoder import DualEncoder
from kexp.train.objectives.base import Losses, Objective

_NEVER = -1e9  # the logit of what is no answer


def contrastive() -> Contrastive:
    """Return the objective of a `kexp.models.DualEncoder`: symmetric cross-entropy over the pairs of a batch.

    The logits are the cosines of the embeddings of all images and texts of a batch, divided by a temperature
    that is learned. Where a text comes twice in a batch neither is a negative for the other's image. A
    batch is that of all replicas together, whose embeddings are gathered; of `accumulate` each batch stands
    alone. The best epoch is the one with the highest `val_mean_recall`, the mean of the recall at 1 and at 10
    from images to texts and back, of all validation samples; texts of the same tokens count as one there.

    Source:
        Radford et al. 2021, "Learning transferable visual models from natural language supervision" (CLIP).

    Example:
        >>> contrastive().monitor
        'val_mean_recall'
    """
    return Contrastive()


@dataclass(frozen=True, eq=False)
class Contrastive(Objective):
    """The cross-entropy of each image's text among those of the batch, and of each text's image."""

    task: str = "retrieval"
    monitor: str = "val_mean_recall"
    mode: str = "max"
    pairs_samples: bool = True
    quality: ClassVar[Any] = SimpleNamespace(names=("mean_recall",))

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError unless the model is a dual encoder that takes the images and the tokens."""
        if not isinstance(model, DualEncoder):
            raise InputError(
                f"model must be a kexp.models.DualEncoder for this objective; received {model.name!r}."
            )
        shape = tuple(model.image_encoder.input_shape[1:])
        if tuple(data.spec.input_shape) != shape:
            raise InputError(
                f"model must take the images of {data.name}, {tuple(data.spec.input_shape)} each; its "
                f"image_encoder takes {shape}, so build it for them."
            )

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return (batch,) the mean of both cross-entropies of each pair."""
        images = model(inputs, training=step.training)  # (batch, width)
        texts = model.encode_tokens(targets, training=step.training)
        all_images, places = step.all_gather(images)  # (whole batch, width)
        all_texts, _ = step.all_gather(texts)
        all_tokens, _ = step.all_gather(ops.cast(targets, "float32"))  # exact up to 2**24
        own = ops.equal(ops.expand_dims(places, 1), ops.arange(ops.shape(all_images)[0]))
        equal = ops.all(ops.equal(ops.cast(targets, "float32")[:, None], all_tokens[None]), axis=-1)
        counted = ops.logical_or(own, ops.logical_not(equal))  # (batch, whole batch)
        scale = model.scale()
        right = scale * ops.sum(images * texts, axis=-1)

        def crossentropy(some: Tensor, others: Tensor) -> Any:
            logits = scale * ops.matmul(some, ops.transpose(others))
            return ops.logsumexp(ops.where(counted, logits, _NEVER), axis=-1) - right

        total = (crossentropy(images, all_texts) + crossentropy(texts, all_images)) / 2
        penalty = sum([*model.image_encoder.losses, *model.text_encoder.losses])
        return Losses(total, penalty=penalty)

    def samples(self, model: keras.Model, split: Split, train: Split | None) -> MetricProvider | None:
        """Return what measures how well images and texts of a part find one another."""
        return PartRecall(model, split)


@dataclass(frozen=True, eq=False)
class PartRecall:
    """The mean recall of a part.

    Attributes:
        model: The encoders.
        split: Images and tokens.
    """

    model: keras.Model
    split: Split

    def measure(self, batch_size: int) -> dict[str, float]:
        """Return "mean_recall"."""
        inputs, tokens = self.split.inputs, self.split.targets
        images, texts = [], []
        for first in range(0, len(self.split), batch_size):
            rows = slice(first, first + batch_size)
            pixels = ops.convert_to_tensor(np.asarray(inputs[rows]))  # type: ignore[index]
            images.append(np.asarray(self.model(pixels, training=False)))
            texts.append(np.asarray(self.model.encode_tokens(ops.convert_to_tensor(tokens[rows]))))
        numbers = np.unique(tokens, axis=0, return_inverse=True)[1].ravel()
        return {"mean_recall": mean_recall(np.concatenate(images), np.concatenate(texts), numbers)}
