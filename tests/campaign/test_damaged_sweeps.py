"""Damaged records of sweeps: what SQLite or we cannot read is one sentence that names the file."""

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

import kexp
from kexp import recipes
from tests.campaign.damages import a_circular_link, a_folder, a_pipe, changed, copy_of, refused, replaced_by

OLD = Path(__file__).parents[1] / "fixtures" / "version_0_1"
LINE = {"data": "iris", "hidden": (8,), "epochs": 30, "checkpoint_every": "5 steps", "quiet": True}


@pytest.fixture
def directory(tmp_path):
    """Return a copy of a sweep folder of which a trial is still to be run."""
    return copy_of(OLD / "sweep_unfinished", tmp_path / "sweep")


def sweep_again(directory):
    return kexp.sweep(recipes.mlp_tabular, **LINE, trials=6, seed=1, dir=directory)


def executed(*statements):
    """Return a damage that SQLite itself does."""

    def damage(path):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(*(statement if isinstance(statement, tuple) else (statement,)))
            connection.commit()

    return damage


def other_database(path):
    path.unlink()
    executed_in_new = ["CREATE TABLE photos (name TEXT)", "INSERT INTO photos VALUES ('a')"]
    with closing(sqlite3.connect(path)) as connection:
        for statement in executed_in_new:
            connection.execute(statement)
        connection.commit()


def fact(name, content):
    text = content if isinstance(content, str) else json.dumps(content)
    return executed(("UPDATE facts SET content = ? WHERE name = ?", (text, name)))


def description(**changes):
    def damage(path):
        with closing(sqlite3.connect(path)) as connection:
            (text,) = connection.execute("SELECT content FROM facts WHERE name = 'sweep'").fetchone()
        content = {**json.loads(text), **changes}
        fact("sweep", {name: value for name, value in content.items() if value is not ...})(path)

    return damage


FILES = {
    "empty": replaced_by(""),
    "text": replaced_by("trials"),
    "zeros": changed(lambda content: bytes(len(content))),
    "a flipped header": changed(lambda content: b"X" + content[1:]),
    "cut after a page": changed(lambda content: content[:4096]),
    "cut in a page": changed(lambda content: content[:6000]),
    "cut at its end": changed(lambda content: content[:-4096]),
    "pages of zeros": changed(lambda content: content[:4096] + bytes(len(content) - 4096)),
    "pages of ones": changed(lambda content: content[:4096] + b"\xff" * (len(content) - 4096)),
    "another size of pages": changed(lambda content: content[:16] + b"\x03" + content[17:]),
    "a newer version to read": changed(lambda content: content[:19] + b"\x09" + content[20:]),
    "another format of schemas": changed(lambda content: content[:44] + b"\x00\x00\x00\x99" + content[48:]),
    "another encoding of texts": changed(lambda content: content[:56] + b"\x00\x00\x00\x07" + content[60:]),
    "a folder": a_folder,
    "a pipe": a_pipe,
    "a circular link": a_circular_link,
    "another database": other_database,
    "a table more": executed("CREATE TABLE photos (name TEXT)"),
    "a column less": executed("ALTER TABLE trials DROP COLUMN metrics"),
}
ROWS = {
    "the description is null": fact("sweep", None),
    "the description is a list": fact("sweep", []),
    "the description is cut": fact("sweep", '{"recipe": "mlp'),
    "the description is nested deep": fact("sweep", "[" * 100_000),
    "the description has a long number": fact("sweep", '{"seed": ' + "9" * 5000 + "}"),
    "the description lacks the recipe": description(recipe=...),
    "the recipe is a number": description(recipe=3),
    "the space is a list": description(space=[]),
    "the seed is text": description(seed="one"),
    "the target is null and text": fact("objective", [3, "max"]),
    "the target has no mode": fact("objective", ["val_accuracy"]),
    "the target has another mode": fact("objective", ["val_accuracy", "most"]),
    "searched is a list": executed("UPDATE trials SET searched = '[]'"),
    "searched is cut": executed("UPDATE trials SET searched = '{'"),
    "searched is a blob": executed("UPDATE trials SET searched = x'ff00'"),
    "arguments are null": executed("UPDATE trials SET arguments = 'null'"),
    "another state": executed("UPDATE trials SET state = 'lost'"),
    "metrics of text": executed("""UPDATE trials SET metrics = '{"val_accuracy": "high"}'"""),
    "metrics without UTF-8": executed("""UPDATE trials SET metrics = '{"\\ud800": 1}'"""),
    "a score of text": executed("UPDATE trials SET score = 'high'"),
    "seconds of text": executed("UPDATE trials SET seconds = 'many'"),
    "a token below 0": executed("UPDATE trials SET token = -1"),
}
MORE = {
    "dimensions are null": fact("dimensions", "3"),
    "a dimension lacks its kind": fact("dimensions", [{"name": "dropout"}]),
    "a name without UTF-8": fact(
        "dimensions",
        '[{"name": "\\u0000", "kind": "choice", "low": 0, "high": 1, "log": false, "choices": []}]',
    ),
    "choices are text": fact(
        "dimensions",
        [
            {
                "name": "dropout",
                "kind": "choice",
                "low": 0,
                "high": 1,
                "log": False,
                "choices": "ab",
                "condition": None,
            },
        ],
    ),
    "a range the wrong way": fact(
        "dimensions",
        [
            {
                "name": "dropout",
                "kind": "float",
                "low": 1,
                "high": 0,
                "log": True,
                "choices": [],
                "condition": None,
            },
        ],
    ),
    "a searched value of text": executed("""UPDATE trials SET searched = '{"dropout": "much"}'"""),
}
REPLAYED = {
    "the look is a number": fact("look", "3"),
    "the look is another word": fact("look", '"perhaps"'),
    "the look lacks metrics": fact("look", {"monitor": "val_accuracy"}),
    "the look has another direction": fact("look", {"metrics": {"a": "up"}, "monitor": None}),
    "an event of another kind": executed("UPDATE events SET kind = 'heard'"),
    "an event of text": executed("UPDATE events SET content = '\"a\"'"),
    "an event that is cut": executed("UPDATE events SET content = '{'"),
    "an event of a trial that is not there": executed("UPDATE events SET trial = 77"),
}


@pytest.mark.parametrize("damage", [*FILES.values(), *ROWS.values()], ids=[*FILES, *ROWS])
def test_a_damaged_record_is_named_by_whoever_loads_it(directory, damage):
    damage(directory / "sweep.sqlite")
    with refused(str(directory / "sweep.sqlite")):
        kexp.load_sweep(directory)


@pytest.mark.parametrize("damage", FILES.values(), ids=FILES)
def test_and_by_the_line_that_would_go_on_with_it(directory, damage):
    damage(directory / "sweep.sqlite")
    trials = {path: path.stat().st_mtime_ns for path in directory.glob("trials/*/*")}
    with refused(str(directory / "sweep.sqlite")):
        sweep_again(directory)
    assert {path: path.stat().st_mtime_ns for path in directory.glob("trials/*/*")} == trials
    assert not (directory / "logs").exists()


@pytest.mark.parametrize("damage", MORE.values(), ids=MORE)
def test_what_only_a_page_shows_is_checked_for_it(directory, damage):
    with closing(sqlite3.connect(directory / "sweep.sqlite")) as connection:
        (text,) = connection.execute("SELECT content FROM facts WHERE name = 'dimensions'").fetchone()
    names = [dimension["name"] for dimension in json.loads(text)]
    assert "dropout" in names
    damage(directory / "sweep.sqlite")
    found = kexp.load_sweep(directory)
    with refused(str(directory / "sweep.sqlite")):
        found.report()
    assert not (directory / "report.html").exists()


@pytest.mark.parametrize("damage", REPLAYED.values(), ids=REPLAYED)
def test_what_only_a_sweep_that_goes_on_needs_is_checked_for_it(directory, damage, monkeypatch):
    from kexp.sweep.executors.local import LocalExecutor

    monkeypatch.setattr(LocalExecutor, "__enter__", lambda executor: executor)  # no worker is started
    damage(directory / "sweep.sqlite")
    with refused(str(directory / "sweep.sqlite")):
        sweep_again(directory)


@pytest.mark.parametrize("act", [kexp.load_sweep, sweep_again], ids=["load", "go on"])
def test_a_record_that_another_process_holds_is_said_within_seconds(directory, act):
    executed("PRAGMA journal_mode=DELETE")(directory / "sweep.sqlite")
    with closing(sqlite3.connect(directory / "sweep.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started_s = time.monotonic()
        with refused(str(directory / "sweep.sqlite"), "is locked by another process"):
            act(directory)
        assert time.monotonic() - started_s < 5


@pytest.mark.parametrize("name", ["a b", "100%", "what?", "a#b", "ä"])
def test_a_sweep_may_lie_in_a_folder_of_any_name(directory, name):
    place = directory.rename(directory.with_name(name))
    assert len(kexp.load_sweep(place).trials) == len(kexp.load_sweep(OLD / "sweep_unfinished").trials)


def test_a_folder_without_a_record_is_no_sweep(directory):
    (directory / "sweep.sqlite").unlink()
    with refused(f"dir must be the folder of a sweep; {directory} holds no sweep.sqlite"):
        kexp.load_sweep(directory)


@pytest.mark.parametrize("recipe", ["os:getcwd", "no.such.module:net", "kexp.recipes:Path", "", ":", "os"])
def test_a_recipe_of_a_record_must_be_one(tmp_path, recipe):
    directory = copy_of(OLD / "sweep", tmp_path / "sweep")
    description(recipe=recipe)(directory / "sweep.sqlite")
    with refused(str(directory / "sweep.sqlite"), "recipe must be one that can be imported here"):
        kexp.load_sweep(directory).retrain(seeds=2, top=1, quiet=True)


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json"])
def test_a_damaged_file_of_a_trial_is_named_by_the_page_of_the_sweep(directory, name):
    replaced_by('{"epoch": "one"}\n')(directory / "trials" / "0000" / name)
    with refused(str(directory / "trials" / "0000" / name)):
        kexp.load_sweep(directory).report()


def test_the_best_trial_whose_folder_is_gone_is_said(tmp_path):
    directory = Path(shutil.copytree(OLD / "sweep", tmp_path / "sweep"))
    found = kexp.load_sweep(directory)
    folder = found.best.run_dir
    shutil.rmtree(folder)
    with refused(f"{folder} holds no run"):
        _ = found.best
