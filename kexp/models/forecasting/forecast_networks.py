"""Forecasters: a linear one, a mixer, a Transformer of patches and a recurrent one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.core.types import Shape
from kexp.data.forecast_form import ForecastForm
from kexp.models.forecasting.forecast_layers import CalendarWaves, QuantileHead
from kexp.models.layers.attention import blocks
from kexp.models.layers.dropout import drop
from kexp.models.layers.embeddings import LearnedPositions
from kexp.models.layers.rotary_positions import check_width

__all__ = ["forecaster", "raw_forecaster"]

ForecastNetwork = Literal["nlinear", "tsmixer", "patch_transformer", "lstm"]
_LEAST_DEVIATION = 1e-3  # of a window that does not change, in units of its size and 1


def forecaster(
    inputs: Mapping[str, Shape] | keras.Model,
    form: ForecastForm,
    *,
    network: ForecastNetwork = "nlinear",
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    patch: int = 12,
    dropout: float = 0.1,
) -> keras.Model:
    """Build a network that forecasts the quantiles of the next steps of a series.

    Each window of the target is brought to mean 0 and deviation 1 by itself, unless a scale is given, and the
    forecast back to its scale (Kim et al. 2022, "Reversible instance normalization"). All networks have the
    path of the linear one beside them, as LSTNet has an autoregression (Lai et al. 2018). What is known of
    each step ahead, its calendar and its covariates, meets what was made of the past just before the
    quantiles.

    Args:
        inputs: What `kexp.models.forecast_preprocessing` gives, or the shapes of that by name, without the
            batch axis.
        form: What is forecast from what.
        network: "nlinear" (default; Zeng et al. 2023, "Are Transformers effective for time series
            forecasting?"): linear in all, from the last value on; "tsmixer" (Chen et al. 2023, "TSMixer: an
            all-MLP architecture for time series forecasting"); "patch_transformer" (Nie et al. 2023, "A time
            series is worth 64 words"); or "lstm" (Hochreiter and Schmidhuber 1997), an encoder whose state
            each step ahead sees.
        width: Numbers of a step's vector, default 64; of "patch_transformer" a multiple of heads.
        depth: Blocks, or recurrent layers, default 2.
        heads: Of the attention, default 4.
        patch: Steps of a patch, default 12; the context less its rest is cut into such.
        dropout: Share dropped, default 0.1, below 1.

    Returns:
        An uncompiled model from the inputs by name to (batch, horizon, levels) float32; of several targets
        (batch, targets * horizon, levels), the steps of the first, then those of the next.

    Raises:
        InputError: The width does not fit the heads, or the patch the context.

    Example:
        >>> import kexp
        >>> data = kexp.data.forecast_windows("sunspots", context=66, horizon=3, test=40)
        >>> shapes = {"target": (66,)}
        >>> model = forecaster(shapes, data.form, network="tsmixer", width=16)
        >>> model.output_shape, model.count_params()
        ((None, 3, 9), 3155)
    """
    if network == "patch_transformer":
        check_width(width, heads, False)
        if patch > form.context:
            raise InputError(f"patch={patch}: expected {form.context} steps of context or fewer; pass fewer.")
    if isinstance(inputs, keras.Model):
        inputs = {name: tensor.shape[1:] for name, tensor in inputs.output.items()}
    given = {name: keras.Input(tuple(shape), dtype="float32", name=name) for name, shape in inputs.items()}
    offset, scale = _scale(given)  # (batch, 1) each, of several targets (batch, 1, targets)
    history = (given["target"] - offset) / scale  # (batch, context), or (batch, context, targets)
    before, ahead = _covariates(given, form)
    steps = history if form.others else ops.expand_dims(history, -1)  # (batch, context, targets)
    seen = layers.Concatenate(name="seen")([steps, before]) if before is not None else steps
    known = [part for part in (ahead, _repeated(given.get("static"), form.horizon)) if part is not None]
    encode = {"nlinear": _linear, "tsmixer": _mixer, "patch_transformer": _patches, "lstm": _recurrent}[
        network
    ]
    encoded = encode(seen, known, form, width=width, depth=depth, heads=heads, patch=patch, dropout=dropout)
    if not form.others:
        return keras.Model(given, _quantiles(encoded, history, offset, scale, form), name=network)
    each = [
        _quantiles(encoded, history[..., place], offset[..., place], scale[..., place], form, f"_{place}")
        for place in range(len(form.targets))
    ]
    return keras.Model(given, layers.Concatenate(axis=1, name="targets")(each), name=network)


def _quantiles(
    encoded: Any, history: Any, offset: Any, scale: Any, form: ForecastForm, ending: str = ""
) -> Any:
    """Return (batch, horizon, levels) of a target, (batch, context), in its own units."""
    last = history[:, -1:]
    # Where all weights are 0, which they begin at, the last value stays.
    project = layers.Dense(form.horizon, kernel_initializer="zeros", name=f"linear{ending}")
    linear = last + project(history - last)
    quantiles = QuantileHead(len(form.quantiles), name=f"quantiles{ending}")(encoded)
    shifted = quantiles + ops.expand_dims(ops.cast(linear, "float32"), -1)
    # In this order: of a batch of as many samples as there are steps or levels, Keras would take a second
    # term of (batch, 1, 1) for a bias of these.
    return ops.expand_dims(offset, -1) + shifted * ops.expand_dims(scale, -1)


def raw_forecaster(preprocessing: keras.Model, network: keras.Model) -> keras.Model:
    """Return a model from the raw inputs of forecasts to their quantiles, which shares its layers with both.

    Args:
        preprocessing: As `kexp.models.forecast_preprocessing` gives.
        network: As `forecaster` gives.
    """
    return keras.Model(preprocessing.input, network(preprocessing.output), name=network.name)


def _scale(given: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what is taken from the target and what it is divided by."""
    if "scale" in given:
        return given["scale"][:, :1], given["scale"][:, 1:]
    target = given["target"]
    mean = ops.mean(target, axis=1, keepdims=True)
    deviation = ops.std(target, axis=1, keepdims=True)
    return mean, ops.maximum(deviation, _LEAST_DEVIATION * (1.0 + ops.abs(mean)))


def _covariates(given: Mapping[str, Any], form: ForecastForm) -> tuple[Any | None, Any | None]:
    """Return covariates of each step of the past and of each that is forecast, (batch, steps, channels)."""
    around = [given["future"]] if "future" in given else []
    if "phase" in given:
        speeds = [form.step / period for period in form.periods]
        around.append(CalendarWaves(form.context, form.horizon, speeds, name="calendar")(given["phase"]))
    before = [part[:, : form.context] for part in around] + ([given["past"]] if "past" in given else [])
    return _joined(before), _joined([part[:, form.context :] for part in around])


def _joined(parts: list[Any]) -> Any | None:
    return None if not parts else parts[0] if len(parts) == 1 else layers.Concatenate()(parts)


def _repeated(facts: Any | None, horizon: int) -> Any | None:
    return None if facts is None else layers.RepeatVector(horizon)(facts)


def _over_time(x: Any, units: int, name: str) -> Any:
    """Return (batch, units, channels): a dense layer over the steps, the same for all channels."""
    return layers.Permute((2, 1))(layers.Dense(units, name=name)(layers.Permute((2, 1))(x)))


def _linear(seen: Any, known: list[Any], form: ForecastForm, **_: Any) -> Any:
    """Return what is seen as it comes to each step by one layer, and what is known of that."""
    return _joined([_over_time(seen, form.horizon, "ahead"), *known])


def _mixer(
    seen: Any, known: list[Any], form: ForecastForm, *, width: int, depth: int, dropout: float, **_: Any
) -> Any:
    """Return (batch, horizon, width) of blocks that mix the steps, then the channels, by turns."""
    x = _joined([_over_time(layers.Dense(width, name="features")(seen), form.horizon, "ahead"), *known])
    x = layers.Dense(width, name="together")(x)
    for number in range(depth):
        mixed = layers.LayerNormalization(name=f"steps_norm_{number}")(x)
        mixed = layers.Activation("relu")(_over_time(mixed, form.horizon, f"steps_{number}"))
        x = x + drop(dropout)(mixed)
        mixed = layers.LayerNormalization(name=f"channels_norm_{number}")(x)
        mixed = layers.Dense(2 * width, "relu", name=f"wide_{number}")(_joined([mixed, *known]))
        x = x + drop(dropout)(layers.Dense(width, name=f"narrow_{number}")(mixed))
    return x


def _patches(
    seen: Any,
    known: list[Any],
    form: ForecastForm,
    *,
    width: int,
    depth: int,
    heads: int,
    patch: int,
    dropout: float,
) -> Any:
    """Return what a Transformer makes of patches of the past, a part of it for each step."""
    count = form.context // patch
    latest = seen[:, form.context - count * patch :]
    x = layers.Dense(width, name="patches")(layers.Reshape((count, patch * seen.shape[-1]))(latest))
    x = LearnedPositions(name="positions")(x)
    x = blocks(x, depth, heads=heads, expansion=2, dropout=dropout)
    size = max(1, width // 4)
    x = layers.Dense(form.horizon * size, name="ahead")(layers.Flatten()(x))
    x = _joined([layers.Reshape((form.horizon, size))(drop(dropout)(x)), *known])
    return layers.Dense(width, "relu", name="together")(x)


def _recurrent(
    seen: Any, known: list[Any], form: ForecastForm, *, width: int, depth: int, dropout: float, **_: Any
) -> Any:
    """Return what each step makes of the state that the past is left in, and of what is known of it."""
    x = seen
    for number in range(depth):
        x = layers.LSTM(width, return_sequences=number + 1 < depth, name=f"lstm_{number}")(x)
        x = drop(dropout)(x)
    state = layers.Dense(form.horizon * max(1, width // 4), name="ahead")(x)
    x = _joined([layers.Reshape((form.horizon, max(1, width // 4)))(state), *known])
    return layers.Dense(width, "relu", name="together")(x)
