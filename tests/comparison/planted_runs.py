"""Pairs of small runs with one planted difference each, made through the public API."""

import keras
import numpy as np

import kexp
from kexp import recipes
from kexp.data.order import epoch_order

BATCH, SAMPLES = 32, 256
MOST = {"epochs": 3, "batch_size": BATCH, "quiet": True}
FACTOR = {"by": 1.0}  # what no record of a run knows of


@keras.saving.register_keras_serializable("planted")
class Scaled(keras.layers.Layer):
    """Multiplies by a number that is not its own."""

    def call(self, inputs):
        return inputs * FACTOR["by"]


def samples():
    found = kexp.data.load("digits", validation=0.0).train
    return np.array(found.inputs[:SAMPLES]), np.array(found.targets[:SAMPLES])


def by_recipe(run_dir, data=None, **arguments):
    given = {"hidden": (16,), "dropout": 0.2, "validation": 0.0, **MOST, **arguments}
    recipes.mlp_images(data=parts(data or samples()), run_dir=str(run_dir), **given)


def parts(train):
    """Return data whose training part is these samples, whatever is in them."""
    found = kexp.data.load("digits", validation=0.0).train
    rest = {"x_test": np.array(found.inputs[-64:]), "y_test": np.array(found.targets[-64:])}
    return {"x_train": train[0], "y_train": train[1], **rest}


def model(weight=None, dropout_seed=1, activation="relu"):
    keras.utils.set_random_seed(0)
    built = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation=activation),
            keras.layers.Dropout(0.3, seed=dropout_seed),
            Scaled(),
            keras.layers.Dense(10),
        ]
    )
    if weight is not None:
        weights = built.get_weights()
        weights[2][3, 4] += weight
        built.set_weights(weights)
    return built


def by_fit(run_dir, built=None, compiled=None, label=None, **arguments):
    built = built or model()
    if compiled is not None:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        built.compile(optimizer=compiled, loss=loss)
    x, y = samples() if label is None else with_label(label)
    options = {"epochs": 2, "quiet": True, "batch_size": BATCH, **arguments}
    kexp.fit(built, x, y, run_dir=str(run_dir), **options)


def place_of(sample):
    """Return the step that first sees a sample, from 1."""
    return int(np.flatnonzero(epoch_order(SAMPLES, 0, 0) == sample)[0]) // BATCH + 1


def with_label(sample):
    x, y = samples()
    y[sample] = (y[sample] + 1) % 10
    return x, y


def with_pixel(sample):
    x, y = samples()
    x[sample, 2, 2] += 1
    return x, y


def in_other_order():
    x, y = samples()
    return x[::-1].copy(), y[::-1].copy()
