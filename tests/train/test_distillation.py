"""Distillation: the loss of a student, its teacher by run or export, and exact continuation."""

import json
import shutil

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError


@pytest.fixture(scope="module")
def teacher(digits_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    run_dir = shutil.copytree(digits_run, folder / "run")
    kexp.load(run_dir).export(folder / "served")
    return folder


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


def test_the_loss_is_that_of_the_paper_and_the_teacher_stays_as_it_is(digits, teacher, tmp_path):
    taught = kexp.load_teacher(teacher / "run", digits.spec)
    objective = kexp.objectives.distillation(digits.spec, taught, temperature=3.0, weight=0.25)
    student = kexp.models.mlp((8, 8, 1), 10, hidden=(16,))
    before = [np.copy(weight) for weight in taught.get_weights()]
    x, y = digits.train.inputs[:32], digits.train.targets[:32]
    options = {"epochs": 1, "batch_size": 320, "learning_rate": 1e-7, "monitor": "last"}
    result = kexp.fit(
        student, digits, objective=objective, run_dir=str(tmp_path / "run"), quiet=True, **options
    )
    for old, new in zip(before, taught.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)

    def softened(model):
        logits = keras.ops.convert_to_numpy(model(x)).astype("float64") / 3.0
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    log_teacher, log_student = softened(taught), softened(student)
    divergence = (np.exp(log_teacher) * (log_teacher - log_student)).sum(axis=1)
    hard = keras.losses.sparse_categorical_crossentropy(y, student(x), from_logits=True).numpy()
    measured = result.evaluate(digits)
    assert set(measured) >= {"loss", "accuracy"}
    from kexp.engine.engine_choice import backend

    split = kexp.data.Split(x, y)
    found = backend().evaluator(student, objective, split).measure(32)
    assert found["teacher_loss"] == pytest.approx(9.0 * divergence.mean(), rel=1e-5)
    assert found["label_loss"] == pytest.approx(hard.mean(), rel=1e-5)
    assert found["loss"] == pytest.approx(0.75 * hard.mean() + 0.25 * 9.0 * divergence.mean(), rel=1e-5)


def test_a_run_and_its_export_teach_the_same(digits, teacher):
    images = digits.test.inputs[:16]
    of_run = keras.ops.log_softmax(kexp.load_teacher(teacher / "run", digits.spec)(images))
    of_export = keras.ops.log_softmax(kexp.load_teacher(teacher / "served", digits.spec)(images))
    np.testing.assert_allclose(of_run, of_export, atol=1e-4)


def test_a_student_is_taught_and_one_that_is_cut_goes_on(teacher, tmp_path):
    from tests.train.iris_runs import Cut, CutAfter, assert_same

    def student(folder, **more):
        options = {"filters": (4, 8), "epochs": 2, "quiet": True, "batch_size": 256, **more}
        return recipes.distill_images(teacher=str(teacher / "run"), run_dir=str(tmp_path / folder), **options)

    alone = student("alone")
    assert {"teacher_loss", "label_loss", "val_teacher_loss"} <= set(alone.metrics)
    with pytest.raises(Cut):
        student("cut", callbacks=[CutAfter(8)], checkpoint_every="3 steps")
    again = student("cut", checkpoint_every="3 steps")
    assert_same(alone.model.get_weights(), again.model.get_weights())
    assert json.loads((tmp_path / "cut/config.json").read_text())["arguments"]["teacher"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("iris", "teacher must tell classes of table data"),
        ("fashion_mnist_small", r"teacher must tell classes of image data of \(28, 28, 1\)"),
    ],
)
def test_a_teacher_of_something_else_is_refused(teacher, data, sentence):
    spec = kexp.data.load(data).spec
    with pytest.raises(InputError, match=sentence):
        kexp.load_teacher(teacher / "run", spec)


def test_a_folder_without_a_teacher_is_refused(digits, tmp_path):
    with pytest.raises(InputError):
        kexp.load_teacher(tmp_path, digits.spec)


def test_a_temperature_out_of_range_is_refused(digits):
    with pytest.raises(InputError, match=r"temperature must be a number, from 0\.1 to 100"):
        kexp.objectives.distillation(digits.spec, keras.Sequential([]), temperature=0.0)
