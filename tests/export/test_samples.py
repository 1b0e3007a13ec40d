"""Exports of autoencoders and of models that make samples: checked, asked by hand, and drawn from."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.export import ExportError, export_model, load_exported
from kexp.export.saved_model import SavedModelExporter
from tests import answering
from tests.forked_python import forked_without_keras

SAMPLING = {"serving_default", "sample"}
ENCODING = {"serving_default", "encode", "decode", "reconstruct", "anomaly_score"}


class Case(NamedTuple):
    run: Any
    directory: Path


@pytest.fixture(scope="session")
def exported(digits_run, tmp_path_factory):
    """Return a function that exports a run of a model by name, each only once."""
    folder, made = tmp_path_factory.mktemp("answering"), {}
    table = kexp.data.load("breast_cancer")
    models = {
        "vae": lambda: (answering.autoencoder(variational=True), "reconstruction", None),
        "table": lambda: (answering.table_autoencoder(table), "reconstruction", table),
        "gan": lambda: (answering.gan(), "generation", None),
        "classes": lambda: (answering.gan(classes=True), "generation", None),
        "diffusion": lambda: (answering.diffusion(classes=True), "generation", None),
    }

    def export(name: str) -> Case:
        if name not in made:
            model, task, data = models[name]()
            run = answering.run_of(model, task, folder / f"run-{name}", digits_run, data)
            made[name] = Case(run, run.export(folder / name))  # proved in a fresh process
        return made[name]

    return export


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "signatures"),
    [
        pytest.param("vae", {*ENCODING, "serving_bytes", "sample"}, marks=slow),
        ("table", ENCODING),
        pytest.param("gan", SAMPLING, marks=slow),
        ("classes", {*SAMPLING, "sample_class"}),
        pytest.param("diffusion", {*SAMPLING, "sample_class"}, marks=slow),
    ],
)
def test_all_that_a_model_answers_is_served_and_written_down(exported, name, signatures):
    import tensorflow as tf

    directory = exported(name).directory
    loaded = load_exported(directory)
    assert set(loaded.signatures) == signatures
    assert loaded.spec == exported(name).run.spec
    assert set(tf.saved_model.load(str(directory / "1")).signatures) == signatures


@pytest.mark.parametrize("name", [pytest.param("vae", marks=slow), "table"])
def test_an_autoencoders_export_answers_as_its_run(exported, name):
    case = exported(name)
    data = kexp.data.load("breast_cancer" if name == "table" else "digits")
    expected, answer = (
        case.run.predict(data.test.inputs),
        load_exported(case.directory).predict(data.test.inputs),
    )
    for key, array in expected.named().items():
        np.testing.assert_allclose(answer.named()[key], array, rtol=1e-5, atol=1e-5)
    assert answer.to_frame(case.run.spec).columns[0] == "anomaly_score"


@pytest.mark.parametrize(
    "name", [pytest.param("vae", marks=slow), "classes", pytest.param("diffusion", marks=slow)]
)
def test_an_export_draws_what_its_run_draws(exported, name):
    case = exported(name)
    loaded = load_exported(case.directory)
    expected, images = case.run.sample(4, seed=5), loaded.sample(4, seed=5)
    assert (images.dtype, images.shape) == (np.uint8, (4, 8, 8, 1))
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert (images != loaded.sample(4, seed=6)).any()
    if name != "vae":
        labels = ["3", 8, "3", "1"]
        apart = loaded.sample(4, seed=5, labels=labels).astype(int) - case.run.sample(
            4, seed=5, labels=labels
        )
        assert np.abs(apart).max() <= 1


def test_an_export_draws_only_what_it_can(exported):
    for name, arguments, message in [
        ("table", {}, "sample draws from models that make samples"),
        ("vae", {"labels": ["3"]}, "labels must be left out"),
        ("classes", {"labels": ["eleven"]}, "labels must be names of classes"),
        ("classes", {"n": 0}, "n must be a whole number, 1 or more"),
    ]:
        with pytest.raises(InputError, match=message):
            load_exported(exported(name).directory).sample(**{"n": 1, **arguments})


def test_an_export_that_makes_samples_predicts_nothing(exported, tmp_path):
    directory = exported("classes").directory
    with pytest.raises(InputError, match=r"predict takes inputs.*use sample\."):
        load_exported(directory).predict(np.zeros((1, 8, 8), "uint8"))
    with pytest.raises(InputError, match=r"predict takes inputs.*use sample\."):
        kexp.export.predict_file(directory, tmp_path / "absent.png")


@slow
def test_signatures_answer_by_hand_where_kexp_cannot_be_imported(exported, tmp_path):
    script = """
import json, sys
sys.modules.update(kexp=None, keras=None)  # importing either is an error from here on
import numpy as np, tensorflow as tf
answers = {}
with np.load("asked.npz") as asked:
    for place, (folder, signature) in enumerate(json.loads(sys.argv[1])):
        keys = [key for key in asked.files if key.startswith(f"{place}/")]
        inputs = {key.partition("/")[2]: tf.constant(asked[key]) for key in keys}
        for name, value in tf.saved_model.load(folder).signatures[signature](**inputs).items():
            array = value.numpy()
            answers[f"{place}/{name}"] = array.astype(str) if array.dtype == object else array
np.savez("answers.npz", **answers)
"""
    vae, classes = exported("vae").run.model, exported("classes").run.model
    images = kexp.data.load("digits").test.inputs[:3]
    codes = np.random.default_rng(1).normal(size=(2, 5)).astype("float32")
    drawn, labels = classes.labelled_sample(4, seed=9)
    asked: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("vae", "encode", {"inputs": images}, {"code": vae.encode(images)}),
        ("vae", "decode", {"code": codes}, {"reconstruction": vae.decode(codes)}),
        (
            "vae",
            "sample",
            {"n": np.int32(2), "seed": np.int64(9)},
            {"reconstruction": vae.sample(2, 9)},
        ),
        (
            "classes",
            "sample",
            {"n": np.int32(4), "seed": np.int64(9)},
            {"image": drawn, "label": np.array(answering.CLASSES)[labels]},
        ),
        (
            "classes",
            "sample_class",
            {"label": np.array(["4", "2"]), "seed": np.int64(9)},
            {"image": classes.sample(2, seed=9, labels=[4, 2]), "label": ["4", "2"]},
        ),
    ]
    inputs = {f"{place}/{key}": value for place, item in enumerate(asked) for key, value in item[2].items()}
    np.savez(tmp_path / "asked.npz", **inputs)
    places = [(str(exported(name).directory / "1"), signature) for name, signature, *_ in asked]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", script, json.dumps(places)]
    forked_without_keras.run(
        command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120
    )
    with np.load(tmp_path / "answers.npz") as answers:
        for place, (*_, expected) in enumerate(asked):
            for name, value in expected.items():
                array, answer = np.asarray(value), answers[f"{place}/{name}"]
                if array.dtype == np.uint8:
                    assert np.abs(array.astype(int) - answer).max() <= 1
                elif array.dtype.kind == "f":
                    np.testing.assert_allclose(answer, array, rtol=1e-5, atol=1e-5)
                else:
                    assert answer.tolist() == array.tolist()


def test_raw_inputs_of_a_table_go_in_by_column_at_every_signature_that_takes_them(exported):
    import tensorflow as tf

    case = exported("table")
    serve = tf.saved_model.load(str(case.directory / "1")).signatures
    keys = set(serve["serving_default"].structured_input_signature[1])
    assert len(keys) == 30
    for name in ("encode", "reconstruct", "anomaly_score"):
        assert set(serve[name].structured_input_signature[1]) == keys
    samples = kexp.data.load("breast_cancer").test.inputs
    by_key = {load_exported(case.directory).keys[name]: values for name, values in samples.items()}
    codes = serve["encode"](**{key: tf.constant(values) for key, values in by_key.items()})["code"]
    np.testing.assert_allclose(codes, case.run.predict(samples).codes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: (answering.gan(), "generation"),
            "call of serving_default .*: the largest difference of the image is",
        ),
        pytest.param(
            lambda: (answering.autoencoder(), "reconstruction"),
            r"a batch of \d+ computes something else: the largest difference is",
            marks=slow,
        ),
    ],
)
def test_a_weight_that_changes_after_it_was_measured_leaves_no_export(
    make, message, digits_run, tmp_path, monkeypatch
):
    model, task = make()
    run = answering.run_of(model, task, tmp_path / "run", digits_run)
    write = SavedModelExporter.write

    def tampered(self: Any, model: Any, signatures: Any, folder: Path, *rest: Any) -> Any:
        weight = model.trainable_weights[0]
        weight.assign(weight * 1.5)
        return write(self, model, signatures, folder, *rest)

    monkeypatch.setattr(SavedModelExporter, "write", tampered)
    with pytest.raises(ExportError, match=message):
        run.export(tmp_path / "served")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_another_code_than_the_one_measured_is_refused(digits_run, tmp_path):
    run = answering.run_of(answering.autoencoder(), "reconstruction", tmp_path / "run", digits_run)
    samples = kexp.data.load("digits").test.inputs[:64]
    expected = run.predict(samples)
    expected.codes[2] += 1
    with pytest.raises(ExportError, match="a batch of 3 computes something else"):
        export_model(
            run.model, run.spec, tmp_path / "served", samples=samples, expected=expected, provenance={}
        )


def test_what_does_not_fit_the_task_is_refused_before_anything_is_written(exported, tmp_path):
    gan, vae = exported("classes").run, exported("vae").run
    samples = kexp.data.load("digits").test.inputs[:4]
    answers = vae.predict(samples)
    others = kexp.models.GAN(gan.model.generator, gan.model.discriminator, class_names="abcdefghij")
    half = kexp.tasks.predictions.Predictions(anomaly_scores=answers.anomaly_scores)
    for model, spec, given, message in [
        (gan.model, gan.spec, {"samples": samples}, "samples and expected must be left out for generation"),
        (vae.model.autoencoder, gan.spec, {}, "model must make samples"),
        (others, gan.spec, {}, "model must have the classes of the data, 0, 1, .* it has a, b"),
        (vae.model, vae.spec, {}, "samples and expected must be given for reconstruction"),
        (
            vae.model,
            vae.spec,
            {"samples": samples, "expected": half},
            "expected must hold reconstruction, code",
        ),
        (
            vae.model.autoencoder,
            vae.spec,
            {"samples": samples, "expected": answers},
            'model must give a dict with "reconstruction"',
        ),
    ]:
        with pytest.raises(InputError, match=message):
            export_model(model, spec, tmp_path / "served", provenance={}, **given)
    assert list(tmp_path.iterdir()) == []
