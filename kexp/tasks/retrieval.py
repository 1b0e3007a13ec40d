"""Retrieval: texts for images and images for texts, by how near their embeddings are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Arrays, require_rows
from kexp.tasks.text import Text

if TYPE_CHECKING:
    import keras
    import pandas as pd

OUTPUTS = ("text", "similarity", "lead", "embedding")


class Retrieval(Text):
    """Predicts the "embedding", (n, width) float32 of length 1, and the most similar training "text", (n,).

    Besides the "similarity" of both, (n,) float32, and its "lead" over that of the next text. In training an
    image and its text have an embedding each, and other texts of the batch are what it is told from.
    """

    name: ClassVar[str] = "retrieval"
    is_teacher_forced: ClassVar[bool] = False
    can_augment: ClassVar[bool] = True
    can_trim_padding: ClassVar[bool] = False
    measures_itself: ClassVar[bool] = True

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        raise InputError(
            "objective must be given for retrieval, whose loss is of all pairs of a batch; pass "
            "kexp.objectives.contrastive()."
        )

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        return ()

    def sample_mask(self, targets: Tensor) -> Any:
        return None  # of the tokens of a text the encoder knows the padding

    def first_loss(self, loss: Any, spec: DatasetSpec, targets: np.ndarray) -> None:
        return None

    def constant_loss(self, loss: Any, targets: np.ndarray) -> float | None:
        return None

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        self.loss(from_logits=True, label_smoothing=0.0)  # which no outputs have

    def check_evaluable(self) -> None:
        """Accept it: `measured` compares embeddings of images and texts."""

    def measured(self, model: keras.Model, targets: np.ndarray, predictions: Arrays) -> dict[str, float]:
        from kexp.metrics.retrieval_recall import retrieval_recall

        return retrieval_recall(predictions["embedding"], model.text_embeddings(targets), targets)

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table of the most similar text, under the name of the target, its similarity and lead."""
        return super().frame({name: predictions[name] for name in OUTPUTS[:3]}, spec)

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        if not isinstance(outputs, dict) or not outputs.keys() >= set(OUTPUTS):
            raise InputError(
                f"model must give a dict with {', '.join(OUTPUTS)} for each image, received "
                f"{type(outputs).__name__}; pass a kexp.models.ImageTextSearch."
            )

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        require_rows(predictions.get("text"), (samples,))
        require_rows(predictions.get("lead"), (samples,))

    def tied(self, predictions: Arrays, tolerance: float, spec: DatasetSpec) -> np.ndarray | np.bool_:
        """Return where two texts are equally similar, (samples,) bool."""
        return predictions["lead"] <= 2 * tolerance if "lead" in predictions else np.False_

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        columns = super().example_columns(targets, predictions, spec)
        return {**columns, "similarity": list(predictions["similarity"])}

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return "zero-shot-image-classification"
