"""What is written, and what is refused before anything is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers
from kexp.data.dataset import Column, DatasetSpec
from kexp.export import ExportError, export_model, load_exported
from kexp.export.export_pipeline import without_cudnn
from kexp.export.manifest import Manifest
from kexp.tasks.predictions import Predictions
from tests.export.conftest import made_export
from tests.forked_python import forked_without_keras


def signature(case: Any) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(str(case.directory / "1")).signatures["serving_default"]


def shapes(tensors: dict[str, Any]) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    return {name: (tensor.dtype.name, tuple(tensor.shape)) for name, tensor in tensors.items()}


def run_saved_model_cli(case: Any, arrays: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    np.savez(folder / "arrays.npz", **{f"array{i}": array for i, array in enumerate(arrays.values())})
    inputs = ";".join(f"{key}=arrays.npz[array{i}]" for i, key in enumerate(arrays))
    program = "tensorflow.python.tools.saved_model_cli"  # what the command saved_model_cli runs
    command = [sys.executable, "-m", program, "run", "--dir", str(case.directory / "1"), "--outdir", "."]
    command += ["--tag_set", "serve", "--signature_def", "serving_default", "--inputs", inputs]
    forked_without_keras.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return {path.stem: np.load(path, allow_pickle=True) for path in folder.glob("*.npy")}


def test_images_go_in_raw_and_come_out_as_labels_and_probabilities(digits):
    serve = signature(digits)
    assert shapes(serve.structured_input_signature[1]) == {"inputs": ("uint8", (None, 8, 8, 1))}
    assert shapes(serve.structured_outputs) == {
        "label": ("string", (None,)),
        "probabilities": ("float32", (None, 10)),
    }


def test_a_regression_gives_values(series):
    serve = signature(series)
    assert shapes(serve.structured_input_signature[1]) == {"inputs": ("float32", (None, 6, 2))}
    assert shapes(serve.structured_outputs) == {"values": ("float32", (None, 2))}


def test_every_column_has_a_key_whatever_its_name(table):
    keys = shapes(signature(table).structured_input_signature[1])
    numbers, strings = ("float32", (None,)), ("string", (None,))
    assert keys == {
        "age": numbers,
        "income_year": numbers,
        "column_1st_visit": numbers,
        "self_": numbers,
        "class_": strings,
        "home_town": strings,
        "home_town_2": strings,
        "column": strings,
    }


def test_layers_that_are_random_in_training_are_off(digits):
    first, second = (signature(digits)(inputs=digits.samples)["probabilities"].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, digits.expected.probabilities, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_any_number_of_samples_is_one_batch(digits, table, batch_size):
    for case in (digits, table):
        answer = load_exported(case.directory).predict(
            case.samples[:batch_size]
            if isinstance(case.samples, np.ndarray)
            else {name: values[:batch_size] for name, values in case.samples.items()}
        )
        np.testing.assert_allclose(
            answer.probabilities, case.expected.probabilities[:batch_size], rtol=0, atol=1e-6
        )
        assert answer.labels.tolist() == case.expected.labels[:batch_size].tolist()


def test_saved_model_cli_gives_the_same_answers_for_images(digits, tmp_path):
    answer = run_saved_model_cli(digits, {"inputs": digits.samples}, tmp_path)
    np.testing.assert_allclose(answer["probabilities"], digits.expected.probabilities, atol=1e-6)
    assert [label.decode() for label in answer["label"]] == digits.expected.labels.tolist()


def test_saved_model_cli_gives_the_same_answers_for_a_table(table, tmp_path):
    keys = load_exported(table.directory).keys
    arrays = {
        keys[name]: values.astype(str) if values.dtype == object else values
        for name, values in table.samples.items()
    }
    answer = run_saved_model_cli(table, arrays, tmp_path)
    np.testing.assert_allclose(answer["probabilities"], table.expected.probabilities, atol=1e-6)


def test_nothing_but_the_export_is_left_in_the_folder(digits):
    assert [path.name for path in digits.directory.parent.iterdir()] == ["digits"]
    assert [path.name for path in digits.directory.iterdir()] == ["1"]
    assert (digits.directory / "1" / "saved_model.pb").is_file()


@pytest.mark.usefixtures("unchecked")
def test_probabilities_are_taken_as_they_are(digits, tmp_path, make_digit_model, make_export):
    import keras

    model = make_digit_model(keras.layers.Flatten())
    model.add(keras.layers.Softmax())
    case = make_export(model, digits.spec, digits.samples[:2], tmp_path / "served", from_probabilities=True)
    answer = load_exported(case.directory).predict(case.samples)
    np.testing.assert_allclose(answer.probabilities, model(case.samples), atol=1e-6)


def test_a_model_changed_after_it_was_measured_is_refused_and_leaves_nothing(
    digits, tmp_path, make_digit_model
):
    model = make_digit_model()
    expected = Predictions.from_outputs(np.asarray(model(digits.samples)), digits.spec)
    kernel = model.layers[-1].kernel
    kernel.assign(kernel * 1.01)
    with pytest.raises(
        ExportError, match=r"a batch of 1 computes something else: the largest difference is 0\.0"
    ):
        export_model(
            model,
            digits.spec,
            tmp_path / "new" / "served",
            samples=digits.samples,
            expected=expected,
            provenance={},
        )
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_nothing(digits, tmp_path, monkeypatch):
    def broken(self: Any, folder: Path) -> None:
        assert (folder / "saved_model.pb").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "write", broken)
    with pytest.raises(KeyboardInterrupt):
        export(digits, tmp_path / "served")
    assert list(tmp_path.iterdir()) == []


def export(case: Any, directory: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"samples": case.samples, "expected": case.expected, "provenance": {}}
    arguments = {"model": case.model, "spec": case.spec, "directory": directory, **arguments, **changes}
    return export_model(**arguments)


def test_an_existing_folder_is_refused_and_kept(digits, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="directory must be a new or empty folder"):
        export(digits, tmp_path)
    with pytest.raises(InputError, match="overwrite=True replaces nothing but exports"):
        export(digits, tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_earlier_export_is_replaced_when_asked_for_without_a_word(digits, tmp_path, capfd):
    shutil.copytree(digits.directory, tmp_path / "served")
    capfd.readouterr()
    export(digits, tmp_path / "served", overwrite=True, provenance={"run": "second"})
    assert capfd.readouterr() == ("", "")
    assert load_exported(tmp_path / "served").provenance == {"run": "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_the_next_version_lies_beside_the_earlier_one_and_is_the_one_that_answers(digits, tmp_path):
    shutil.copytree(digits.directory, tmp_path / "served")
    export(digits, tmp_path / "served", provenance={"run": "second"})
    assert sorted(path.name for path in (tmp_path / "served").iterdir()) == ["1", "2"]
    assert load_exported(tmp_path / "served").provenance == {"run": "second"}
    assert load_exported(tmp_path / "served" / "1").provenance["metrics"] == {"test_accuracy": 0.5}


def test_a_model_for_other_data_is_no_next_version(digits, tmp_path):
    shutil.copytree(digits.directory, tmp_path / "served")
    other = replace(digits.spec, class_names=tuple("abcdefghij"))
    with pytest.raises(InputError, match="is for others; choose another, or replace it"):
        export(digits, tmp_path / "served", spec=other)
    assert [path.name for path in (tmp_path / "served").iterdir()] == ["1"]


def test_what_cannot_be_exported_is_refused_before_anything_is_written(digits, tmp_path):
    import keras

    unbuilt = keras.Sequential([keras.layers.Dense(10)], name="unbuilt")
    narrow = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    flat = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
    nan = Predictions(digits.expected.labels, digits.expected.probabilities * np.nan)
    for changes, message in [
        ({"model": "model.keras"}, "model must be a keras.Model, received a str"),
        ({"model": unbuilt}, "model must be built, but 'unbuilt'"),
        ({"model": narrow}, r"model must give one tensor of shape \(samples, 10\), received \(2, 3\)"),
        (
            {"model": flat},
            r"model must take the raw inputs of the data \(uint8 of shape \(samples, 8, 8, 1\)\)",
        ),
        ({"samples": digits.samples[:3]}, r"expected must hold predictions of shape \(3, 10\)"),
        ({"samples": digits.samples / 16}, "inputs must be whole numbers from 0 to 255"),
        ({"expected": nan}, "expected must hold finite numbers"),
        ({"expected": Predictions(values=np.zeros((100, 10)))}, "expected must hold predictions of shape"),
        ({"expected": replace(digits.expected, labels=None)}, "expected must hold a label for each"),
        ({"provenance": {"model": digits.model}}, "provenance must hold only what JSON can say"),
    ]:
        with pytest.raises(InputError, match=message):
            export(digits, tmp_path / "served", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("unchecked")
def test_a_keras_model_with_inputs_named_by_column_is_exported(tmp_path, make_export):
    import keras

    names = ("size (m²)", "garden")
    inputs = {name: keras.Input((), name=name) for name in names}
    features = keras.layers.Concatenate()([keras.layers.Reshape((1,))(tensor) for tensor in inputs.values()])
    model = keras.Model(inputs, keras.layers.Dense(1)(features))
    columns = tuple(Column(name, "number") for name in names)
    spec = DatasetSpec("table", (2,), "mixed", "regression", 1, columns=columns, target="price")
    samples = {name: np.arange(70, dtype="float32") * 1000 for name in names}
    case = make_export(model, spec, samples, tmp_path / "price")
    answer = load_exported(case.directory).predict({"garden": 2000, "size (m²)": 2000, "price": 1})
    np.testing.assert_allclose(answer.values, case.expected.values[2:3], rtol=1e-6)


def test_recurrent_layers_are_traced_without_cudnn_and_stay_as_they_were():
    import keras

    layer, forced = keras.layers.LSTM(2), keras.layers.GRU(2, use_cudnn=True)
    model = keras.Sequential([keras.layers.Bidirectional(layer), forced])
    with without_cudnn(model):
        settings = [part.use_cudnn for part in all_layers(model) if hasattr(part, "use_cudnn")]
        assert settings == [False] * 3  # both directions and the GRU
    assert (layer.use_cudnn, forced.use_cudnn) == ("auto", True)


def test_an_export_answers_where_kexp_cannot_be_imported(digits, tmp_path):
    script = """
import sys
sys.modules.update(kexp=None, keras=None)  # importing either is an error from here on
import numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answer = serve(inputs=tf.constant(np.load("samples.npy")))
np.save("probabilities.npy", answer["probabilities"].numpy())
try:
    import kexp
except ImportError:
    print([label.decode() for label in answer["label"].numpy()])
"""
    np.save(tmp_path / "samples.npy", digits.samples)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [sys.executable, "-c", script, str(digits.directory / "1")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert process.stdout.strip() == str(digits.expected.labels.tolist())
    np.testing.assert_allclose(
        np.load(tmp_path / "probabilities.npy"), digits.expected.probabilities, atol=1e-6
    )


def test_numbers_that_float32_would_merge_stay_apart_in_an_export(tmp_path):
    import keras

    import kexp

    moments = 1_700_000_000_000 + np.arange(40) * 7
    data = kexp.data.load(pd.DataFrame({"c": moments, "y": np.arange(40) / 4}), target="y", test=0.0)
    features = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    model = keras.Model(features.input, keras.layers.Dense(1)(features.output))
    exported = made_export(model, data.spec, dict(data.train.inputs), tmp_path / "numbers")
    assert shapes(signature(exported).structured_input_signature[1]) == {"c": ("float64", (None,))}
    values = load_exported(exported.directory).predict({"c": moments}).values
    assert np.unique(values).size == 40


def test_dates_with_names_of_months_go_in_raw_as_they_stand_in_the_table(tmp_path):
    import keras
    import tensorflow as tf

    import kexp

    written = [
        "3 Jan 2024 5:30 PM",
        "14 February 2024 12:05 am",
        "1 Sept. 2023 11:59 AM",
        "9 MAY 2022 1:00 pm",
    ]
    table = pd.DataFrame({"when": written, "y": [1.5, 2.5, 3.5, 4.25]})
    data = kexp.data.load(table, target="y", validation=0.0, test=0.0)
    features = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    model = keras.Model(features.input, keras.layers.Dense(1)(features.output))
    dates = made_export(model, data.spec, dict(data.train.inputs), tmp_path / "dates")
    answered = signature(dates)(when=tf.constant(written))["values"]
    np.testing.assert_allclose(answered, dates.expected.values, rtol=1e-6)
    moved = load_exported(dates.directory).predict({"when": "10 may 2022 1:00 PM"})
    moments = pd.Series(pd.to_datetime(["2022-05-10 13:00"]))
    same = load_exported(dates.directory).predict({"when": moments})
    assert moved.values.tolist() == same.values.tolist() != dates.expected.values[3:].tolist()
