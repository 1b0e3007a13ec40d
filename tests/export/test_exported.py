"""Predictions from an export."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kexp.core.errors import InputError
from kexp.export import load_exported, predict_file


def copied(case, folder: Path) -> Path:
    return Path(shutil.copytree(case.directory, folder / "copy"))


def test_a_table_is_answered_row_by_row_with_gaps_and_strings_no_one_has_seen(table, tmp_path):
    frame = pd.DataFrame(table.samples).replace("", None)
    frame.insert(0, "bought", "yes")
    frame[frame.columns[::-1]].to_csv(tmp_path / "new.csv", index=False)
    answer = predict_file(table.directory, tmp_path / "new.csv")
    np.testing.assert_allclose(answer.probabilities, table.expected.probabilities, rtol=0, atol=1e-5)
    assert answer.labels.tolist() == table.expected.labels.tolist()
    exported = load_exported(table.directory)
    for row in (0, 1, 7, 69):
        one = exported.predict({name: values[row] for name, values in table.samples.items()})
        np.testing.assert_allclose(one.probabilities, answer.probabilities[row : row + 1], rtol=0, atol=1e-6)
    frame["home town"] = "Atlantis"
    assert len(exported.predict(frame)) == 70


def test_an_image_file_is_one_sample(digits, tmp_path):
    Image.fromarray(digits.samples[5, ..., 0]).convert("RGB").save(tmp_path / "five.png")
    answer = predict_file(digits.directory, tmp_path / "five.png")
    assert answer.labels.tolist() == [digits.expected.labels[5]]
    np.testing.assert_allclose(answer.probabilities, digits.expected.probabilities[5:6], atol=1e-6)


def test_an_array_file_holds_many(digits, series, tmp_path):
    np.save(tmp_path / "digits.npy", digits.samples)
    answer = predict_file(digits.directory, tmp_path / "digits.npy")
    np.testing.assert_allclose(answer.probabilities, digits.expected.probabilities, atol=1e-6)
    np.save(tmp_path / "series.npy", series.samples)
    np.testing.assert_allclose(
        predict_file(series.directory, tmp_path / "series.npy").values, series.expected.values, atol=1e-6
    )


def test_more_samples_than_one_batch_come_back_in_order(digits):
    many = np.concatenate([digits.samples] * 3)[..., 0]
    answer = load_exported(digits.directory).predict(many)
    assert answer.labels.tolist() == digits.expected.labels.tolist() * 3


def test_a_frame_has_a_column_per_class_or_target(digits, series):
    frame = load_exported(digits.directory).predict(digits.samples[:2]).to_frame(digits.spec)
    assert frame.columns.tolist() == ["label", *digits.spec.class_names]
    frame = load_exported(series.directory).predict(series.samples[0]).to_frame(series.spec)
    assert frame.columns.tolist() == ["flow_0", "flow_1"]
    assert len(frame) == 1


def test_spec_and_provenance_are_read_back(digits, table, series):
    for case in (digits, table, series):
        exported = load_exported(str(case.directory))
        assert exported.spec == case.spec
        assert exported.provenance == {
            "metrics": {"test_accuracy": 0.5},
            "config": {"recipe": "mlp_images"},
        }
    content = json.loads((table.directory / "1" / "assets.extra" / "kexp.json").read_text(encoding="utf-8"))
    assert content["version"] == 1
    assert content["spec"]["class_names"] == ["no", "yes"]
    assert content["keys"]["income (€/year)"] == "income_year"


def test_the_highest_version_is_taken_unless_one_is_given(digits, tmp_path):
    directory = copied(digits, tmp_path)
    for version in ("2", "10"):
        shutil.copytree(directory / "1", directory / version)
    (directory / "11").mkdir()
    assert load_exported(directory).directory == directory / "10"
    assert load_exported(directory / "2").directory == directory / "2"


def test_a_folder_that_is_no_export_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for name, message in [
        ("absent", "does not exist"),
        ("file", "is a file"),
        (".", "holds no saved_model.pb"),
    ]:
        with pytest.raises(InputError, match=f"directory must be the folder of an exported model.*{message}"):
            load_exported(tmp_path / name)


def test_a_saved_model_of_someone_elses_is_said_to_be_one(digits, tmp_path):
    directory = copied(digits, tmp_path)
    shutil.rmtree(directory / "1" / "assets.extra")
    with pytest.raises(InputError, match=r"without assets\.extra/kexp\.json, so kexp did not write it"):
        load_exported(directory)


def test_files_are_checked_before_tensorflow_is_imported(digits, tmp_path):
    script = """
import sys
from kexp.core.errors import InputError
from kexp.export import load_exported, predict_file
for call in (lambda: load_exported("absent"), lambda: predict_file(sys.argv[1], "absent.png")):
    try:
        call()
    except InputError as error:
        print(error)
heavy = {"tensorflow", "keras", "pandas", "PIL", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(digits.directory)],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    assert run.stdout.count("does not exist") == run.stdout.count("No such file") == 1
