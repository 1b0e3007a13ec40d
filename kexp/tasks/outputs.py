"""Outputs as they are: of models whose loss says nothing of what their outputs stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Arrays, Task

if TYPE_CHECKING:
    import pandas as pd

_MOST_COLUMNS = 64


class Outputs(Task):
    """Predicts "values", (n, ...), which are what the model gives."""

    name: ClassVar[str] = "outputs"
    can_trim_padding: ClassVar[bool] = False
    can_memorize: ClassVar[bool] = False
    takes_any_outputs: ClassVar[bool] = True
    output_noun: ClassVar[str] = "numbers"

    def check_evaluable(self) -> None:
        raise InputError(
            "evaluate compares predictions with targets by the loss of a task, and this model was compiled "
            "with one of its own; use result.model.evaluate after compiling it."
        )

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        """Accept any shape."""

    def named_predictions(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, np.ndarray]:
        return {"values": np.asarray(outputs)}

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table with a column for each number, of which there may be 64 at most."""
        import pandas as pd

        values = np.asarray(predictions["values"])
        flat = values.reshape(len(values), -1)
        if flat.shape[1] > _MOST_COLUMNS:
            raise InputError(
                f"predictions must have at most {_MOST_COLUMNS} numbers for a sample to be a table; received "
                f"{flat.shape[1]}, so take predictions.values."
            )
        names = (
            [spec.target] if flat.shape[1] == 1 else [f"{spec.target}_{one}" for one in range(flat.shape[1])]
        )
        return pd.DataFrame(flat, columns=names)

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        flat = np.asarray(predictions["values"]).reshape(len(predictions["values"]), -1)[:, :8]
        return {f"answer {place}": list(flat[:, place]) for place in range(flat.shape[1])}

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return nothing: of such targets it is not known what they mean."""
        return {}

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        return {"values": tf.convert_to_tensor(outputs)}

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        if not hasattr(outputs, "shape"):
            raise InputError(
                f"model must give one tensor for each sample, received a {type(outputs).__name__}; give it "
                "one."
            )

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        values = predictions.get("values")
        if values is None or len(values) != samples:
            raise InputError(
                f"expected must hold values for each of the {samples} samples, received fewer or more; "
                "pass what the model predicts for exactly these samples."
            )
