"""Parquet files whose rows are read from disk train as those in memory, to the bit, a column at a time."""

import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
from kexp.recipes.mlp_tabular import mlp_tabular

import kexp
from kexp.core.errors import InputError
from kexp.data.stored_arrays import is_stored, stored_column
from kexp.models.preprocessing.standardization import moments
from tests.forked_python import forked
from tests.train.iris_runs import assert_same, weights
from tests.verify.killed_runs import difference_after_a_kill

SMALL = {"target": "ill", "epochs": 2, "batch_size": 64, "hidden": (8,), "quiet": True}


def frame_of(rows):
    """Numbers with gaps, numbers that float32 would merge, categories, dates, a group and a weight."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{number}": rng.normal(number, 3, rows) for number in range(3)})
    frame["x1"] = frame["x1"].where(rng.random(rows) > 0.1)
    frame["wide"] = rng.integers(0, 9, rows) + 1e9
    frame["town"] = rng.choice(["Ulm", "Jena", "Göttingen", ""], rows)
    frame["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, rows), unit="D")
    frame["patient"] = rng.integers(0, rows // 4, rows)
    frame["counts"] = rng.random(rows)
    frame["ill"] = np.where(frame["x0"] + 3 * (frame["town"] == "Ulm") > 1, "yes", "no")
    return frame


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "patients.parquet"
    frame_of(2_000).to_parquet(path, row_group_size=300)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "options",
    [{}, {"group": "patient", "weight": "counts"}, {"time": "when"}],
    ids=["plain", "groups and weights", "in order of time"],
)
def test_rows_on_the_disk_are_those_in_memory(patients, options):
    held, stored = (kexp.data.load(patients, target="ill", in_memory=one, **options) for one in (True, False))
    assert is_stored(stored.train.inputs)
    assert not is_stored(held.train.inputs)
    assert (stored.fingerprint, stored.spec) == (held.fingerprint, held.spec)
    assert stored.spec.columns == held.spec.columns
    assert [one.categories for one in stored.spec.columns] == [one.categories for one in held.spec.columns]
    assert [one.has_missing for one in stored.spec.columns] == [one.has_missing for one in held.spec.columns]
    for name in ("train", "validation", "test"):
        one, other = getattr(held, name), getattr(stored, name)
        for column, values in one.inputs.items():
            np.testing.assert_array_equal(np.asarray(other.inputs[column]), values)
        np.testing.assert_array_equal(other.targets, one.targets)
        if one.sample_weight is not None:
            np.testing.assert_array_equal(other.sample_weight, one.sample_weight)


def test_training_from_disk_gives_the_weights_of_training_in_memory_to_the_bit(patients, tmp_path):
    runs = [
        mlp_tabular(str(patients), in_memory=one, run_dir=str(tmp_path / str(one)), **SMALL)
        for one in (True, False)
    ]
    assert_same(*map(weights, runs))
    assert runs[0].history == runs[1].history
    assert runs[0].metrics == runs[1].metrics
    rows = pd.read_parquet(patients).head(20)
    held, stored = (run.predict(rows).labels for run in runs)
    assert list(held) == list(stored)


def test_a_run_from_disk_that_was_killed_goes_on_to_the_same_bits(patients, tmp_path):
    arguments = {"data": str(patients), **SMALL, "in_memory": False, "hidden": [8]}
    assert difference_after_a_kill(mlp_tabular, tmp_path, **arguments) is None


def test_what_does_not_fit_is_read_from_disk_and_that_is_said(patients, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KEXP_MAX_BYTES", "100000")
    mlp_tabular(str(patients), **{**SMALL, "quiet": False, "run_dir": str(tmp_path / "run")})
    said = "2,000 rows are read from disk while they are trained on: in memory they would take about"
    assert said in capsys.readouterr().out
    checked = str(kexp.check(mlp_tabular, data=str(patients), target="ill", hidden=(8,)))
    assert said in checked
    assert "more read from disk" in checked


def test_a_table_that_fits_is_held_in_memory(patients):
    data = kexp.data.load(patients, target="ill")
    assert not is_stored(data.train.inputs)


def test_nothing_is_left_in_the_cache_folder(patients, cache):
    data = kexp.data.load(patients, target="ill", in_memory=False)
    assert is_stored(data.train.inputs)
    assert list(cache.iterdir()) == []


def test_a_column_that_does_not_fit_is_refused_before_it_is_read(patients, monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", "10000")
    with pytest.raises(InputError, match=r"a column of file .*patients\.parquet takes"):
        kexp.data.load(patients, target="ill")


def test_a_table_that_must_be_in_memory_is_refused_when_it_does_not_fit(patients, monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", "100000")
    with pytest.raises(InputError, match=r"file .*patients\.parquet takes"):
        kexp.data.load(patients, target="ill", in_memory=True)


def test_infinite_numbers_and_damage_are_named_as_in_memory(patients, tmp_path):
    frame = frame_of(100)
    frame.loc[7, "x2"] = np.inf
    frame.to_parquet(tmp_path / "infinite.parquet")
    with pytest.raises(InputError, match=r"column 'x2' is infinite .* in row 8 of 100"):
        kexp.data.load(tmp_path / "infinite.parquet", target="ill", in_memory=False)
    content = patients.read_bytes()
    (tmp_path / "damaged.parquet").write_bytes(content[:300] + content[1300:])
    with pytest.raises(InputError, match=r"file .*damaged\.parquet: cannot be read as a Parquet table"):
        kexp.data.load(tmp_path / "damaged.parquet", target="ill", in_memory=False)


def test_texts_are_held_in_memory(tmp_path):
    frame = pd.DataFrame({"words": ["a b", "c d"] * 20, "y": [0, 1] * 20})
    frame.to_parquet(tmp_path / "texts.parquet")
    with pytest.raises(InputError, match="in_memory=False: a column of texts is held in memory"):
        kexp.data.load(tmp_path / "texts.parquet", text="words", target="y", in_memory=False)


@pytest.mark.parametrize("distinct", [3, 10_500], ids=["few", "many"])
def test_texts_of_a_stored_column_are_what_they_were(distinct):
    values = np.array(
        [f"Straße {number % distinct}" if number % 7 else "" for number in range(21_000)], object
    )
    stored = stored_column(values)
    assert stored.dtype == object
    np.testing.assert_array_equal(np.asarray(stored), values)
    np.testing.assert_array_equal(stored[[5, 3, 20_999]], values[[5, 3, 20_999]])
    found, counts = np.unique(values.astype(str), return_counts=True)
    assert stored.word_counts() == dict(zip(found.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("columns", [2, 3, 8, 33])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_are_the_same_bits_in_however_many_blocks_the_rows_come(columns, dtype):
    values = np.random.default_rng(0).normal(3, 10, (30_000, columns)).astype(dtype)
    values[::17, 0] = np.nan
    whole = moments(lambda: [values])
    for rows in (1_000, 8_191, 29_999):
        assert_same(whole, moments(lambda rows=rows: np.split(values, range(rows, len(values), rows))))


_PEAK = """
import json, resource, sys
from kexp.recipes.mlp_tabular import mlp_tabular
path, run_dir = sys.argv[1:]
options = {"target": "y", "epochs": 1, "batch_size": 4096, "hidden": (8,), "quiet": True, "in_memory": False}
mlp_tabular(path, run_dir=run_dir, **options)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
"""


@pytest.mark.slow
def test_ten_times_the_columns_take_no_more_memory(tmp_path):
    peaks = {}
    for columns in (6, 60):
        numbers = np.random.default_rng(0).standard_normal((150_000, columns), "float32")
        frame = pd.DataFrame(numbers, columns=[f"x{number}" for number in range(columns)])
        frame["y"] = (numbers[:, 0] > 0).astype(int)
        path = tmp_path / f"{columns}.parquet"
        frame.to_parquet(path, row_group_size=10_000)
        process = forked.Popen(
            [sys.executable, "-c", _PEAK, str(path), str(tmp_path / str(columns))],
            stdout=forked.PIPE,
            text=True,
            env={**os.environ},
        )
        out, _ = process.communicate()
        assert process.returncode == 0
        peaks[columns] = json.loads(out.splitlines()[-1])
    print(f"peak of 6 columns {peaks[6] / 1e6:.0f} MB, of 60 columns {peaks[60] / 1e6:.0f} MB")
    # In memory 54 columns of 150,000 rows are 32e6 bytes, which are held several times: it would be 240e6.
    assert peaks[60] - peaks[6] < 120e6
