"""Text: a text for each text, or how probable a text is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Arrays, require_rows, wrong_shape
from kexp.tasks.class_choice import Choice

if TYPE_CHECKING:
    import keras
    import pandas as pd


class Text(Choice):
    """Predicts the "text", (n,) strings, or the "log_probability", (n,) float32, of what it is given.

    In training outputs are logits of tokens, (batch, steps, tokens), of which 0 is padding.
    """

    name: ClassVar[str] = "text"
    has_text_targets: ClassVar[bool] = True
    is_teacher_forced: ClassVar[bool] = True
    can_augment: ClassVar[bool] = False

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        from kexp.metrics.training.perplexity import Perplexity

        return *super().metrics(spec, from_logits=from_logits), Perplexity(from_logits)

    def sample_mask(self, targets: Tensor) -> Any:
        """Return 1 for tokens and 0 for their padding, (batch, steps) float32."""
        from keras import ops

        return ops.cast(ops.not_equal(targets, 0), "float32")

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
    ) -> tuple[Any, Any]:
        return targets, outputs

    def units_apart(self, spec: DatasetSpec, units: int) -> bool:
        return False

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        largest = int(targets.max())
        if received[:-1] != targets.shape[1:] or received[-1] <= largest:
            wanted = (*targets.shape[1:], largest + 1)
            raise wrong_shape(model, wanted, received, "or more, a logit for each token")

    def check_evaluable(self) -> None:
        raise InputError(
            "evaluate measures classes, numbers and masks, this run's model predicts texts; compare "
            "predict(texts) with what you expect, by kexp.metrics.token_error_rate and the like."
        )

    def named_predictions(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, np.ndarray]:
        return dict(outputs)

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table with a column for each array, the texts under the name of the target."""
        import pandas as pd

        return pd.DataFrame(
            {spec.target if name == "text" else name: array for name, array in predictions.items()}
        )

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        return dict(outputs)

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        if not isinstance(outputs, dict) or not outputs.keys() & {"text", "log_probability"}:
            raise InputError(
                'model must give a dict with "text" or "log_probability" for each sample, received '
                f"{type(outputs).__name__}; pass the model that predicts texts, such as "
                "kexp.models.transcriber's."
            )

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        require_rows(predictions.get("text", predictions.get("log_probability")), (samples,))

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        columns: dict[str, Sequence[object]] = {}
        if "text" in predictions:
            columns = {**self.expected_columns(targets, spec), "answer": list(predictions["text"])}
        if "log_probability" in predictions:
            columns["log probability"] = list(predictions["log_probability"])
        return columns

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        return {"expected": list(targets)}
