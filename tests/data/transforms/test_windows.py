"""Windows of a series look back only, and no part sees the targets of a later one."""

import itertools

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.data import sample_path, windows


def steps_of(part, horizon):
    """The steps that the targets of a part stand at, where each value is its own step."""
    assert part.targets.shape[1] == horizon
    return part.targets.astype(int)


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize(("history", "test", "validation"), [(1, 10, 0.1), (7, 4, 0.3), (12, 30, 0)])
def test_inputs_come_just_before_targets_and_parts_have_no_target_in_common(
    history, horizon, test, validation
):
    data = windows(np.arange(100), history=history, horizon=horizon, test=test, validation=validation)
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    assert len(parts) == 3 if validation else 2
    for part in parts:
        before, after = part.inputs[..., 0], part.targets
        whole = np.concatenate([before, after], axis=1)
        np.testing.assert_array_equal(np.diff(whole, axis=1), 1)
        np.testing.assert_array_equal(np.diff(whole, axis=0), 1)
    spans = [steps_of(part, horizon) for part in parts]
    for earlier, later in itertools.pairwise(spans):
        assert earlier.max() == later.min() - 1
    assert (spans[-1].min(), spans[-1].max()) == (100 - test, 99)
    whole = 100 - test - history - horizon + 1
    assert len(data.validation or ()) == round(validation * whole)


def test_sunspots_are_tested_on_the_last_years():
    data = windows("sunspots", history=33, test=40)
    years = pd.read_csv(sample_path("sunspots"))
    assert (data.name, data.spec.kind, data.spec.task) == ("sunspots", "series", "regression")
    assert (data.spec.input_shape, data.spec.outputs, data.spec.target) == ((33, 1), 1, "sunactivity")
    np.testing.assert_array_equal(data.test.targets[:, 0], years["sunactivity"][-40:].astype("float32"))
    assert len(data.train) + len(data.validation) == 309 - 40 - 33


def test_several_channels_are_looked_back_at_and_the_first_is_foretold(tmp_path):
    frame = pd.DataFrame({"day": range(30), "wind": range(100, 130), "rain": range(200, 230)})
    frame.to_csv(tmp_path / "weather.csv", index=False)
    data = windows(tmp_path / "weather.csv", column=("rain", "wind"), history=3, test=5, validation=0)
    assert data.train.inputs[0].tolist() == [[200, 100], [201, 101], [202, 102]]
    assert data.train.targets[0].tolist() == [203]
    again = windows(frame, column=["rain", "wind"], history=3, test=5, validation=0)
    assert (again.name, again.fingerprint) == ("DataFrame", data.fingerprint)
    array = windows(frame[["rain", "wind"]].to_numpy(), history=3, test=5, validation=0, name="weather")
    np.testing.assert_array_equal(array.train.inputs, data.train.inputs)
    assert array.name == "weather"


def test_the_fingerprint_is_of_the_content_and_not_of_the_split():
    values = np.random.default_rng(0).normal(size=60)
    first = windows(values, history=5, test=10)
    assert windows(values, history=5, test=20, validation=0).fingerprint == first.fingerprint
    assert windows(values + 1, history=5, test=10).fingerprint != first.fingerprint
    assert windows(values, history=6, test=10).fingerprint != first.fingerprint


def test_arrays_are_read_only_and_the_callers_is_not():
    values = np.arange(40.0)
    data = windows(values, history=3, test=0)
    assert data.test is None
    assert not data.train.inputs.flags.writeable
    assert values.flags.writeable


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.arange(20), {"history": 0}, "history=0: expected a whole number of steps, 1 or more"),
        (np.arange(20), {"horizon": 1.5}, "horizon=1.5"),
        (np.arange(20), {"horizon": 5}, "test=3: expected 0, or the 5 steps of horizon"),
        (np.arange(20), {"validation": 1}, "validation=1"),
        (np.arange(20), {"column": "a"}, "leave column out"),
        (np.arange(9), {"history": 6}, "9 steps are too few for windows of 6 [+] 1 steps"),
        (np.array([1, 2, np.nan] * 9), {}, "9 of 27 steps are no finite numbers .* first is step 2"),
        (np.zeros((4, 4, 4)), {}, r"shape \(steps,\) or \(steps, channels\), received ndarray \(4, 4, 4\)"),
        ([[1], [2, 3]], {}, "values differ in shape"),
        ("digits", {}, "values='digits': expected 'sunspots', or a CSV"),
        ("sunspots", {"column": "sunactivty"}, "did you mean 'sunactivity'"),
        (pd.DataFrame({"a": range(20)}), {}, "expected one of the columns 'a'"),
        (pd.DataFrame({"a": ["1", "x"] * 9}), {"column": "a"}, "9 of 18 steps are no finite numbers"),
    ],
)
def test_what_cannot_be_cut_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        windows(values, **{"history": 4, "test": 3, **options})
