"""Recipes on text and on series of different lengths, from plain Keras layers."""

import keras
from keras import layers, ops

import kexp
from kexp import TrainOptions, Unpack


def character_model(preprocessing, outputs):
    tokens = keras.Input(preprocessing.output_shape[1:], dtype="int32")
    embedded = layers.Embedding(kexp.models.vocabulary_size(preprocessing), 8)(tokens)
    features = layers.Conv1D(16, 3, activation="relu")(embedded)
    return keras.Model(tokens, layers.Dense(outputs)(layers.GlobalMaxPooling1D()(features)))


def masked_model(shape, outputs):
    series = keras.Input(shape)
    missing = ops.isnan(series)
    features = layers.Conv1D(16, 3, padding="same", activation="relu")(ops.where(missing, 0.0, series))
    mean = layers.GlobalAveragePooling1D()(features, mask=ops.logical_not(missing[..., 0]))
    return keras.Model(series, layers.Dense(outputs)(mean))


@kexp.recipe(epochs=1, batch_size=64)
def text(**options: Unpack[TrainOptions]) -> kexp.Result:
    """Tell the label of a first name from its characters."""
    data = kexp.data.load("first_names", seed=options["seed"])
    preprocessing = kexp.models.text_preprocessing(data.train.inputs, split="character")
    model = character_model(preprocessing, data.spec.outputs)
    return kexp.fit(model, data, preprocessing=preprocessing, **options)


@kexp.recipe(epochs=2, batch_size=16)
def series(**options: Unpack[TrainOptions]) -> kexp.Result:
    """Tell a speaker from two vowels."""
    data = kexp.data.load("japanese_vowels", seed=options["seed"])
    preprocessing = kexp.models.series_preprocessing(data.train.inputs)
    model = masked_model(data.spec.input_shape, data.spec.outputs)
    return kexp.fit(model, data, preprocessing=preprocessing, **options)
