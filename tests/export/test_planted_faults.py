"""Faults that a network may get on its way into an export; those of conversions are in test_formats.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kexp import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export import ExportError, export_model
from kexp.export.exporter import Smaller
from kexp.export.quantization import Quantization
from kexp.export.saved_model import SavedModelExporter
from kexp.tasks.predictions import Predictions
from tests.export.conftest import Case, digit_images, digit_model, digit_spec


class Faulty(keras.Model):
    """A network with something done to what it is given, to its mode or to what it answers."""

    def __init__(
        self,
        network: keras.Model,
        before: Callable[[Any], Any] = lambda inputs: inputs,
        after: Callable[[Any], Any] = lambda outputs: outputs,
        training: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.before, self.after, self.mode = network, before, after, training

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.after(self.network(self.before(inputs), training=self.mode))


class Measured(keras.layers.Layer):
    """Batch normalisation's statistics, of which those of training are far from any batch's."""

    def build(self, shape: Any) -> None:
        self.norm = keras.layers.BatchNormalization()
        self.norm.build(shape)
        self.norm.moving_mean.assign(self.norm.moving_mean + 0.3)

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.norm(inputs, training=training)


def stale(network: keras.Model) -> keras.Model:
    """The network as it was a small step of its optimizer ago."""
    earlier = keras.models.clone_model(network)
    earlier.set_weights([weight * 0.999 for weight in network.get_weights()])
    return earlier


def drawn(outputs: Any) -> Any:
    return outputs + tf.random.normal(tf.shape(outputs), stddev=1e-3)


DIGITS: dict[str, Callable[[keras.Model], keras.Model]] = {
    "dropout of training": lambda model: Faulty(model, training=True),
    "batch statistics of training": lambda model: Faulty(model, training=True),
    "stale weights": stale,
    "another draw at each call": lambda model: Faulty(model, after=drawn),
}


@pytest.mark.parametrize("fault", DIGITS)
def test_a_network_that_answers_otherwise_is_found_and_leaves_nothing(fault, tmp_path):
    layers = [Measured()] if "statistics" in fault else [keras.layers.Dropout(0.2)]
    right, images = digit_model(*layers), digit_images()
    expected = Predictions.from_outputs(np.asarray(right(images, training=False)), digit_spec())
    wrong = DIGITS[fault](right)
    wrong(images[:2])
    with pytest.raises(ExportError, match="computes something else"):
        export_model(
            wrong, digit_spec(), tmp_path / "served", samples=images, expected=expected, provenance={}
        )
    assert list(tmp_path.iterdir()) == []


def permuted(columns: dict[str, Any]) -> dict[str, Any]:
    return {**columns, "age": columns["1st visit"], "1st visit": columns["age"]}


def filled(columns: dict[str, Any]) -> dict[str, Any]:
    return {**columns, "age": tf.where(tf.math.is_nan(columns["age"]), 0.0, columns["age"])}


def taken_for_known(columns: dict[str, Any]) -> dict[str, Any]:
    towns = columns["home town"]
    return {**columns, "home town": tf.where(towns == "", "Bonn", towns)}


def whole_numbers(columns: dict[str, Any]) -> dict[str, Any]:
    ages = columns["age"]
    return {**columns, "age": tf.where(tf.math.is_nan(ages), ages, tf.round(ages))}


@pytest.mark.parametrize("before", [permuted, filled, taken_for_known, whole_numbers])
def test_columns_that_are_read_otherwise_are_found_and_leave_nothing(before, table: Case, tmp_path):
    wrong = Faulty(table.model, before=before)
    wrong({name: tf.constant(values[:2]) for name, values in table.samples.items()})
    given = {"samples": table.samples, "expected": table.expected, "provenance": {}}
    with pytest.raises(ExportError, match=r"a batch of .* computes something else"):
        export_model(wrong, table.spec, tmp_path / "served", **given)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_cut_off_are_found_and_leave_nothing(tmp_path, monkeypatch):
    write = SavedModelExporter.write

    def cut(self: Any, model: Any, signatures: Any, folder: Path, smaller: Smaller | None = None) -> Any:
        cases = write(self, model, signatures, folder, smaller)
        (weights,) = (folder / "variables").glob("*.data*")
        weights.write_bytes(weights.read_bytes()[:-1000])
        return cases

    monkeypatch.setattr(SavedModelExporter, "write", cut)
    model, images = digit_model(), digit_images()
    expected = Predictions.from_outputs(np.asarray(model(images, training=False)), digit_spec())
    given = {"samples": images, "expected": expected, "provenance": {}}
    with pytest.raises(ExportError, match="does not run in a fresh process"):
        export_model(model, digit_spec(), tmp_path / "served", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["litert", "onnx"])
@pytest.mark.parametrize("part", ["activations", "weights", "inputs"])
def test_numbers_beyond_float16_are_refused_by_name(part, form, tmp_path):
    spec = DatasetSpec("array", (4,), "float32", "regression", 1)
    samples = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    large = {"activations": (600.0, 300.0), "weights": (1e5, 1e-3), "inputs": (1e-3, 1.0)}[part]
    samples *= 1e6 if part == "inputs" else 1
    kernels = [keras.initializers.Constant(number) for number in large]
    inputs = keras.Input((4,), name="amounts")
    hidden = keras.layers.Dense(8, "relu", kernel_initializer=kernels[0], name="hidden")(inputs)
    middle = keras.layers.Dense(1, "relu", kernel_initializer=kernels[1], name="middle")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones", name="last")(middle * 1e-5))
    expected = Predictions(values=np.asarray(model(samples)))
    quantization = Quantization("float16", samples, np.asarray(model(samples)), expected, 1.0)
    named = {"activations": "middle", "weights": "hidden|model", "inputs": "inputs"}[part]
    with pytest.raises(InputError, match=rf"float16 holds numbers up to 65504, and '.*({named}).*' of the"):
        export_model(
            model,
            spec,
            tmp_path / "served",
            samples=samples,
            expected=expected,
            provenance={},
            formats=form,
            quantization=quantization,
        )
    assert list(tmp_path.iterdir()) == []
