"""Small compiled models, and data that `kexp.fit` takes in the place of `model.fit`."""

import keras
import numpy as np

import kexp

SAMPLES, BATCH, EPOCHS = 40, 16, 2
rng = np.random.default_rng(0)
X = rng.normal(size=(SAMPLES, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")
Z = X[:, 1:2] * 2


def layers(*heads):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,), name="features")
    hidden = keras.layers.Dense(4, "relu")(inputs)
    outputs = {name: keras.layers.Dense(units, act, name=name)(hidden) for name, units, act in heads}
    return keras.Model(inputs, outputs if len(heads) > 1 else next(iter(outputs.values())))


def compiled(**options):
    model = layers(("kind", 2, "softmax"))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, clipnorm=0.5)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def fit(model, *data, run_dir, **options):
    return kexp.fit(
        model,
        *data,
        **{"epochs": EPOCHS, "batch_size": BATCH, "quiet": True, "run_dir": str(run_dir), **options},
    )


def assert_same_weights(model, other, tolerance=1e-6):
    for own, expected in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, expected, atol=tolerance)


class Cut(keras.callbacks.Callback):
    """Ends a run after so many batches, as a kill would."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise SystemExit("cut")
