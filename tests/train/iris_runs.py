"""Short trainings on iris, which tests of the loop share."""

import keras
import numpy as np

import kexp
from kexp.core.precision import precision

BATCH = 50


def build(data, **options):
    keras.utils.set_random_seed(7)
    preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    return preprocessing, kexp.models.mlp((4,), 3, hidden=(8,), **options)


def train(data, run_dir, callbacks=(), dropout=0.0, normalization="none", **options):
    with precision(options.get("precision", "float32")):
        preprocessing, model = build(data, dropout=dropout, normalization=normalization)
    options = {"epochs": 4, "batch_size": BATCH, "learning_rate": 0.05, "seed": 3, "quiet": True, **options}
    return kexp.fit(
        model, data, preprocessing=preprocessing, callbacks=callbacks, run_dir=str(run_dir), **options
    )


def weights(result):
    return [np.array(weight) for weight in result.model.get_weights()]


def assert_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(one, other)


class Cut(Exception):
    """Stands for a kill: nothing of the loop's own runs after it."""


class CutAfter(keras.callbacks.Callback):
    """Ends the process's work after so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left < 0:
            raise Cut
