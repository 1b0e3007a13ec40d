"""ONNX and LiteRT files: what they answer, what they refuse, and what the parity check finds in them."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import keras
import numpy as np
import pytest

import kexp
import kexp.verify
from kexp import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export import ExportError, export_model, load_exported, plain_graph
from kexp.tasks.predictions import Predictions
from tests.export.conftest import digit_images, digit_model, digit_spec

FORMATS = ("litert", "onnx")
FILES = {"litert": "model.tflite", "onnx": "model.onnx"}


def export(model: Any, spec: DatasetSpec, samples: Any, folder: Any, formats: Any, **changes: Any) -> Any:
    expected = Predictions.from_outputs(np.asarray(model(samples, training=False)), spec)
    arguments = {"samples": samples, "expected": expected, "provenance": {}, **changes}
    return export_model(model, spec, folder, formats=formats, **arguments), expected


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_is_exported_alone_in_a_format_and_predicts_as_before(form, digits_run, tmp_path):
    result = kexp.load(digits_run)
    path = result.export(tmp_path / "served", formats=form)
    assert {file.name for file in (path / "1").iterdir()} == {FILES[form], "assets.extra", "README.md"}
    exported, expected = load_exported(path), result.predict(result.example_inputs())
    assert exported.signatures == ("serving_default",)
    found = exported.predict(result.example_inputs())
    assert found.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_a_recurrent_network_over_padded_series_answers_as_keras_does(form, tmp_path):
    from kexp.models import rnn

    samples = np.random.default_rng(0).normal(size=(8, 6, 2)).astype("float32")
    samples[1, 2:] = samples[2, 5:] = np.nan
    inner = rnn((None, 2), 3, cell="gru", units=(4, 4), bidirectional=True)
    inputs = keras.Input((6, 2))
    scaled = keras.layers.Normalization(mean=np.ones(2), variance=np.full(2, 4.0))(inputs)
    spec = DatasetSpec("series", (6, 2), "float32", "classification", 3)
    path, expected = export(keras.Model(inputs, inner(scaled)), spec, samples, tmp_path / "served", form)
    found = load_exported(path).predict(samples)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_strings_are_refused_by_name_before_anything_is_written(form, table, tmp_path):
    with pytest.raises(InputError, match=f"{form} cannot carry text and string lookup, .* 'class_'"):
        export_model(
            table.model,
            table.spec,
            tmp_path / "served",
            samples=table.samples,
            expected=table.expected,
            provenance={},
            formats=["saved_model", form],
        )
    assert list(tmp_path.iterdir()) == []


class Drawing(keras.layers.Layer):
    """Draws also in inference."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs):
        return inputs + 1e-3 * keras.random.normal((1,), seed=self.seeds)


class Looping(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.fori_loop(0, 3, lambda _, value: value + 1.0, inputs)


@pytest.mark.parametrize(("layer", "named"), [(Drawing, "random draws"), (Looping, "control flow")])
def test_draws_and_loops_are_refused_by_name(layer, named, tmp_path):
    model = digit_model(layer())
    for form in FORMATS:
        with pytest.raises(InputError, match=f"{form} cannot carry the model's {named}; use saved_model"):
            export(model, digit_spec(), digit_images(), tmp_path / "served", form)
    assert list(tmp_path.iterdir()) == []


class Digamma(keras.layers.Layer):
    def call(self, inputs):
        import tensorflow as tf

        return tf.math.digamma(inputs + 1.0)


def test_an_operation_that_onnx_has_not_is_refused_by_name(tmp_path):
    model = digit_model(Digamma())
    with pytest.raises(InputError, match="onnx has none of the model's operations Digamma; use saved_model"):
        export(model, digit_spec(), digit_images(), tmp_path / "served", "onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_an_exact_gelu_is_written_out_where_the_format_has_none(form, tmp_path):
    model = digit_model(keras.layers.Activation("gelu"))
    path, expected = export(model, digit_spec(), digit_images(), tmp_path / "served", form)
    found = load_exported(path).predict(digit_images())
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)


def test_a_package_that_is_missing_is_named_with_its_extra_before_any_work(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    with pytest.raises(InputError, match=r"package tf2onnx, .* pip install 'kexp\[onnx\]'"):
        export_model(None, digit_spec(), tmp_path, provenance={}, formats="onnx")  # type: ignore[arg-type]


def planted(fault: str) -> Any:
    """Return a function that traces a model with a fault, in place of its predictions."""
    traced = plain_graph.plain_function

    def trace(model: Any, served: Any) -> Any:
        import tensorflow as tf

        def wrong(inputs: Any) -> dict[str, Any]:
            if fault == "normalisation":
                inputs = tf.cast(tf.cast(inputs, tf.float32) * 0.1, tf.uint8)
            outputs = served.source(inputs)
            chances = outputs["probabilities"]
            if fault == "dropout":
                outputs["probabilities"] = chances * tf.constant([1.0, 0.0] * 5)
            if fault == "labels":
                names = tf.constant(digit_spec().class_names[::-1])
                outputs["label"] = tf.gather(names, tf.argmax(chances, axis=-1))
            if fault == "precision":
                outputs["probabilities"] = tf.round(chances * 1024) / 1024
            if fault == "batch":  # of one, whatever comes
                return {name: value[:1] for name, value in outputs.items()}
            return outputs

        return traced(model, served._replace(source=wrong))

    return trace


@pytest.mark.parametrize("fault", ["normalisation", "dropout", "labels", "precision", "batch"])
def test_a_fault_in_what_was_converted_is_found_and_leaves_nothing(fault, tmp_path, monkeypatch):
    for form in FORMATS:
        monkeypatch.setattr(f"kexp.export.{form}.plain_function", planted(fault))
        with pytest.raises(ExportError, match="computes something else"):
            export(digit_model(), digit_spec(), digit_images(), tmp_path / "served", form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_quantizing_records_what_it_costs_and_makes_the_file_smaller(form, quantize, digits_run, tmp_path):
    result = kexp.load(digits_run)
    exported = load_exported(
        result.export(tmp_path / "served", formats=form, quantize=quantize, max_drop=0.05)
    )
    cost = exported.provenance["quantization"][form]
    assert (cost["type"], cost["metric"], cost["max_drop"]) == (quantize, "accuracy", 0.05)
    assert cost["before"] - cost["after"] <= 0.05
    assert cost["bytes"] == (exported.directory / FILES[form]).stat().st_size < 3 * result.parameters
    found = exported.predict(result.example_inputs()).probabilities
    assert np.abs(found - result.predict(result.example_inputs()).probabilities).max() < 0.1
    (checked,) = kexp.verify.export(exported.directory).checked
    assert checked.difference < checked.allowed < 0.1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("labels", "gives a label that is not that of its probabilities"),
        ("normalisation", r"int8 takes the accuracy of \d+ validation samples from"),
        ("batch", r"shape \(1,.*\) for 143 samples"),
    ],
)
def test_faults_of_quantized_models_are_found_and_leave_nothing(
    fault, words, digits_run, tmp_path, monkeypatch
):
    for form in FORMATS:
        monkeypatch.setattr(f"kexp.export.{form}.plain_function", planted(fault))
        with pytest.raises(ExportError, match=words):
            kexp.load(digits_run).export(tmp_path / "served", formats=form, quantize="int8")
    assert list(tmp_path.iterdir()) == []


def test_a_tool_that_onnx_runtime_comes_without_is_named(digits_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime.transformers.float16", None)
    with pytest.raises(
        InputError, match=r"onnx in float16 needs the module onnxruntime\.transformers\.float16"
    ):
        kexp.load(digits_run).export(tmp_path / "served", formats="onnx", quantize="float16")
    assert list(tmp_path.iterdir()) == []


def test_formats_that_are_not_written_in_fewer_bits_are_refused(digits_run, tmp_path):
    with pytest.raises(InputError, match="saved_model is not written in int8, but litert and onnx can be"):
        kexp.load(digits_run).export(tmp_path / "served", quantize="int8")
