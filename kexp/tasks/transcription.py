"""Transcription: a text for each sound, whose tokens come in the order in which they are heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import wrong_shape
from kexp.tasks.text import Text

if TYPE_CHECKING:
    import keras


class Transcription(Text):
    """Predicts the "text", (n,) strings, and its "log_probability", (n,) float32.

    In training outputs are logits of tokens in each frame, (batch, frames, tokens), of which 0 is the blank,
    and targets (batch, steps) tokens, of which 0 is padding; where in time a token is, nobody says
    (connectionist temporal classification, Graves, Fernández, Gomez and Schmidhuber 2006).
    """

    name: ClassVar[str] = "transcription"
    is_teacher_forced: ClassVar[bool] = False
    can_augment: ClassVar[bool] = True
    can_trim_padding: ClassVar[bool] = False

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        import keras

        if label_smoothing:
            raise InputError(
                "label_smoothing must be 0 for transcription, whose loss is over all places that tokens can "
                f"have; received {label_smoothing}, so leave it out."
            )
        return keras.losses.CTC()

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        return ()  # how many tokens are wrong, only a decoder can say

    def sample_mask(self, targets: Tensor) -> Any:
        return None  # the loss knows the padding

    def first_loss(self, loss: Any, spec: DatasetSpec, targets: np.ndarray) -> None:
        return None

    def constant_loss(self, loss: Any, targets: np.ndarray) -> float | None:
        return None

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        # A token that comes twice needs a blank between.
        repeated = ((targets[:, 1:] == targets[:, :-1]) & (targets[:, 1:] != 0)).sum(axis=1)
        frames, largest = int(((targets != 0).sum(axis=1) + repeated).max()), int(targets.max())
        if len(received) != 2 or received[0] < frames or received[1] <= largest:
            raise wrong_shape(model, (frames, largest + 1), received, "or more, frames by logits of tokens")
