"""Series of different lengths end in NaN, and NaN stands nowhere else."""

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.adapters import adapt_inputs
from kexp.data.dataset import DatasetSpec
from kexp.data.series import lengths_of

LENGTHS = (3, 5, 1, 4, 2, 5)
SERIES = [np.full((length, 2), number, np.float64) for number, length in enumerate(LENGTHS)]
ALL = {"validation": 0, "test": 0}
SPEC = DatasetSpec("series", (5, 2), "float32", "regression", 1)


def objects(series):
    array = np.empty(len(series), object)
    array[:] = series
    return array


@pytest.mark.parametrize("form", [list, tuple, objects], ids=["list", "tuple", "object array"])
def test_series_of_different_lengths_are_padded_with_nan_at_their_end(form):
    data = load((form(SERIES), np.arange(6.0)), **ALL)
    assert (data.spec.kind, data.spec.input_shape, data.spec.dtype) == ("series", (5, 2), "float32")
    assert lengths_of(data.train.inputs).tolist() == list(LENGTHS)
    for number, padded in enumerate(data.train.inputs):
        assert (padded[: LENGTHS[number]] == number).all()
        assert np.isnan(padded[LENGTHS[number] :]).all()


def test_all_parts_are_padded_to_the_longest_series_of_any():
    parts = {"x_train": SERIES[:1], "y_train": [0.0], "x_test": SERIES[1:], "y_test": np.arange(5.0)}
    data = load(parts, validation=0)
    assert data.train.inputs.shape == (1, 5, 2)
    parts["x_test"] = np.zeros((5, 7, 2))
    assert load(parts, validation=0).train.inputs.shape == (1, 7, 2)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_series_may_have_classes_or_quantities_as_targets(task):
    targets = np.array([0, 1] * 3) if task == "classification" else np.random.rand(6, 2)
    spec = load((SERIES, targets), validation=0.2).spec
    assert (spec.task, spec.outputs) == (task, 2)


def test_padded_with_nan_or_given_as_a_list_the_data_is_the_same():
    padded = load((SERIES, np.arange(6.0))).train.inputs
    whole = load((SERIES, np.arange(6.0)), **ALL)
    negative = np.where(np.isnan(whole.train.inputs), -np.float32(np.nan), whole.train.inputs)
    assert load((negative, np.arange(6.0))).fingerprint == whole.fingerprint
    assert padded.dtype == np.float32


def test_lengths_in_an_npz_file_tell_the_padding(data_dir):
    x = np.zeros((6, 5, 2))
    np.savez(data_dir / "walks.npz", x_train=x, y_train=np.arange(6.0), length_train=LENGTHS)
    data = load("walks", **ALL)
    assert lengths_of(data.train.inputs).tolist() == list(LENGTHS)
    assert np.nansum(data.train.inputs) == 0


def test_the_real_file_and_the_embedded_data_are_the_same(real_data):
    found = load(real_data / "japanese_vowels.npz")
    assert found.fingerprint == load("japanese_vowels").fingerprint
    with np.load(real_data / "japanese_vowels.npz") as file:
        assert lengths_of(found.test.inputs).tolist() == file["length_test"].tolist()


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2], r"length_train of shape \(6,\)"),
        ([1.5] * 6, "a whole number for each series, received float64"),
        ([1, 2, 3, 4, 5, 6], "from 1 to 5 in length_train, received 6 at sample 5"),
        ([1, 2, 3, 0, 5, 5], "received 0 at sample 3"),
    ],
)
def test_lengths_that_are_not_those_of_the_series_are_refused(lengths, message):
    arrays = {"x_train": np.zeros((6, 5, 2)), "y_train": np.arange(6.0), "length_train": lengths}
    with pytest.raises(InputError, match=message):
        load(arrays)


def holed(*place):
    x = np.zeros((6, 5, 2))
    x[place] = np.nan
    return x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (holed(3, 1), "first is sample 3; .* steps at its end"),
        (holed(4, 0), "first is sample 4"),
        (holed(2, 4, 1), "first is sample 2"),
        (holed(5), "first is sample 5"),
        ([np.full((2, 2), np.inf), *SERIES[1:]], "first is sample 0"),
        ([np.zeros((3, 4)), *SERIES[1:]], r"shape \(steps, 4\) .* received \(5, 2\) at sample 1"),
        ([*SERIES[:5], np.zeros((0, 2))], r"received \(0, 2\) at sample 5"),
        ([np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8)], "differ in shape"),
    ],
    ids=["hole", "late start", "half a step", "no step", "infinite", "channels", "empty", "images"],
)
def test_nan_that_does_not_pad_and_series_that_do_not_fit_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        load((x, np.arange(float(len(x)))))


def test_a_model_of_series_takes_shorter_ones_as_a_list_and_padding():
    padded = adapt_inputs(SERIES, SPEC)
    assert (padded.shape, padded.dtype) == ((6, 5, 2), np.float32)
    assert lengths_of(padded).tolist() == list(LENGTHS)
    np.testing.assert_array_equal(adapt_inputs(padded, SPEC), padded)
    assert adapt_inputs(SERIES[2:3], SPEC).shape == (1, 5, 2)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([*SERIES, np.zeros((6, 2))], r"with 1 to 5 steps, received \(6, 2\) at sample 6"),
        ([np.zeros((5, 3))], r"shape \(steps, 2\) .* received \(5, 3\) at sample 0"),
        (np.zeros((2, 4, 2)), r"shape \(samples, 5, 2\)"),
        (holed(1, 2), "NaN or infinity in sample 1; .* only pad the end"),
    ],
)
def test_series_that_do_not_fit_a_model_are_refused(raw, message):
    with pytest.raises(InputError, match=message):
        adapt_inputs(raw, SPEC)


def long_among_short(longest, short=20, count=200):
    series = [np.full((short, 1), number, np.float64) for number in range(count)]
    series[7] = np.arange(longest, dtype=np.float64)[:, None]
    return series


@pytest.mark.parametrize("form", [list, objects, "padded"], ids=["list", "object array", "padded array"])
def test_one_far_longer_series_is_cut_and_named_rather_than_setting_the_length_of_all(form):
    series = long_among_short(50_000)
    if form == "padded":
        padded = np.full((200, 50_000, 1), np.nan, np.float32)
        for number, one in enumerate(series):
            padded[number, : len(one)] = one
        inputs = padded
    else:
        inputs = form(series)
    data = load((inputs, np.arange(200.0)), **ALL)
    assert data.spec.input_shape == (20, 1)
    assert data.train.inputs[7, :, 0].tolist() == list(range(20))
    (note,) = data.notes
    assert "the first 20 steps are read, which cuts 1 of 200 training samples" in note
    assert "the longest has 50,000, training sample 7." in note


def test_a_far_longer_series_of_the_test_part_is_cut_too():
    parts = {"x_train": long_among_short(20), "y_train": np.arange(200.0)}
    parts |= {"x_test": [np.zeros((30, 1)), np.zeros((9_000, 1))], "y_test": np.arange(2.0)}
    data = load(parts, validation=0)
    assert data.test.inputs.shape == (2, 30, 1)
    assert "cuts 1 of 2 test samples" in data.notes[0]


@pytest.mark.parametrize(
    "series", [long_among_short(256), long_among_short(3_000, 400), long_among_short(50_000, count=20)]
)
def test_series_of_ordinary_lengths_keep_every_step(series):
    data = load((series, np.arange(float(len(series)))), **ALL)
    assert (data.spec.input_shape[0], data.notes) == (max(map(len, series)), ())


def test_many_long_series_keep_every_step():
    series = long_among_short(20) + [np.zeros((5_000, 1))] * 30
    assert load((series, np.arange(230.0)), **ALL).spec.input_shape == (5_000, 1)
