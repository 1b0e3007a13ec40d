"""The page of a run says with which arguments, when, by which versions and on what it was trained."""

import json
import re
import shutil
from pathlib import Path

import pytest

import kexp
from kexp.report import run_page
from tests.report.test_sweep_page import HOSTILE, Reader


def section_of(page, name):
    section = page[page.index(f"<section><h2>{name}") :]
    return section[: section.index("</section>") + len("</section>")]


@pytest.fixture(scope="module")
def page(digits_run):
    return run_page(kexp.load(digits_run))


def test_arguments_that_differ_from_the_recipes_defaults_come_first_and_the_others_are_folded(page):
    section = section_of(page, "Arguments")
    table, folded = section.split("<details>")
    rows = [re.findall("<td.*?>(.*?)</td>", row) for row in re.findall("<tr>(<td.*?)</tr>", table)]
    assert ["data", "digits"] in [row[:2] for row in rows] or ["epochs", "2"] in [row[:2] for row in rows]
    assert next(row for row in rows if row[0] == "epochs") == ["epochs", "2", "5"]
    assert "dropout" not in table
    assert "<dt>dropout</dt><dd>0.2</dd>" in folded
    assert "<dt>hidden</dt><dd>256, 128</dd>" in folded


def test_provenance_is_said_and_the_layers_are_folded(page, digits_run):
    environment = json.loads((digits_run / "env.json").read_text())
    section = section_of(page, "Provenance")
    assert re.search(r"<dt>ended</dt><dd>20\d\d-\d\d-\d\d \d\d:\d\d:\d\d</dd>", section)
    for said in (
        f"keras {environment['versions']['keras']}",
        environment["hardware"]["platform"],
        environment["data"]["fingerprint"],
        str(digits_run),
    ):
        assert said in section
    if environment["git"]:
        assert environment["git"]["commit"] in section
    layers = section_of(page, "Layers")
    assert layers.index("<details>") < layers.index("<table>")
    assert "64 × 256" in layers


def test_a_page_without_data_says_in_a_line_what_is_missing_and_how_to_get_it(page):
    assert "none are shown, nor where the model errs" in Reader(page).text
    assert "Confusion matrix" not in page


def test_what_another_folder_says_of_itself_is_text(digits_run, tmp_path):
    run_dir = Path(shutil.copytree(digits_run, tmp_path / "run"))
    environment = json.loads((run_dir / "env.json").read_text())
    environment["versions"] = {HOSTILE[0]: HOSTILE[1]}
    environment["git"] = {"commit": HOSTILE[2], "diff": "x"}
    environment["hardware"] = {"processor": HOSTILE[3], "devices": [HOSTILE[4]], "platform": 3}
    (run_dir / "env.json").write_text(json.dumps(environment))
    config = json.loads((run_dir / "config.json").read_text())
    config["arguments"][HOSTILE[0]] = {HOSTILE[1]: HOSTILE[2]}
    config["recipe"] = HOSTILE[4]
    (run_dir / "config.json").write_text(json.dumps(config))
    recorded = json.loads((run_dir / "result.json").read_text())
    for name in ("env.json", "config.json", "model.keras"):
        del recorded["files"][name]
    (run_dir / "result.json").write_text(json.dumps(recorded))
    (run_dir / "model.keras").unlink()
    reader = Reader(run_page(kexp.load(run_dir)))
    assert not reader.open
    assert not reader.count("script")
    assert not reader.count("b")
    for text in HOSTILE[:5]:
        assert text in reader.text


def test_hardware_and_versions_that_were_not_recorded_are_left_out(digits_run, tmp_path):
    run_dir = Path(shutil.copytree(digits_run, tmp_path / "run"))
    environment = json.loads((run_dir / "env.json").read_text())
    for name in ("versions", "git", "hardware", "seed"):
        del environment[name]
    (run_dir / "env.json").write_text(json.dumps(environment))
    recorded = json.loads((run_dir / "result.json").read_text())
    del recorded["files"]
    (run_dir / "result.json").write_text(json.dumps(recorded))
    section = section_of(run_page(kexp.load(run_dir)), "Provenance")
    assert "<dt>versions" not in section
    assert "<dt>folder" in section
