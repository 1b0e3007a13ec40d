"""A recurrent network forecasts a series several steps ahead, beside two forecasts that need no training.

Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; Lai et al. 2018 for the linear part beside
it, Kim et al. 2022, "Reversible instance normalization", for the scale of each window. Sunspots: yearly means
1700 to 2008 (SIDC). The naive forecast repeats the last value, the seasonal one what was so many steps before
(Hyndman and Athanasopoulos, "Forecasting: principles and practice", section 5.2).

Command: kexp run lstm_forecast --seed S
Time: 26 s on two CPU cores that other work shared
Score: sunspots of the last 40 years, three years ahead: test RMSE 22.95 ± 0.51, mean and deviation of 10
    seeds (0 to 9); the autoregression on the same rows has 25.04, the naive forecast 55.3, the seasonal one
    32.7

Command: kexp run lstm_forecast --validation 0 --seed S
Score: the same by a network trained on the years held out for validation too, whose cycles are as high
    as those of the test: 21.70 ± 0.45, 10 seeds (0 to 9); AR(9) on the same rows has 22.7

Chosen from three earlier origins, 40 years each: each window scaled by itself has a mean RMSE of 22.4 there,
all windows by the same numbers 28.8, linear autoregressions on 9, 11 and 22 years 23.1, 23.5 and 24.4.
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

REFERENCES = (Reference({}, "test_root_mean_squared_error", 25.04, 0.0, "autoregression on the same rows"),)


@kexp.recipe(
    references=REFERENCES,
    epochs=60,
    batch_size=16,
    optimizer="adam",
    learning_rate=3e-3,
    schedule="cosine",
    validation=0.15,
    clip_norm=1.0,
)
def lstm_forecast(
    data: str = "sunspots",
    *,
    column: str | None = None,
    time: str | None = None,
    series: str | None = None,
    history: Annotated[int, Between(11, 66)] = 22,
    horizon: Annotated[int, AtLeast(1)] = 3,
    season: Annotated[int, AtLeast(1)] = 11,
    test: Annotated[int, AtLeast(1)] = 40,
    cell: Literal["lstm", "gru", "simple"] = "gru",
    units: Annotated[tuple[int, ...], Between(8, 128, log=True)] = (16,),
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.3,
    skip: Annotated[int, Between(0, 22)] = 11,
    scaling: Literal["window", "all"] = "window",
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Forecast a series with a stack of recurrent layers.

    Args:
        data: Name of a series, or path of a CSV or Parquet file with a row per step.
        column: The column to forecast; needed for a file.
        time: The column that rows are ordered by; None: the only one of dates, else they are in order.
        series: The column that says which of several series a row belongs to; None: all are one.
        history: Steps that a forecast is made from.
        horizon: Steps ahead that are forecast.
        season: Steps after which the series about repeats itself, for the seasonal forecast beside it.
        test: Last steps of the series, which are tested on.
        cell: Of the layers.
        units: Of each layer.
        dropout: Share of each layer's outputs dropped.
        skip: Last steps that the output layer sees too, as a linear autoregression does.
        scaling: What is brought to mean 0 and deviation 1, and forecasts back: each window by itself, or all
            training windows together.
        **train: Training options.
    """
    columns: dict[str, Any] = {"column": column, "time": time, "series": series}
    steps: dict[str, Any] = {"history": history, "horizon": horizon, "test": test}
    dataset = kexp.data.windows(data, **steps, **columns, validation=kexp.holdout(train)["validation"])
    network: dict[str, Any] = {"cell": cell, "units": units, "dropout": dropout, "skip": min(skip, history)}
    network |= {"window_scaling": True} if scaling == "window" else kexp.models.output_scaling(dataset)
    model = kexp.models.rnn(dataset.spec.input_shape, dataset.spec.outputs, **network)
    baselines = {
        "naive": kexp.metrics.naive_forecast(horizon),
        "seasonal_naive": kexp.metrics.naive_forecast(horizon, season=season),
    }
    preprocessing = kexp.models.series_preprocessing(dataset.train.inputs) if scaling == "all" else None
    return kexp.fit(model, dataset, preprocessing=preprocessing, baselines=baselines, **train)
