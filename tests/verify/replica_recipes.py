"""Recipes for several devices: one that draws wherever it can, and one with a planted fault."""

import keras

import kexp
from kexp import TrainOptions, Unpack


def train(options, *middle, **others):
    """Train layers between pixels and the logits of the digits."""
    data = kexp.data.load("digits", seed=options["seed"])
    ends = keras.Input(data.spec.input_shape, dtype="uint8"), keras.layers.Rescaling(1 / 16)
    last = keras.layers.Dense(data.spec.outputs, kernel_regularizer=others.pop("regularizer", None))
    return kexp.fit(keras.Sequential([*ends, *middle, last]), data, **others, **options)


@kexp.recipe(epochs=1)
def drawing(**options: Unpack[TrainOptions]) -> kexp.Result:
    """Augmentation, noise, dropout and batch normalisation in one model."""
    layers = (
        keras.layers.GaussianNoise(0.1),
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.SpatialDropout2D(0.3),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3),
    )
    augmentation = kexp.models.image_augmentation("uint8", flip=True, shift=0.1, seed=options["seed"])
    return train(options, *layers, regularizer="l2", augmentation=augmentation)


@keras.saving.register_keras_serializable(package="tests")
class Centred(keras.layers.Layer):
    """Takes away the mean of the batch, which is another one on each replica."""

    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


@kexp.recipe(epochs=1)
def centred_by_batch(**options: Unpack[TrainOptions]) -> kexp.Result:
    """A layer computes something else where the batch is shared."""
    return train(options, keras.layers.Flatten(), Centred())
