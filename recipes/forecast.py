"""Networks forecast one series or many, with intervals, from their past and from what is known ahead.

Source: Zeng et al. 2023, "Are Transformers effective for time series forecasting?" (NLinear); Chen et al.
2023, "TSMixer"; Nie et al. 2023, "A time series is worth 64 words".

Command: TO BE MEASURED
Time: TO BE MEASURED
Score: TO BE MEASURED
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack


@kexp.recipe(
    epochs=20,
    batch_size=64,
    optimizer="adamw",
    learning_rate=1e-3,
    schedule="cosine",
    validation=0.1,
    clip_norm=1.0,
)
def forecast(
    data: str = "sunspots",
    *,
    target: str | None = None,
    time: str | None = None,
    series: str | None = None,
    past: tuple[str, ...] | None = None,
    future: tuple[str, ...] | None = None,
    static: tuple[str, ...] | None = None,
    horizon: Annotated[int, AtLeast(1)] = 24,
    context: Annotated[int, AtLeast(2)] | None = None,
    season: Annotated[int, AtLeast(1)] | None = None,
    test: Annotated[int, AtLeast(0)] | None = None,
    leave_out: Annotated[int, AtLeast(0)] = 0,
    gaps: Literal["refuse", "skip", "fill"] = "refuse",
    quantiles: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    scaling: Literal["window", "series", "all"] = "window",
    network: Literal["nlinear", "tsmixer", "patch_transformer", "lstm"] = "nlinear",
    width: Annotated[int, Between(8, 512, log=True)] = 64,
    depth: Annotated[int, Between(1, 8)] = 2,
    patch: Annotated[int, Between(2, 64)] = 12,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.1,
    stride: Annotated[int, AtLeast(1)] = 1,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Forecast the quantiles of the next steps of one series or several, beside two naive forecasts.

    Args:
        data: Name of a series, or path of a CSV or Parquet file with a row per step and series.
        target: The column to forecast; needed for a file.
        time: The column of dates or numbers, one step apart; None: rows are in order.
        series: The column that says which of several series a row belongs to; None: all are one.
        past: Columns that are known up to the forecast alone.
        future: Columns that are known ahead; the calendar is made from dates and need not be given.
        static: Columns that stay the same within a series.
        horizon: Steps ahead that are forecast.
        context: Steps that a forecast is made from; None: three times the horizon.
        season: Steps after which a series about repeats itself; None: a usual one for the step.
        test: Last steps, which are tested on; None: twice the horizon.
        leave_out: Steps after those that are not looked at.
        gaps: Missing steps: refuse names them, skip leaves out their windows, fill holds the last known
            value.
        quantiles: Levels to forecast, ascending, with 0.5 in the middle.
        scaling: What brings the target to one scale: each window, each series, or all alike.
        network: Which one.
        width: Numbers of a step's vector; not of nlinear.
        depth: Blocks or recurrent layers; not of nlinear.
        patch: Steps of a patch of the Transformer.
        dropout: Share dropped; not of nlinear.
        stride: Steps from one training window to the next.
        **train: Training options.
    """
    columns: dict[str, Any] = {"target": target, "time": time, "series": series}
    columns |= {"past": past, "future": future, "static": static, "season": season, "gaps": gaps}
    steps: dict[str, Any] = {"context": context or 3 * horizon, "horizon": horizon, "stride": stride}
    steps |= {"test": 2 * horizon if test is None else test, "leave_out": leave_out, "quantiles": quantiles}
    dataset = kexp.data.forecast_windows(
        data, **columns, **steps, validation=kexp.holdout(train)["validation"]
    )
    preprocessing = kexp.models.forecast_preprocessing(dataset, scaling=scaling)
    sizes: dict[str, Any] = {"width": width, "depth": depth, "patch": patch, "dropout": dropout}
    model = kexp.models.forecaster(preprocessing, dataset.form, network=network, **sizes)
    return kexp.fit(
        model,
        dataset,
        preprocessing=preprocessing,
        inference_model=kexp.models.raw_forecaster(preprocessing, model),
        final_metrics={"mase": kexp.metrics.scaled_error(dataset)},
        baselines=kexp.metrics.forecast_baselines(dataset),
        **train,
    )
