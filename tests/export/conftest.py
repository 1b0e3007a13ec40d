"""Tiny real models and their exports, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from kexp.data.dataset import Column, DatasetSpec, Inputs
from kexp.export import export_model
from kexp.tasks.predictions import Predictions

# Names that a signature cannot have as they are: blanks, signs, another alphabet, a keyword, a leading
# digit, and pairs that come to the same.
COLUMNS = (
    Column("age", "number"),
    Column("income (€/year)", "number"),
    Column("1st visit", "number"),
    Column("self", "number"),
    Column("class", "category"),
    Column("home town", "category"),
    Column("home-town", "category"),
    Column("район", "category"),
)
TOWNS = ("Bonn", "Graz", "Zürich", "São Paulo", "")


class Case(NamedTuple):
    model: Any
    spec: DatasetSpec
    samples: Inputs
    expected: Predictions
    directory: Path


def keras_answers(
    model: Any, samples: Inputs, spec: DatasetSpec, from_probabilities: bool = False
) -> Predictions:
    """What Keras itself answers, in one batch."""
    import tensorflow as tf

    inputs = (
        tf.constant(samples)
        if isinstance(samples, np.ndarray)
        else {k: tf.constant(v) for k, v in samples.items()}
    )
    return Predictions.from_outputs(np.asarray(model(inputs, training=False)), spec, from_probabilities)


def made_export(model: Any, spec: DatasetSpec, samples: Inputs, directory: Path, **options: Any) -> Case:
    expected = keras_answers(model, samples, spec, options.get("from_probabilities", False))
    provenance = {"metrics": {"test_accuracy": np.float32(0.5)}, "config": {"recipe": "mlp_images"}}
    path = export_model(
        model, spec, directory, samples=samples, expected=expected, provenance=provenance, **options
    )
    assert path == directory
    return Case(model, spec, samples, expected, directory)


def digit_images() -> np.ndarray:  # (100, 8, 8, 1) uint8
    from sklearn.datasets import load_digits

    return load_digits().images[:100, ..., None].astype("uint8")


def digit_spec() -> DatasetSpec:
    names = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
    return DatasetSpec("image", (8, 8, 1), "uint8", "classification", 10, names)


def digit_model(*layers: Any) -> Any:
    import keras

    keras.utils.set_random_seed(7)
    first, last = keras.layers.Rescaling(1 / 16), keras.layers.Dense(10, kernel_initializer="he_normal")
    return keras.Sequential(
        [keras.Input((8, 8, 1), dtype="uint8"), first, *layers, keras.layers.Flatten(), last]
    )


def table_samples(count: int = 70) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    samples: dict[str, np.ndarray] = {}
    for column in COLUMNS:
        if column.kind == "number":
            samples[column.name] = random.normal(50, 20, count).astype("float32")
            samples[column.name][::7] = np.nan
        else:
            samples[column.name] = random.choice(np.array(TOWNS, dtype=object), count)
    return samples


def table_model(samples: dict[str, np.ndarray], spec: DatasetSpec) -> Any:
    """A subclassed model, since a Keras layer, and so an Input, takes no slash in its name."""
    import keras
    from keras import layers, ops

    numbers = [column.name for column in spec.columns if column.kind == "number"]
    categories = [column.name for column in spec.columns if column.kind == "category"]

    class Columns(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.numbers = [layers.Normalization(axis=None) for _ in numbers]
            self.categories = [
                layers.StringLookup(vocabulary=list(TOWNS[:4]), output_mode="one_hot") for _ in categories
            ]
            self.dense = layers.Dense(spec.outputs)

        def call(self, inputs: Any, training: bool = False) -> Any:
            features = []
            for name, layer in zip(numbers, self.numbers, strict=True):
                known = ops.logical_not(ops.isnan(inputs[name]))
                number = layer(ops.where(known, inputs[name], 0.0))
                features.append(ops.stack([number, ops.cast(known, "float32")], axis=-1))
            for name, layer in zip(categories, self.categories, strict=True):
                features.append(ops.cast(layer(inputs[name]), "float32"))
            return self.dense(ops.concatenate(features, axis=-1))

    keras.utils.set_random_seed(7)
    model = Columns()
    for name, layer in zip(numbers, model.numbers, strict=True):
        layer.adapt(np.nan_to_num(samples[name]))
    keras_answers(model, samples, spec)  # makes its weights
    return model


@pytest.fixture(scope="session")
def make_export() -> Callable[..., Case]:
    """make_export(model, spec, samples, directory, **options)."""
    return made_export


@pytest.fixture(scope="session")
def make_digit_model() -> Callable[..., Any]:
    """make_digit_model(*layers) between the pixels and a last layer of ten."""
    return digit_model


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Images through layers that are random in training, which must be off."""
    import keras

    layers = [
        keras.layers.RandomFlip(),
        keras.layers.RandomTranslation(0.3, 0.3),
        keras.layers.GaussianNoise(1.0),
        keras.layers.Dropout(0.5),
    ]
    directory = tmp_path_factory.mktemp("digits") / "served" / "digits"
    return made_export(digit_model(*layers), digit_spec(), digit_images(), directory)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Numbers and categories with gaps, under names no signature can have."""
    samples = table_samples()
    spec = DatasetSpec(
        "table", (len(COLUMNS),), "mixed", "classification", 2, ("no", "yes"), COLUMNS, "bought"
    )
    return made_export(table_model(samples, spec), spec, samples, tmp_path_factory.mktemp("table") / "bought")


@pytest.fixture(scope="session")
def series(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Series of (6, 2) to two values, through a recurrent layer."""
    import keras

    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.LSTM(4), keras.layers.Dense(2)])
    samples = np.random.default_rng(0).normal(size=(5, 6, 2)).astype("float32")
    spec = DatasetSpec("series", (6, 2), "float32", "regression", 2, target="flow")
    return made_export(model, spec, samples, tmp_path_factory.mktemp("series") / "flow")


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the fresh process where a test compares the answers itself."""
    monkeypatch.setattr("kexp.export.export_pipeline.check_parity", lambda *arguments: None)
