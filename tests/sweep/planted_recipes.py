"""Recipes that train for a moment, and misbehave where they are asked to."""

import ctypes
import os
import time
from typing import Annotated, Literal

import keras

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


def wrong(targets, logits):
    """Return 1 where the answer is wrong."""
    right = keras.ops.cast(targets, "int32") == keras.ops.cast(keras.ops.argmax(logits, -1), "int32")
    return 1.0 - keras.ops.cast(right, "float32")


@keras.saving.register_keras_serializable("kexp_tests")
class MyError(keras.metrics.MeanMetricWrapper):
    """The share of wrong answers, of which Keras cannot know that less of it is better."""

    def __init__(self, name="my_error", dtype=None):
        super().__init__(wrong, name=name, dtype=dtype)


@kexp.recipe(epochs=1, batch_size=32, learning_rate=1e-2)
def measured(
    data: str = "iris",
    *,
    units: Annotated[int, Between(4, 64, log=True)] = 16,
    fault: Literal["none", "raise"] = "none",
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify irises, with a metric of the user's."""
    dataset = kexp.data.load(data, validation=train["validation"], seed=train["seed"])
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(units,))
    return kexp.fit(model, dataset, preprocessing=preprocessing, metrics=[MyError()], **train)
