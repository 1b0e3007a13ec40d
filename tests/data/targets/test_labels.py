import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data.targets import kind_of, target_kinds
from kexp.data.targets.labels import FASHION, require_classes_in_training


def encode(name, targets, task, names=()):
    kind = kind_of("array", None, targets["train"]) if task is None else target_kinds()[task]
    encoded, names = kind.encode(name, {}, targets, names, asked=task is not None)
    return kind.task, encoded, names


def one(y, task=None, names=()):
    task, encoded, names = encode("d", {"train": np.asarray(y)}, task, names)
    return task, encoded["train"], names


def test_integer_labels_stay_and_are_named_by_themselves():
    task, y, names = one(np.array([[2], [0], [1]], np.uint8))
    assert (task, y.dtype, y.tolist(), names) == ("classification", np.int32, [2, 0, 1], ("0", "1", "2"))


def test_labels_that_are_not_contiguous_are_mapped_to_indices():
    _, y, names = one([20, 10, 20])
    assert (y.tolist(), names) == ([1, 0, 1], ("10", "20"))


def test_the_classes_are_those_of_all_parts_together():
    _, encoded, names = encode("d", {"train": [5, 7, 9], "test": [9, 5]}, None)
    assert (encoded["test"].tolist(), names) == ([2, 0], ("5", "7", "9"))


def test_text_labels_are_sorted_as_numbers_if_they_all_are():
    assert one(["b", "a", "b"])[1:][1] == ("a", "b")
    _, y, names = one(np.array(["10", "9", "-1"], object))
    assert (y.tolist(), names) == ([2, 1, 0], ("-1", "9", "10"))


def test_truth_values_are_two_classes():
    _, y, names = one([True, False])
    assert (y.tolist(), names) == ([1, 0], ("False", "True"))


def test_floats_are_quantities_with_an_output_for_each_column():
    task, y, names = one(np.ones((3, 2)))
    assert (task, y.shape, y.dtype, names) == ("regression", (3, 2), np.float32, ())
    assert one([0.5, 1.5])[1].shape == (2, 1)


def test_the_task_decides_over_the_type():
    assert one([3, 4], task="regression")[1].tolist() == [[3.0], [4.0]]
    assert one([1.0, 0.0], task="classification")[1].tolist() == [1, 0]


def test_known_data_has_its_published_names_only_when_all_of_its_classes_are_there():
    assert encode("fashion_mnist", {"train": np.arange(10)}, None)[2] == FASHION
    assert encode("fashion_mnist", {"train": np.arange(9)}, None)[2] == tuple("012345678")


def test_declared_names_keep_their_indices_even_when_a_class_has_no_samples():
    _, y, names = one([2, 0], names=("a", "b", "c"))
    assert (y.tolist(), names) == ([2, 0], ("a", "b", "c"))


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        ([0, 1, -1], None, "received -1 at sample 2"),
        (np.eye(3), None, "one-hot"),
        (np.ones((2, 2, 2)), None, "shape"),
        (np.array([1j]), None, "complex"),
        (np.array(["a", 3], object), None, "a int among objects at sample 1"),
        ([[1, 2], [3, 4]], None, "expected train labels of shape"),
        ([0.5, 1.0], "classification", "received 0.5 at sample 0"),
        ([np.nan, 1.0], "classification", "received nan at sample 0"),
        (["a", "b"], "regression", "received text such as 'a'"),
        ([1.0, np.inf], "regression", "first is sample 1"),
        ([1.0, 1e300], "regression", "first is sample 1"),
    ],
)
def test_targets_of_no_use_are_refused_with_the_reason(y, task, message):
    with pytest.raises(InputError, match=message):
        one(y, task)


def test_labels_beyond_the_declared_names_are_refused():
    with pytest.raises(InputError, match="from 0 to 1 for 2 class names, received 2"):
        one([0, 2], names=("a", "b"))


def test_parts_may_not_mix_text_and_integers():
    with pytest.raises(InputError, match="some parts have labels as text"):
        encode("d", {"train": ["a", "b"], "test": [0, 1]}, None)


def test_a_label_that_only_the_test_part_has_is_named():
    with pytest.raises(InputError, match="the test part has the label 'c'"):
        require_classes_in_training(
            "d", {"train": np.array([0, 1]), "test": np.array([0, 2])}, ("a", "b", "c")
        )


def test_a_single_class_is_refused():
    with pytest.raises(InputError, match="every label is 'b'"):
        require_classes_in_training("d", {"train": np.array([1, 1])}, ("a", "b"))
