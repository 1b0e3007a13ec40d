"""Recipes with a planted fault: a kill changes what they compute."""

import os

import keras

import kexp
from kexp import TrainOptions, Unpack


def train(train_options, callbacks=(), seed=0):
    data = kexp.data.load("digits", seed=train_options["seed"])
    keras.utils.set_random_seed(seed)
    model = kexp.models.mlp(data.spec.input_shape, data.spec.outputs, hidden=(8,), dtype="uint8")
    return kexp.fit(model, data, callbacks=callbacks, **train_options)


@kexp.recipe(epochs=2)
def unseeded_order(**options: Unpack[TrainOptions]) -> kexp.Result:
    """Every process takes the samples in an order of its own."""
    options["seed"] = os.getpid()
    return train(options)


class HalveRate(keras.callbacks.Callback):
    """Halves the learning rate every ninth batch, by a count that no checkpoint holds."""

    batches = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1
        if self.batches % 9 == 0:  # and not after the tenth, where it is killed
            rate = self.model.optimizer.learning_rate
            rate.assign(rate / 2)


@kexp.recipe(epochs=2)
def forgetful_callback(**options: Unpack[TrainOptions]) -> kexp.Result:
    """A callback keeps a count of its own, which starts anew after a kill."""
    return train(options, callbacks=[HalveRate()])
