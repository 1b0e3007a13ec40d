"""A recurrent network forecasts a series several steps ahead, beside two forecasts that need no training.

Source: Hochreiter and Schmidhuber 1997, "Long short-term memory". Sunspots: yearly means 1700 to 2008 (SIDC).
The naive forecast repeats the last value, the seasonal one what was so many steps before (Hyndman and
Athanasopoulos, "Forecasting: principles and practice", section 5.2).

Command: kexp run lstm_forecast --seed S
Time: 11 s on two CPU cores
Score: sunspots of the last 40 years, three years ahead: test RMSE 24.3 ± 1.8, mean and deviation of 3 seeds
    (0 to 2); the naive forecast has 55.3, the seasonal one 32.7. History, cell, units and rate were chosen by
    a sweep on validation data. More steps do not help here: from three earlier origins, one seed, 60 epochs
    without a choice among them have an RMSE of 26.6, the chosen epochs 21.3 (AR(9) 21.4), and 20.9 with
    --skip 11 --learning-rate 1e-3, which on the test years has 25.6 ± 1.6 (10 seeds; autoregression 25.0)
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

REFERENCES = (Reference({}, "test_root_mean_squared_error", 32.74, 0.0, "seasonal naive forecast"),)


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
    units: Annotated[tuple[int, ...], Between(8, 128, log=True)] = (48,),
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.1,
    skip: Annotated[int, Between(0, 22)] = 0,
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
        **train: Training options.
    """
    columns: dict[str, Any] = {"column": column, "time": time, "series": series}
    steps: dict[str, Any] = {"history": history, "horizon": horizon, "test": test}
    dataset = kexp.data.windows(data, **steps, **columns, validation=kexp.holdout(train)["validation"])
    network: dict[str, Any] = {"cell": cell, "units": units, "dropout": dropout, "skip": min(skip, history)}
    network |= kexp.models.output_scaling(dataset)
    model = kexp.models.rnn(dataset.spec.input_shape, dataset.spec.outputs, **network)
    baselines = {
        "naive": kexp.metrics.naive_forecast(horizon),
        "seasonal_naive": kexp.metrics.naive_forecast(horizon, season=season),
    }
    preprocessing = kexp.models.series_preprocessing(dataset.train.inputs)
    return kexp.fit(model, dataset, preprocessing=preprocessing, baselines=baselines, **train)
