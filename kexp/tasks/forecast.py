"""Forecast: the quantiles of the next steps of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec, Inputs, Split
from kexp.metrics.class_suffixes import class_suffixes
from kexp.metrics.direction import Direction
from kexp.metrics.exact_metrics import regression_metrics
from kexp.metrics.forecast_metrics import (
    pinball,
    symmetric_percentage_error,
    weighted_quantile_loss,
)
from kexp.metrics.intervals import Interval, error_intervals
from kexp.tasks.base import Arrays, require_rows
from kexp.tasks.output_part import OutputPart
from kexp.tasks.regression import Regression

if TYPE_CHECKING:
    import keras
    import pandas as pd

_OF_NUMBERS = ("root_mean_squared_error", "mean_absolute_error")
_OF_QUANTILES = ("smape", "crps", "wql")


class Forecast(Regression):
    """Predicts "quantiles", (n, horizon, levels), and of these the medians as "values", (n, horizon).

    Of several targets there are (targets * horizon) steps: those of the first, then those of the next.
    """

    name: ClassVar[str] = "forecast"
    output_noun: ClassVar[str] = "steps and their quantiles"
    can_augment: ClassVar[bool] = False
    undefined: ClassVar[str] = "all targets are 0"

    def loss_of(self, spec: DatasetSpec, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        """Return the pinball loss of the levels of the data."""
        from kexp.metrics.training.pinball_loss import PinballLoss

        assert spec.forecast_form is not None
        form = spec.forecast_form
        scales = [scale for scale in form.scales for _ in range(form.horizon)]
        return PinballLoss(form.quantiles, scales)

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        """Return those of all steps, and of several targets the mean absolute error of each."""
        from kexp.metrics.training.target_error import TargetError

        form = spec.forecast_form
        assert form is not None
        each = enumerate(class_suffixes(form.targets) if form.others else ())
        of_targets = [
            TargetError(place * form.horizon, form.horizon, name=f"mean_absolute_error_{suffix}")
            for place, suffix in each
        ]
        return (*super().metrics(spec, from_logits=from_logits), *of_targets)

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
    ) -> tuple[Any, Any]:
        """Return targets and the medians."""
        return targets, outputs[..., outputs.shape[-1] // 2]

    def output_shape(self, spec: DatasetSpec) -> tuple[int, ...]:
        """Return (targets * horizon, levels)."""
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
        names = form.output_names
        columns = {name: predictions["values"][:, step] for step, name in enumerate(names)}
        for step, name in enumerate(names):
            for place, level in enumerate(form.quantiles):
                if place != form.middle:
                    columns[f"{name} q{level:g}"] = predictions["quantiles"][:, step, place]
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
        assert spec.forecast_form is not None
        names = spec.forecast_form.output_names
        return {f"expected {name}": list(targets[:, step]) for step, name in enumerate(names)}

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        """Return those of all steps; of several targets of each, and their means.

        The errors in units of the targets are those of all steps of all targets at once.
        """
        values, quantiles = predictions["values"], predictions["quantiles"]
        form = spec.forecast_form
        assert form is not None
        if np.shape(targets) != values.shape or not np.isfinite(quantiles).all():
            return {}
        if form.others:
            return self._of_targets(targets, predictions, spec)
        whole = regression_metrics(targets.reshape(-1, 1), values.reshape(-1, 1))
        found = {name: whole[name] for name in _OF_NUMBERS}
        found["smape"] = symmetric_percentage_error(targets, values)
        loss = weighted_quantile_loss(targets, quantiles, form.quantiles)
        crps = 2 * float(pinball(targets, quantiles, form.quantiles).mean())
        return found | {"crps": crps} | ({"wql": loss} if np.isfinite(loss) else {})

    def _of_targets(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        form = spec.forecast_form
        assert form is not None
        each = []
        for place in range(len(form.targets)):
            own, steps = _of_target(spec, place), form.steps_of(place)
            answers = {name: array[:, steps] for name, array in predictions.items()}
            each.append(self.exact_metrics(targets[:, steps], answers, own))
        whole = regression_metrics(targets.reshape(-1, 1), predictions["values"].reshape(-1, 1))
        found = {name: whole[name] for name in _OF_NUMBERS}
        defined = [name for name in _OF_QUANTILES if all(name in one for one in each)]
        found |= {name: float(np.mean([one[name] for one in each])) for name in defined}
        for suffix, one in zip(class_suffixes(form.targets), each, strict=True):
            found |= {f"{name}_{suffix}": value for name, value in one.items()}
        return found

    def intervals(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, Interval]:
        """Return those of all steps, and of each of several targets."""
        found = super().intervals(targets, predictions, spec)
        form = spec.forecast_form
        assert form is not None
        if found and form.others:
            for place, suffix in enumerate(class_suffixes(form.targets)):
                steps = form.steps_of(place)
                own = error_intervals(targets[:, steps], predictions["values"][:, steps])
                found |= {f"{name}_{suffix}": ends for name, ends in own.items()}
        return found

    def parts(self, spec: DatasetSpec) -> Sequence[OutputPart]:
        """Return each of several targets, with its own history."""
        form = spec.forecast_form
        assert form is not None
        return [_part(spec, place) for place in range(len(form.targets))] if form.others else ()

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        """Return the names for all steps together, and for each of several targets."""
        form, names = spec.forecast_form, (*_OF_NUMBERS, *_OF_QUANTILES)
        assert form is not None
        each = class_suffixes(form.targets) if form.others else ()
        return dict.fromkeys((*names, *(f"{name}_{suffix}" for suffix in each for name in names)), "min")


def _of_target(spec: DatasetSpec, place: int) -> DatasetSpec:
    """Return the description of the data as that of one target alone."""
    form = spec.forecast_form
    assert form is not None
    own = replace(form, target=form.targets[place], others=(), scales=())
    inputs = tuple(
        replace(one, shape=(form.context,)) if one.name == "target" else one for one in spec.inputs
    )
    return replace(
        spec, outputs=form.horizon, target=own.target, target_names=(), inputs=inputs, forecast_form=own
    )


def _part(spec: DatasetSpec, place: int) -> OutputPart:
    form = spec.forecast_form
    assert form is not None
    steps, suffix = form.steps_of(place), class_suffixes(form.targets)[place]

    def split(whole: Split) -> Split:
        assert isinstance(whole.inputs, Mapping)
        inputs = {**whole.inputs, "target": whole.inputs["target"][..., place]}
        return replace(whole, inputs=inputs, targets=whole.targets[:, steps])

    def predictions(found: Arrays) -> Arrays:
        return {name: array[:, steps] for name, array in found.items()}

    own = _of_target(spec, place)
    return OutputPart(form.targets[place], own, lambda name: f"{name}_{suffix}", split, predictions)
