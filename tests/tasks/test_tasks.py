"""Tasks are found by scanning, know what they are without TensorFlow, and are asked by everything else."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.tasks import task_named, tasks
from kexp.tasks.predictions import Predictions

ROOT = Path(__file__).resolve().parents[2]


def spec_of(task, outputs):
    return DatasetSpec("array", (4,), "float32", task, outputs)


def test_each_file_with_a_task_is_a_task():
    files = {path.stem for path in (ROOT / "kexp" / "tasks").glob("*.py")}
    assert set(tasks()) <= files
    assert set(tasks()) == {
        *("classification", "multilabel", "regression", "segmentation", "text", "reconstruction"),
        *("transcription", "detection", "forecast", "generation", "outputs", "several", "retrieval"),
    }
    assert all(task.name == name for name, task in tasks().items())


def test_an_unknown_task_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"task='regresion': there is no such task \(did you mean 'regres"):
        task_named("regresion")


def test_tasks_are_known_without_anything_heavy():
    code = (
        "import sys; from kexp.tasks import tasks; from kexp.tasks.predictions import Predictions; "
        "[task.monitor for task in tasks().values()]; "
        "print(sorted({'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_a_classification_of_masks_has_classes_but_no_labels():
    classed = {name for name, task in tasks().items() if task.has_classes}
    assert classed == {"classification", "detection", "segmentation"}
    assert {name for name, task in tasks().items() if task.has_labels} == {"classification"}


def test_classes_that_are_equally_probable_are_tied():
    probabilities, spec = np.array([[0.5, 0.5], [0.4, 0.6]]), spec_of("classification", 2)
    found = task_named("classification").tied({"probabilities": probabilities}, 1e-5, spec)
    assert found.tolist() == [True, False]
    assert not task_named("regression").tied({"values": probabilities}, 1e-5, spec)


def test_logits_are_told_from_probabilities_and_numbers_are_as_they_are():
    probabilities, logits = np.array([[0.4, 0.6]]), np.array([[0.4, 0.7]])
    gives_logits = task_named("classification").gives_logits
    assert (gives_logits(probabilities), gives_logits(logits)) == (False, True)
    assert task_named("regression").gives_logits(probabilities)


@pytest.mark.parametrize("task", ["reconstruction", "generation"])
def test_a_task_without_targets_has_no_loss_of_its_own(task):
    with pytest.raises(InputError, match=f"objective must be given for {task}"):
        task_named(task).loss(from_logits=True, label_smoothing=0.0)
    with pytest.raises(InputError, match=f"of which {task} has none"):
        task_named(task).check_evaluable()


def test_served_outputs_are_the_predictions():
    import tensorflow as tf

    shapes = {"classification": (3,), "regression": (3,), "segmentation": (4, 5, 3)}
    shapes["detection"] = (7, 6 + 3)
    for name, shape in shapes.items():
        spec = DatasetSpec("image", (4, 5, 1), "uint8", name, 3, ("a", "b", "c"))
        outputs = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
        served = task_named(name).served_outputs(tf.constant(outputs), spec)
        predicted = Predictions.from_outputs(outputs, spec).named()
        assert served.keys() == predicted.keys()
        for key, tensor in served.items():
            array = tensor.numpy()
            if array.dtype == object:
                assert [value.decode() for value in array.flat] == predicted[key].ravel().tolist()
            else:
                assert array.dtype == predicted[key].dtype
                np.testing.assert_allclose(array, predicted[key], rtol=1e-6)
