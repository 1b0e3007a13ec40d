"""A recipe with a metric of the user's."""

from typing import Annotated, Literal

import keras

import kexp
from kexp import Between, TrainOptions, Unpack


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
