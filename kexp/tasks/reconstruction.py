"""Reconstruction: the inputs once more, by way of a code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Arrays, Task, require_rows
from kexp.tasks.sample_requests import check_sample_request, images_from_unit

if TYPE_CHECKING:
    import keras
    import pandas as pd

OUTPUTS = ("reconstruction", "code", "anomaly_score")
_MOST_CODE = 64  # numbers that a frame shows of a code


class Reconstruction(Task):
    """Predicts the "reconstruction" and "code", (n, ...) float32, and the "anomaly_score", (n,) float32."""

    name: ClassVar[str] = "reconstruction"
    can_sample: ClassVar[bool] = True
    can_trim_padding: ClassVar[bool] = False  # it is to be given back

    def check_evaluable(self) -> None:
        raise not_evaluable(self.name)

    def named_predictions(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, np.ndarray]:
        if not isinstance(outputs, Mapping) or not outputs.keys() >= set(OUTPUTS):
            raise InputError(
                'outputs must be a mapping with "reconstruction", "code" and "anomaly_score", received '
                f"{sorted(outputs) if isinstance(outputs, Mapping) else type(outputs).__name__}; record a "
                "kexp.models.Reconstructor of the model."
            )
        return {name: np.asarray(outputs[name], dtype=np.float32) for name in OUTPUTS}

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table of the anomaly score and the code, which is left out where it is long."""
        import pandas as pd

        columns = {"anomaly_score": predictions["anomaly_score"]}
        if "code" in predictions:
            codes = predictions["code"].reshape(len(predictions["code"]), -1)
            if codes.shape[1] <= _MOST_CODE:
                columns.update({f"code_{index}": column for index, column in enumerate(codes.T)})
        return pd.DataFrame(columns)

    def sampleable_classes(self, config: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return () for a variational autoencoder, whose encoder gives two outputs, else None."""
        layers = config["autoencoder"]["config"]["layers"]
        encoder = next(layer for layer in layers if layer["name"] == "encoder")
        outputs = encoder["config"]["output_layers"]
        variational = len(outputs) == 2 and all(isinstance(output, list) for output in outputs)
        return () if variational else None

    def sample(
        self, model: keras.Model, spec: DatasetSpec, n: int, seed: int, labels: Sequence[str | int] | None
    ) -> np.ndarray:
        """Return what a variational autoencoder reconstructs of random codes."""
        check_sample_request(n, seed, labels, () if model.variational else None)
        return images_from_unit(np.asarray(model.sample(n, seed)), spec)

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        return {name: tf.cast(outputs[name], tf.float32) for name in OUTPUTS}

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        if not isinstance(outputs, dict) or not outputs.keys() >= set(OUTPUTS):
            raise InputError(
                'model must give a dict with "reconstruction", "code" and "anomaly_score", received '
                f"{type(outputs).__name__}; pass a kexp.models.Reconstructor."
            )

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        rows = {name: len(array) for name, array in predictions.items()}
        if rows != dict.fromkeys(OUTPUTS, samples):
            raise InputError(
                f"expected must hold {', '.join(OUTPUTS)} for each of the {samples} samples, "
                f"received {rows}; make it with Predictions.from_outputs."
            )
        require_rows(predictions["anomaly_score"], (samples,))


def not_evaluable(task: str) -> InputError:
    """Return the error of a task whose predictions are compared with no targets."""
    return InputError(
        f"evaluate compares predictions with targets, of which {task} has none; the run's "
        "metrics hold what was measured of it."
    )
