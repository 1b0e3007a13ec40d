import subprocess
import sys

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.splits import fingerprint, hold_out

X = np.arange(200, dtype=np.float32)[:, None]  # (200, 1): each sample is its own number
Y = np.repeat([0, 1, 2, 3], [100, 60, 37, 3])


def rows(split):
    return split.inputs[:, 0].astype(int).tolist()


def test_every_sample_is_in_exactly_one_part():
    data = load((X, Y))
    assert sorted(rows(data.train) + rows(data.validation) + rows(data.test)) == list(range(200))
    for split in (data.train, data.validation, data.test):
        np.testing.assert_array_equal(split.targets, Y[rows(split)])


def test_the_test_part_depends_on_neither_the_seed_nor_the_validation_part():
    first = rows(load((X, Y)).test)
    for seed in range(1, 4):
        assert rows(load((X, Y), seed=seed).test) == first
    assert rows(load((X, Y), validation=0).test) == rows(load((X, Y), validation=0.5).test) == first
    assert rows(load((X, Y), test=0.9, validation=0).test) == rows(load((X, Y), test=0.9).test)


def test_the_validation_part_depends_on_the_seed_alone():
    assert rows(load((X, Y), seed=1).validation) == rows(load((X, Y), seed=1).validation)
    assert rows(load((X, Y), seed=1).validation) != rows(load((X, Y), seed=2).validation)


def test_each_part_has_every_class_in_proportion_and_a_rare_one_at_least_once():
    data = load((X, Y))
    assert np.bincount(data.test.targets).tolist() == [20, 12, 7, 1]
    assert np.bincount(data.validation.targets).tolist() == [8, 5, 3, 1]
    assert np.bincount(data.train.targets).tolist() == [72, 43, 27, 1]


def test_no_fraction_is_so_large_that_a_class_is_not_trained_on():
    kept, held = hold_out(Y, 0.99, seed=0)
    assert set(Y[kept]) == set(Y[held]) == {0, 1, 2, 3}
    data = load((X, Y), test=0.99, validation=0.99)
    assert set(data.train.targets) == set(data.validation.targets) == {0, 1, 2, 3}


def test_quantities_are_drawn_in_the_exact_share():
    data = load((X, X[:, 0] / 2))
    assert (len(data.train), len(data.validation), len(data.test)) == (144, 16, 40)


def test_zero_means_no_such_part():
    data = load((X, Y), validation=0, test=0)
    assert (data.validation, data.test) == (None, None)
    assert rows(data.train) == list(range(200))


def test_the_test_part_of_a_source_is_taken_as_it_is(arrays):
    data = load(arrays, test=0.5)
    np.testing.assert_array_equal(data.test.inputs[..., 0], arrays["x_test"])
    assert len(data.train) + len(data.validation) == 40
    assert load(arrays, test=0).test is None


def test_the_validation_part_of_a_source_is_used_as_it_is_or_trained_on(arrays):
    x, y = arrays["x_test"] // 2, arrays["y_test"]
    source = arrays | {"x_validation": x, "y_validation": y}
    data = load(source, validation=0.3)
    np.testing.assert_array_equal(data.validation.inputs[..., 0], x)
    assert len(data.train) == 40
    joined = load(source, validation=0)
    assert joined.validation is None
    np.testing.assert_array_equal(joined.train.inputs[..., 0], np.concatenate([arrays["x_train"], x]))
    np.testing.assert_array_equal(joined.train.targets, np.concatenate([arrays["y_train"], y]))
    assert joined.fingerprint == data.fingerprint


def test_a_class_with_too_few_samples_for_all_parts_is_named():
    y = Y.copy()
    y[-1] = 0  # class 3 is left with two samples
    with pytest.raises(InputError, match=r"2 of class '3'.*train, test, validation"):
        load((X, y))
    data = load((X, y), validation=0)
    assert np.bincount(data.test.targets)[3] == np.bincount(data.train.targets)[3] == 1


def test_fewer_samples_than_classes_need_is_refused():
    with pytest.raises(InputError, match=r"200 samples, 200 classes.*task='regression'"):
        load((X, np.arange(200)))
    with pytest.raises(InputError, match="too few samples"):
        load((X[:2], np.array([0.5, 1.5])))


def test_every_array_is_read_only():
    for source in ("iris", (X, Y), (X, Y.astype(float))):
        data = load(source, validation=0) if source == "iris" else load(source)
        for split in filter(None, (data.train, data.validation, data.test)):
            inputs = (
                split.inputs if isinstance(split.inputs, np.ndarray) else next(iter(split.inputs.values()))
            )
            for array in (inputs, split.targets):
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 0


def test_the_columns_of_a_table_cannot_be_replaced():
    with pytest.raises(TypeError):
        load("iris").train.inputs["petal width (cm)"] = np.zeros(3)


def test_the_fingerprint_is_that_of_the_content_whatever_the_split():
    first = load((X, Y)).fingerprint
    assert load((X.copy(), Y.copy()), validation=0, test=0, seed=9).fingerprint == first
    assert load((X, Y[::-1].copy())).fingerprint != first
    assert load((X + 1, Y)).fingerprint != first
    assert load((X, Y + 10)).fingerprint != first  # the class names are others


def test_the_fingerprint_is_the_same_in_another_process():
    code = "import kexp.data; print(kexp.data.load('wine', seed=4).fingerprint)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert load("wine").fingerprint == other.strip()


def test_the_fingerprint_tells_where_one_text_ends():
    def of(*texts):
        return fingerprint({"train": ({"a": np.array(texts, object)}, np.zeros(2, np.int32))})

    assert of("ab", "c") != of("a", "bc")
