import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data.input_kinds import inputs_of
from kexp.data.sources.arrays import from_mapping, from_pairs


def one(x, y=None):
    kind, inputs = inputs_of("d", {"train": (x, np.zeros(len(x), int) if y is None else y)})
    return kind, inputs["train"]


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "shape_out", "dtype_out"),
    [
        ((3, 5, 6), np.uint8, "image", (3, 5, 6, 1), np.uint8),
        ((3, 5, 6, 4), np.uint8, "image", (3, 5, 6, 4), np.uint8),
        ((3, 7), np.uint8, "array", (3, 7), np.float32),
        ((3, 7), np.int64, "array", (3, 7), np.float32),
        ((3, 7), bool, "array", (3, 7), np.float32),
        ((3, 7, 2), np.float64, "series", (3, 7, 2), np.float32),
        ((3, 7, 2), np.int32, "series", (3, 7, 2), np.float32),
        ((3, 5, 6, 1), np.float32, "array", (3, 5, 6, 1), np.float32),
    ],
)
def test_rank_and_type_say_what_inputs_are(shape, dtype, kind, shape_out, dtype_out):
    found, array = one(np.ones(shape, dtype))
    assert (found, array.shape, array.dtype) == (kind, shape_out, dtype_out)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_callers_array_is_neither_frozen_nor_shared(dtype):
    x = np.ones((4, 3, 3), dtype)
    _, array = one(x)
    assert not np.shares_memory(array, x)
    assert x.flags.writeable


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 3)), np.zeros(3), "2 inputs and 3 targets"),
        (np.zeros((0, 3)), np.zeros(0), r"empty, shape \(0, 3\)"),
        (np.zeros(3), np.zeros(3), r"x\[:, None\]"),
        ([[1, 2], [3]], [0, 1], "differ in shape"),
        (np.array([["a"], ["b"]]), [0, 1], "expected train inputs of numbers"),
        (np.array([[1.0], [np.nan]]), [0, 1], "first is sample 1"),
        (np.array([[[1.0]], [[-np.inf]]]), [0, 1], "first is sample 1"),
        (np.array([[1e300], [0.0]]), [0, 1], "first is sample 0"),
        (np.zeros((2, 3, 8, 8), np.uint8), [0, 1], "move the channels to the last axis"),
    ],
)
def test_inputs_of_no_use_are_refused_with_the_reason(x, y, message):
    with pytest.raises(InputError, match=message):
        one(x, y)


def test_parts_that_differ_are_refused():
    parts = {"train": (np.zeros((2, 3)), [0, 1]), "test": (np.zeros((2, 4)), [0, 1])}
    with pytest.raises(InputError, match=r"a test sample float64 of shape \(4,\)"):
        inputs_of("d", parts)
    parts["test"] = (np.zeros((2, 3), np.uint8), [0, 1])
    with pytest.raises(InputError, match="a test sample uint8"):
        inputs_of("d", parts)


def test_two_pairs_are_training_and_test():
    x, y = np.zeros((2, 3)), np.zeros(2)
    assert list(from_pairs(((x, y), (x, y))).parts) == ["train", "test"]
    assert list(from_pairs((x, y)).parts) == ["train"]
    assert list(from_pairs(([[1, 2], [3, 4]], [0, 1])).parts) == ["train"]
    with pytest.raises(InputError, match="received 3 items"):
        from_pairs((x, y, x))


def test_a_mapping_may_have_a_validation_part_names_and_other_keys(arrays):
    more = {"x_validation": 1, "y_validation": 2, "length_train": 3, "class_names": np.array(["a", "b"])}
    source = from_mapping(arrays | more)
    assert list(source.parts) == ["train", "validation", "test"]
    assert source.class_names == ("a", "b")


@pytest.mark.parametrize("key", ["x_train", "y_train", "x_test", "y_test"])
def test_a_lacking_key_is_named(arrays, key):
    del arrays[key]
    with pytest.raises(InputError, match=f"add or rename {key}"):
        from_mapping(arrays)


def test_a_misspelt_key_is_named_rather_than_left_alone(arrays):
    arrays = {"x_tset" if key == "x_test" else key: x for key, x in arrays.items() if key != "y_test"}
    with pytest.raises(InputError, match="rename x_tset"):
        from_mapping(arrays)
