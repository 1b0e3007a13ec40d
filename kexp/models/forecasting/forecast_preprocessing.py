"""Preprocessing of forecasts: covariates at one scale, names of series as places, times as phases."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import layers

from kexp.data import ForecastDataset
from kexp.data.forecast_panel import Panel
from kexp.data.transforms.forecast_windows import text_input
from kexp.models.forecasting.forecast_layers import CalendarPhases, SeriesScale
from kexp.models.preprocessing.standardization import moments

__all__ = ["forecast_preprocessing"]

Scaling = Literal["window", "series", "all"]


def forecast_preprocessing(data: ForecastDataset, *, scaling: Scaling = "window") -> keras.Model:
    """Build a model from the raw inputs of forecasts to numbers, which is not trained.

    All statistics are those of the steps before the last training target.

    Args:
        data: Of `kexp.data.forecast_windows`.
        scaling: What the target is brought to mean 0 and deviation 1 by: each "window" by itself (default),
            which a forecaster does, each "series", or "all" alike.

    Returns:
        A model from the inputs by name to "target" (batch, context) as it came, and where there are such
        "past" and "future" at mean 0 and deviation 1, "phase" (batch, periods), "static" (batch, width), and
        "scale" (batch, 2), the mean and deviation of the target; of several targets (batch, 2, targets).

    Example:
        >>> import kexp
        >>> data = kexp.data.forecast_windows("sunspots", context=66, horizon=3, test=40)
        >>> model = forecast_preprocessing(data, scaling="all")
        >>> {name: tensor.shape for name, tensor in model.output.items()}
        {'target': (None, 66), 'scale': (None, 2)}
    """
    form, panel, end = data.form, data.panel, data.training_end
    inputs = {
        one.name: keras.Input(one.shape, dtype=one.dtype, name=_input_name(one.name))
        for one in data.spec.inputs
    }
    outputs: dict[str, Any] = {"target": layers.Identity(dtype="float32", name="history")(inputs["target"])}
    for name, values in (("past", panel.past), ("future", panel.future)):
        if name in inputs:
            outputs[name] = _standardized(values[:, :end].reshape(-1, values.shape[-1]))(inputs[name])
    if "time" in inputs:
        outputs["phase"] = CalendarPhases(form.periods, name="phases")(inputs["time"])
    facts = []
    series = _one_hot(inputs["series"], list(panel.names)) if form.series else None
    if series is not None and len(panel.names) > 1:
        facts.append(series)
    if form.numbers:
        numbers = np.stack([panel.static[name] for name in form.numbers], axis=-1)
        facts.append(_standardized(numbers)(inputs["static"]))
    facts += [
        _one_hot(inputs[text_input(name)], sorted(set(panel.static[name].tolist()))) for name in form.texts
    ]
    if facts:
        outputs["static"] = layers.Concatenate(name="facts")(facts) if len(facts) > 1 else facts[0]
    if scaling != "window":
        outputs["scale"] = _scales(panel, end, series, inputs["target"], each=scaling == "series")
    return keras.Model(inputs, outputs, name="preprocessing")


def _input_name(name: str) -> str:
    """Return a name that layers can have."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)


def _standardized(rows: np.ndarray) -> keras.layers.Layer:
    mean, variance = moments(lambda: [rows])
    return layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")


def _one_hot(texts: Any, known: list[str]) -> Any:
    """Return (batch, known) with a 1 at the place of a text; of one that training had not, none.

    The place of unknown ones is cut off: nothing would train its weights.
    """
    lookup = layers.StringLookup(vocabulary=known, output_mode="one_hot", num_oov_indices=1)
    return lookup(texts)[:, 1:]


def _scales(panel: Panel, end: int, series: Any, target: Any, *, each: bool) -> Any:
    """Return (batch, 2) mean and deviation of the target, of several (batch, 2, targets)."""
    known = np.moveaxis(panel.targets[:, :end], -1, 0)
    if len(known) == 1:
        return _scale(known[0], series, target, "scale", each=each)
    found = [
        _scale(own, series, target[..., place], f"scale_{place}", each=each)
        for place, own in enumerate(known)
    ]
    return layers.Concatenate(name="scale")([layers.Reshape((2, 1))(one) for one in found])


def _scale(known: np.ndarray, series: Any, target: Any, name: str, *, each: bool) -> Any:
    """Return (batch, 2) mean and deviation of a target, (series, steps) of training."""
    rows = list(known) if each and series is not None else [known]
    means = [float(np.nanmean(row)) for row in rows]
    deviations = [float(np.nanstd(row)) or 1.0 for row in rows]
    places = series if each and series is not None else layers.Rescaling(0.0)(target)[:, :1]
    return SeriesScale(means, deviations, name=name)(places)
