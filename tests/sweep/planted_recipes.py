"""A recipe that trains for a moment, and misbehaves where it is asked to.

What sweeps it needs no TensorFlow: only its trials do.
"""

import ctypes
import os
import time
from typing import Annotated, Literal

import kexp
from kexp import Between, TrainOptions, Unpack


@kexp.recipe(epochs=3, batch_size=32, learning_rate=1e-2)
def planted(
    data: str = "iris",
    *,
    units: Annotated[int, Between(4, 64, log=True)] = 16,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    fault: Literal["none", "segfault", "raise", "nan", "sleep"] = "none",
    faulty_dropout: float = 0.0,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify irises, or break down.

    Args:
        data: A table.
        units: Of the hidden layer.
        dropout: After it.
        fault: What goes wrong.
        faulty_dropout: Smallest dropout with which it does.
        **train: Training options.
    """
    fault = fault if dropout >= faulty_dropout else "none"
    if fault == "segfault":
        ctypes.string_at(0)
    if fault == "raise":
        raise ArithmeticError("planted")
    if fault == "sleep":
        time.sleep(float(os.environ.get("KEXP_TEST_SLEEP_S", "1")))
    dataset = kexp.data.load(data, validation=train["validation"], seed=train["seed"])
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.mlp(
        preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(units,), dropout=dropout
    )
    if fault == "nan":
        model.layers[-1].kernel.assign(model.layers[-1].kernel * float("nan"))
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
