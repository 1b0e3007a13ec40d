"""The record of a run is its folder's content as plain data, and the result is one."""

import json
import shutil

import pytest

import kexp
from kexp.core.errors import InputError
from kexp.result import Result
from kexp.run.record import RunRecord


def test_a_record_is_what_the_folder_holds(digits_run):
    record = RunRecord.load(digits_run)
    recorded = json.loads((digits_run / "result.json").read_text())
    assert json.loads(json.dumps(record.to_json())) == recorded
    assert (record.epochs, record.config["recipe"]) == (2, "mlp_images")
    assert record.environment["data"]["name"] == "digits"


def test_a_result_is_a_record_and_keeps_the_model_that_is_at_hand(digits_run):
    record = RunRecord.load(digits_run)
    model = record.model
    result = Result.of(record)
    assert isinstance(result, RunRecord)
    assert result.model is model
    assert isinstance(kexp.load(digits_run), Result)


def test_a_run_of_a_model_of_three_thousand_million_parameters_is_loaded(digits_run, tmp_path):
    run_dir = shutil.copytree(digits_run, tmp_path / "run")
    recorded = json.loads((run_dir / "result.json").read_text())
    (run_dir / "result.json").write_text(json.dumps({**recorded, "parameters": 3 * 10**9}))
    assert RunRecord.load(run_dir).parameters == 3 * 10**9


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must be the folder of a finished run; .* holds no run"):
        RunRecord.load(tmp_path)
