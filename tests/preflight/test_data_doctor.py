"""The data doctor finds leaks that were planted, and says nothing of data that has none."""

import io
import time
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import recipes
from kexp.data import Split
from kexp.preflight.doctor import data_checks, doctor_findings

ROWS = 800


def alarms(data):
    return {finding.name: finding.message for finding in doctor_findings(data) if finding.status != "ok"}


def honest_frame(seed=0, rows=ROWS):
    """Columns of which none tells the target, nor all of them together for sure."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 6)), columns=list("abcdef"))
    frame["colour"] = rng.choice(["red", "green", "blue"], rows)
    signal = frame["a"] + 0.7 * frame["b"] * frame["c"] + (frame["colour"] == "red")
    frame["sick"] = np.where(signal + rng.normal(size=rows) > 0.3, "yes", "no")
    return frame


def loaded(frame, **options):
    return kexp.data.load(frame, target="sick", **options)


def test_honest_tables_of_classes_and_of_numbers_raise_no_alarm():
    for seed in range(2):
        frame = honest_frame(seed)
        assert alarms(loaded(frame)) == {}
        frame["sick"] = (
            (frame["sick"] == "yes") + 0.5 * frame["a"] + np.random.default_rng(seed).normal(size=ROWS)
        )
        assert alarms(loaded(frame)) == {}


@pytest.mark.parametrize(
    "name", [name for name in kexp.data.names() if name not in ("moby_dick", "sunspots", "mnist")]
)
def test_the_embedded_data_raises_no_alarm(name):
    assert alarms(kexp.data.load(name)) == {}


def test_small_tables_and_rare_classes_raise_no_alarm():
    for seed, rows in enumerate((70, 120, 200)):
        frame = honest_frame(seed, rows).round(1)
        assert alarms(loaded(frame)) == {}
        frame["sick"] = np.where(np.arange(rows) % 10 == 3, "yes", "no")
        assert alarms(loaded(frame)) == {}


def test_windows_and_passages_of_the_embedded_data_raise_no_alarm():
    assert alarms(kexp.data.windows("sunspots", history=12, test=60)) == {}
    assert alarms(kexp.data.passages("moby_dick", context=64)) == {}


# The kinds of Kapoor and Narayanan 2023, table 1. Of features that were selected on all data nothing shows.


def test_leak_without_a_test_part():
    data = replace(loaded(honest_frame()), validation=None, test=None)
    assert list(alarms(data)) == ["held out"]


def test_leak_of_preprocessing_on_all_data():
    frame = honest_frame()
    numbers = list("abcdef")
    frame[numbers] = (frame[numbers] - frame[numbers].mean()) / frame[numbers].std()
    assert "'a', 'b', 'c', 'd', 'e' and 1 more are scaled" in alarms(loaded(frame))["scaling"]
    frame[numbers] = (frame[numbers] - frame[numbers].min()) / (frame[numbers].max() - frame[numbers].min())
    assert "over all rows, not over training rows" in alarms(loaded(frame))["scaling"]


def test_scaling_that_was_fitted_to_training_rows_is_no_leak():
    data = loaded(honest_frame())
    numbers = list("abcdef")
    mean = {name: data.train.inputs[name].mean() for name in numbers}
    spread = {name: data.train.inputs[name].std() for name in numbers}

    def scaled(split):
        columns = {name: (split.inputs[name] - mean[name]) / spread[name] for name in numbers}
        return Split({**split.inputs, **columns}, split.targets)

    scaled_data = replace(
        data, train=scaled(data.train), validation=scaled(data.validation), test=scaled(data.test)
    )
    assert alarms(scaled_data) == {}


def test_leak_of_duplicates_that_are_not_exact():
    data = loaded(honest_frame())
    changed = {
        name: column[:20] if column.dtype == object else column[:20] * np.float32(1.0002)
        for name, column in data.train.inputs.items()
    }
    columns = {name: np.concatenate([changed[name], data.test.inputs[name]]) for name in changed}
    targets = np.concatenate([data.train.targets[:20], data.test.targets])
    found = alarms(replace(data, test=Split(columns, targets)))
    assert list(found) == ["near copies"]
    assert f"20 of {len(targets)} test rows (test ≈ training 0 ≈ 0, 1 ≈ 1" in found["near copies"]


def test_leak_of_an_illegitimate_feature():
    frame = honest_frame()
    frame["treated"] = np.where(frame["sick"] == "yes", "pills", "none")
    frame.loc[::100, "treated"] = "none"
    assert "'treated' (AUROC 0.99" in alarms(loaded(frame))["one column"]
    frame = honest_frame()
    frame["bill"] = np.exp(honest_frame()["a"])
    frame["sick"] = 3 * frame["a"] + 0.01 * frame["b"]
    assert "'a' (R² 0.99" in alarms(loaded(frame))["one column"]


def test_leak_of_time():
    frame = honest_frame()
    walk = np.cumsum(np.random.default_rng(0).normal(size=ROWS))
    frame["sick"] = walk + frame["a"]
    assert "test on the last ones" in alarms(loaded(frame))["row order"]
    frame["sick"] = np.where(np.sin(np.arange(ROWS) / 30) > 0, "yes", "no")
    assert "row order" in alarms(loaded(frame))


def test_leak_of_dependence_between_parts():
    frame = honest_frame()
    rng = np.random.default_rng(1)
    patients = rng.integers(0, 150, ROWS)
    sick = rng.random(150) < 0.4
    frame["sick"] = np.where(sick[patients] ^ (rng.random(ROWS) < 0.01), "yes", "no")
    frame["patient"] = patients
    found = alarms(loaded(frame))
    assert list(found) == ["groups"]
    assert "group='patient'" in found["groups"]
    frame["patient"] = [f"P{number:04}" for number in patients]
    assert "group='patient'" in alarms(loaded(frame))["groups"]
    frame["sick"] = rng.normal(size=150)[patients] + 0.05 * rng.normal(size=ROWS)
    assert "group='patient'" in alarms(loaded(frame))["groups"]


def test_leak_of_sampling_bias():
    data = loaded(honest_frame())
    moved = {
        name: column + (3 if name == "d" else 0)
        for name, column in data.test.inputs.items()
        if name != "colour"
    }
    biased = Split({**data.test.inputs, **moved}, data.test.targets)
    found = alarms(replace(data, test=biased))
    assert list(found) == ["shift"]
    assert "by 'd' (0.98)" in found["shift"]


# What else the doctor looks for.


def test_an_index_of_a_sorted_table_is_an_id_that_predicts_and_a_shuffled_one_is_not():
    frame = honest_frame().sort_values("sick", kind="stable").reset_index(drop=True)
    frame["row"] = np.arange(ROWS)
    assert alarms(loaded(frame)) == {}  # it is no input
    found = alarms(loaded(frame, columns={"row": "number"}))
    assert list(found) == ["ids"]
    assert "'row', in the order of the rows, predicts the target (AUROC 1.000)" in found["ids"]
    frame["row"] = [f"K-{number:05}" for number in range(ROWS)]
    assert "'row', in the order of the rows," in alarms(loaded(frame, columns={"row": "category"}))["ids"]
    frame["row"] = np.random.default_rng(0).permutation(ROWS)
    assert alarms(loaded(frame, columns={"row": "number"})) == {}


def test_the_mean_of_the_target_by_a_category_is_found_with_the_category():
    frame = honest_frame()
    frame["town"] = np.random.default_rng(0).choice([f"town {number}" for number in range(40)], ROWS)
    frame["town rate"] = (frame["sick"] == "yes").groupby(frame["town"]).transform("mean")
    found = alarms(loaded(frame))
    assert list(found) == ["target means"]
    assert "'town rate' (by 'town')" in found["target means"]
    without = frame.drop(columns="town")
    assert "'town rate' equals" in alarms(loaded(without))["target means"]
    frame["town rate"] = np.random.default_rng(1).random(40)[pd.factorize(frame["town"])[0]]
    assert alarms(loaded(frame)) == {}
    frame["sick"] = frame["a"] + 3
    frame["town rate"] = frame["sick"].groupby(frame["town"]).transform("mean")
    assert "target means" in alarms(loaded(frame))


def test_exact_copies_are_left_to_the_check_that_finds_them():
    data = kexp.data.load("digits")
    images = np.concatenate([data.train.inputs[:50], data.test.inputs])
    targets = np.concatenate([data.train.targets[:50], data.test.targets])
    assert alarms(replace(data, test=Split(images, targets))) == {}


@pytest.mark.parametrize("name", ["digits", "fashion_mnist_small"])
def test_images_that_were_dimmed_or_got_noise_are_near_copies(name):
    data = kexp.data.load(name)
    images, rng = data.train.inputs[:30].astype(float), np.random.default_rng(0)
    top = images.max()
    for changed in (0.8 * images + 0.1 * top + rng.normal(0, 0.02 * top, images.shape),):
        copies = np.clip(np.round(changed), 0, 255).astype("uint8")
        test = Split(
            np.concatenate([copies, data.test.inputs]), np.resize(data.test.targets, len(data.test) + 30)
        )
        found = alarms(replace(data, test=test))
        assert list(found) == ["near copies"], found
        assert "test ≈ training 0 ≈ 0" in found["near copies"]


def test_texts_with_a_word_changed_are_near_copies():
    words = [f"word{number}" for number in range(400)]
    rng = np.random.default_rng(0)
    texts = np.array([" ".join(rng.choice(words, 25)) for _ in range(300)])
    data = kexp.data.load((texts, rng.choice(["yes", "no"], 300)))
    assert data.spec.kind == "text"
    assert alarms(data) == {}
    copies = np.array([" ".join(["new", *text.split()[1:]]) for text in data.train.inputs[:10]], object)
    inputs = np.concatenate([copies, data.test.inputs])
    test = Split(inputs, np.resize(data.test.targets, len(inputs)))
    assert "10 of" in alarms(replace(data, test=test))["near copies"]


def test_dense_tables_have_no_near_copies():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.integers(0, 4, (ROWS, 4)).astype(float) + 0.001 * rng.random((ROWS, 4)), columns=list("abcd")
    )
    frame["sick"] = rng.choice(["yes", "no"], ROWS)
    assert alarms(loaded(frame)) == {}


def test_plain_vectors_are_checked_as_columns_are():
    frame = honest_frame()
    y = (frame.pop("sick") == "yes").to_numpy().astype(int)
    x = frame.drop(columns="colour").to_numpy("float32").copy()
    assert alarms(kexp.data.load((x, y))) == {}
    x = x.copy()
    x[:, 2] = y + 0.01 * x[:, 2]
    assert "'input 2'" in alarms(kexp.data.load((x, y)))["one column"]


def test_many_columns_are_looked_at_by_fewer_rows():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, 200)).astype("float32"), rng.integers(0, 2, 3000)
    found = {finding.name: finding for finding in doctor_findings(kexp.data.load((x, y)))}
    assert {finding.status for finding in found.values()} == {"ok"}
    assert "looked at: 2,000 of" in found["one column"].message


def test_images_and_texts_that_say_nothing_are_no_hindrance():
    labels = np.random.default_rng(0).integers(0, 2, 300)
    assert alarms(kexp.data.load((np.zeros((300, 8, 8, 1), "uint8"), labels))) == {}
    assert alarms(kexp.data.load((np.array([" ", "?"] * 150, object), labels))) == {}


def test_long_texts_take_no_longer():
    rng = np.random.default_rng(0)
    texts = np.array([" ".join(rng.choice(["up", "down", "left"], 10_000)) for _ in range(200)], object)
    started_s = time.perf_counter()
    assert alarms(kexp.data.load((texts, rng.integers(0, 2, 200)))) == {}
    assert time.perf_counter() - started_s < 30


def test_missing_values_constant_columns_and_infinities_are_no_hindrance():
    frame = honest_frame()
    frame.loc[::3, "a"] = np.nan
    frame["constant"], frame["empty-ish"] = 1.0, np.nan
    frame.loc[0, "empty-ish"] = 2.0
    frame.loc[5:9, "colour"] = None
    assert alarms(loaded(frame)) == {}


def test_no_check_reads_a_target_of_another_part():
    for name in ("digits", "iris", "diabetes", "first_names"):
        data = kexp.data.load(name)
        absent = replace(data.test, targets=np.full_like(data.test.targets, -7))
        blind = [finding.message for finding in doctor_findings(replace(data, test=absent))]
        assert blind == [finding.message for finding in doctor_findings(data)]


def test_the_largest_tables_are_looked_at_by_samples_and_said_to_be():
    frame = honest_frame(rows=40_000)
    found = {finding.name: finding for finding in doctor_findings(loaded(frame))}
    assert {finding.status for finding in found.values()} == {"ok"}
    assert "looked at: 20,000 of" in found["one column"].message
    assert "looked at: 5,000 of" in found["labels"].message


def test_check_and_the_command_line_show_what_the_doctor_finds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = honest_frame(rows=300)
    frame["treated"] = np.where(frame["sick"] == "yes", "pills", "none")
    report = kexp.check(recipes.mlp_tabular, data=frame, target="sick", hidden=(8,))
    assert report["one column"].status == "warning"
    assert "! one column       the target follows from 'treated' (AUROC 1.000) alone" in str(report)
    frame.to_csv("sick.csv", index=False)
    from kexp.cli.app import main

    with redirect_stdout(io.StringIO()) as shown, pytest.raises(SystemExit, match="0"):
        main(["check", "mlp_tabular", "--data", "sick.csv", "--target", "sick"])
    assert "! one column       the target follows from 'treated'" in shown.getvalue()


def test_every_check_has_a_name_of_its_own_that_fits_the_page():
    names = [check.name for check in data_checks()]
    assert len(set(names)) == len(names) >= 10
    assert all(len(name) <= 16 for name in names)
    assert not {"data", "classes", "validation rows", "test rows", "outputs", "gradients", "one batch"} & set(
        names
    )
