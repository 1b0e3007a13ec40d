import numpy as np
import pytest

import kexp.data
from kexp.core.errors import InputError
from kexp.data import load

X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2


def test_load_is_a_function_although_a_module_has_its_name():
    assert callable(kexp.data.load)


@pytest.mark.parametrize("argument", ["validation", "test"])
@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan"), "0.1", True, None])
def test_a_share_outside_zero_to_one_is_refused(argument, share):
    with pytest.raises(InputError, match=f"{argument}=.*at least 0 and below 1"):
        load("digits", **{argument: share})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "clustering"}, "task='clustering'"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"image_size": 28}, "image_size=28"),
        ({"image_size": (28, 0)}, "image_size=.28, 0."),
        ({"target": "y"}, "target='y'.*leave target out"),
        ({"image_size": (4, 4)}, "image_size.*'array', not images"),
    ],
)
def test_an_argument_of_no_use_is_named(options, message):
    with pytest.raises(InputError, match=message):
        load((X, Y), **options)


def test_image_size_is_refused_for_a_table():
    with pytest.raises(InputError, match="data 'iris' is of kind 'table'"):
        load("iris", image_size=(4, 4))


@pytest.mark.parametrize("source", [None, 3, X, {1, 2}])
def test_something_else_is_refused_with_its_type(source):
    with pytest.raises(InputError, match=f"received {type(source).__name__}"):
        load(source)


def test_the_spec_of_arrays_describes_them():
    spec = load((X, Y)).spec
    assert (spec.kind, spec.input_shape, spec.dtype) == ("array", (3,), "float32")
    assert (spec.task, spec.outputs, spec.class_names, spec.target) == (
        "classification",
        2,
        ("0", "1"),
        "target",
    )
    several = load((X, X)).spec
    assert (several.task, several.outputs) == ("regression", 3)


def test_the_callers_arrays_stay_writable_and_apart():
    x, y = X.astype(np.float32), Y.astype(np.int32)
    data = load((x, y), validation=0, test=0)
    x[0], y[0] = 7, 1
    assert data.train.inputs[0, 0] != 7
    assert data.train.targets[0] == 0


def test_labels_that_only_the_unused_test_part_has_are_refused_all_the_same():
    with pytest.raises(InputError, match="the test part has the label '2'"):
        load(((X, Y), (X, Y + 1)))


def test_series_with_a_gap_are_refused():
    x = np.zeros((40, 4, 2), np.float32)
    x[11, 2, 1] = np.nan
    with pytest.raises(InputError, match=r"1 train samples hold NaN.*sample 11"):
        load((x, Y))


@pytest.mark.parametrize("task", ["reconstruction", "generation"])
def test_what_only_a_model_does_is_no_task_of_data(task):
    with pytest.raises(InputError, match=f"task='{task}'.*that is what a model does.*so leave task out"):
        load("digits", task=task)
