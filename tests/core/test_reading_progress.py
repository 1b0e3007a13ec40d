"""What takes long before training says how far it is, on standard error, and what is short says nothing."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kexp
from kexp.core import reading_progress
from kexp.core.compressed_files import Watched
from kexp.core.reading_progress import Work, quiet_work, shown_work
from kexp.data import load
from kexp.data.adapters import read_inputs
from kexp.preflight.doctor import doctor_findings
from kexp.run.context import capture_training
from tests.pseudo_terminal import read_to_the_end


@pytest.fixture
def at_once(monkeypatch):
    """Say at once what would be said after two seconds."""
    monkeypatch.setattr(reading_progress, "SILENT_S", 0.0)


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "table.csv"
    pd.DataFrame({"a": rng.normal(size=90), "b": list("xyz") * 30, "y": [0, 1] * 45}).to_csv(
        path, index=False
    )
    return path


@pytest.fixture
def pictures(tmp_path):
    for number in range(120):
        path = tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 6), 2 * number, np.uint8)).save(path)
    return tmp_path / "pictures"


def test_short_work_says_nothing(table, pictures, capsys):
    load(table, target="y")
    load(pictures, validation=0, test=0)
    assert capsys.readouterr() == ("", "")


def test_reading_says_how_far_it_is_on_standard_error(table, pictures, at_once, capsys):
    load(table, target="y")
    said = capsys.readouterr()
    assert said.out == ""
    first, *others = said.err.splitlines()
    assert re.fullmatch(r"reading table.csv: 0 of 0 MB, 0 s …", first)
    assert any(
        re.fullmatch(r"looking at the columns of table: \d of 2 columns, 0 s …", one) for one in others
    )
    load(pictures, validation=0, test=0)
    assert re.search(r"reading images: \d+ of 120 images, \d s …", capsys.readouterr().err)
    pd.read_csv(table).to_parquet(table.with_suffix(".parquet"))
    load(table.with_suffix(".parquet"), target="y")
    assert "columns of table" in capsys.readouterr().err


def test_predictions_from_a_file_keep_standard_output_clean(table, at_once, capsys):
    spec = load(table, target="y").spec
    capsys.readouterr()
    read_inputs(table, spec)
    said = capsys.readouterr()
    assert said.out == ""
    assert "reading table.csv" in said.err


def test_lines_come_now_and_then_while_work_goes_on(at_once, monkeypatch, capsys):
    monkeypatch.setattr(reading_progress, "LINE_S", 0.02)
    with shown_work("counting", 3, "things") as work:
        for _ in range(3):
            work.advance()
            time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("counting: 3 of 3 things")
    assert len(lines) > 3


def test_all_bytes_of_a_file_are_counted(table):
    work = Work("reading", None, "bytes")
    with table.open("rb") as file:
        pd.read_csv(Watched(file, work))
    assert work.done == table.stat().st_size
    work.done = 3_400_000
    assert str(work) == "reading: 3 MB, 0 s"


def test_a_quiet_recipe_and_a_block_within_another_say_nothing(table, at_once, capsys):
    options = {"data": str(table), "target": "y"}
    capture_training(lambda setup: None, kexp.recipes.mlp_tabular, **options, quiet=True)
    assert capsys.readouterr() == ("", "")
    capture_training(lambda setup: None, kexp.recipes.mlp_tabular, **options)
    assert "reading table.csv" in capsys.readouterr().err
    with shown_work("outer"), shown_work("inner"):
        time.sleep(0.2)
    with quiet_work(), quiet_work(False), shown_work("hushed"):
        time.sleep(0.2)
    assert re.fullmatch(r"outer, \d s …\n", capsys.readouterr().err)


def test_a_check_names_what_it_looks_for(at_once, capsys):
    doctor_findings(load("iris"))
    assert re.search(r"checking the data for labels, \d s …", capsys.readouterr().err)


def test_a_stream_that_cannot_be_written_to_does_not_end_the_work(at_once, monkeypatch):
    with open(os.devnull) as unwritable:
        monkeypatch.setattr(sys, "stderr", unwritable)
        with shown_work("counting") as work:
            time.sleep(0.2)
            work.advance()
    monkeypatch.setattr(sys, "stderr", None)
    with shown_work("counting"):
        work.advance()
    assert work.done == 2


def test_a_bar_shows_on_a_terminal_and_is_taken_away(table):
    code = (
        "import sys, time\n"
        "from kexp.core import reading_progress\n"
        "reading_progress.SILENT_S = 0.0\n"
        "with reading_progress.shown_work('reading', 4, 'images') as work:\n"
        "    work.advance(3); time.sleep(1)\n"
        "print('answer')"
    )
    ours, terminal = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "90", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=terminal
    )
    os.close(terminal)
    written = read_to_the_end(ours)
    assert process.communicate()[0] == b"answer\n"
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())
    assert re.search(r"reading: 3 of 4 images, \d s ━+", shown)
    assert b"\x1b[2K" in written  # the line is erased
