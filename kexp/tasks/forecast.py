"""Forecast: the quantiles of the next steps of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec, Inputs
from kexp.metrics.direction import Direction
from kexp.metrics.exact_metrics import regression_metrics
from kexp.metrics.forecast_metrics import (
    pinball,
    symmetric_percentage_error,
    weighted_quantile_loss,
)
from kexp.tasks.base import Arrays, require_rows
from kexp.tasks.regression import Regression

if TYPE_CHECKING:
    import keras
    import pandas as pd

_OF_NUMBERS = ("root_mean_squared_error", "mean_absolute_error")


class Forecast(Regression):
    """Predicts "quantiles", (n, horizon, levels), and of these the medians as "values", (n, horizon)."""

    name: ClassVar[str] = "forecast"
    output_noun: ClassVar[str] = "steps and their quantiles"
    can_augment: ClassVar[bool] = False
    undefined: ClassVar[str] = "all targets are 0"

    def loss_of(self, spec: DatasetSpec, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        """Return the pinball loss of the levels of the data."""
        from kexp.metrics.training.pinball_loss import PinballLoss

        assert spec.forecast_form is not None
        return PinballLoss(spec.forecast_form.quantiles)

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
    ) -> tuple[Any, Any]:
        """Return targets and the medians."""
        return targets, outputs[..., outputs.shape[-1] // 2]

    def output_shape(self, spec: DatasetSpec) -> tuple[int, ...]:
        """Return (horizon, levels)."""
        assert spec.forecast_form is not None
        return (spec.outputs, len(spec.forecast_form.quantiles))

    def _predictions_of(
        self, outputs: np.ndarray, spec: DatasetSpec, from_probabilities: bool
    ) -> dict[str, np.ndarray]:
        return {"values": outputs[..., outputs.shape[-1] // 2], "quantiles": outputs}

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        quantiles = tf.cast(outputs, tf.float32)
        return {"values": quantiles[..., quantiles.shape[-1] // 2], "quantiles": quantiles}

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        require_rows(predictions.get("quantiles"), (samples, *self.output_shape(spec)))

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a row per sample: for each step the median, then for each step the other quantiles."""
        import pandas as pd

        form = spec.forecast_form
        assert form is not None
        steps = range(1, form.horizon + 1)
        columns = {f"{form.target}+{step}": predictions["values"][:, step - 1] for step in steps}
        for step in steps:
            for place, level in enumerate(form.quantiles):
                if place != form.middle:
                    columns[f"{form.target}+{step} q{level:g}"] = predictions["quantiles"][:, step - 1, place]
        return pd.DataFrame(columns)

    def sample_columns(self, inputs: Inputs, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return the series, and the time of the first step that is forecast."""
        form, found = spec.forecast_form, dict[str, Sequence[object]]()
        assert form is not None
        assert isinstance(inputs, Mapping)
        if form.series:
            found[form.series] = list(inputs["series"])
        if form.periods:
            moments = inputs["time"].astype("datetime64[s]")
            found[f"first {form.time}"] = [str(moment).replace("T", " ") for moment in moments]
        return found

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return the targets of each step."""
        return {f"expected {spec.target}+{step + 1}": list(targets[:, step]) for step in range(spec.outputs)}

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        values, quantiles = predictions["values"], predictions["quantiles"]
        form = spec.forecast_form
        assert form is not None
        if np.shape(targets) != values.shape or not np.isfinite(quantiles).all():
            return {}
        whole = regression_metrics(targets.reshape(-1, 1), values.reshape(-1, 1))
        found = {name: whole[name] for name in _OF_NUMBERS}
        found["smape"] = symmetric_percentage_error(targets, values)
        loss = weighted_quantile_loss(targets, quantiles, form.quantiles)
        crps = 2 * float(pinball(targets, quantiles, form.quantiles).mean())
        return found | {"crps": crps} | ({"wql": loss} if np.isfinite(loss) else {})

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        """Return the names for all steps together."""
        return dict.fromkeys((*_OF_NUMBERS, "smape", "crps", "wql"), "min")
