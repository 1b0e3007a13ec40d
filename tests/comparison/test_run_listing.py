"""Lists of runs: what is found in a folder, conditions, orders, the table and the page."""

import json
import shutil
import time

import pytest

import kexp


@pytest.fixture
def folder(digits_run, tmp_path):
    """Return a folder with a finished run, an interrupted one, and one whose result is cut."""
    for name in ("good", "deep/stopped", "broken"):
        shutil.copytree(digits_run, tmp_path / name)
    (tmp_path / "deep/stopped/result.json").unlink()
    (tmp_path / "broken/result.json").write_text("{")
    return tmp_path


def test_every_run_has_its_state_and_a_damaged_one_says_what_is_wrong(folder):
    rows = {row.name: row for row in kexp.runs(folder)}
    assert {name: row.state for name, row in rows.items()} == {
        "good": "finished",
        "deep/stopped": "interrupted",
        "broken": "damaged",
    }
    assert "result.json" in rows["broken"].problem
    (folder / "broken/config.json").unlink()
    (folder / "broken/config.json").symlink_to("nowhere")
    assert {row.name: row.state for row in kexp.runs(folder)}["broken"] == "damaged"
    assert rows["good"].epochs == rows["deep/stopped"].epochs == 2
    assert rows["good"].parameters > 1000
    assert rows["good"].value == rows["good"].metrics["val_accuracy"]


def test_a_run_that_another_process_trains_is_running(folder):
    import fcntl

    with open(folder / "deep/stopped/checkpoints/lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        states = {row.name: row.state for row in kexp.runs(folder)}
    assert states["deep/stopped"] == "running"


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("state=finished", ["good"]),
        ("val_accuracy>0.5 and epochs>=2", ["deep/stopped", "good"]),
        ("val_accuracy > 2", []),
        ("data=digits and recipe~MLP", ["broken", "deep/stopped", "good"]),
        ("parameters!=1", ["good"]),
        ("seed=0 and name='good'", ["good"]),
        ("optimizer<3", []),
    ],
)
def test_conditions_keep_those_runs_of_which_all_hold(folder, where, names):
    assert sorted(row.name for row in kexp.runs(folder, where=where)) == names


@pytest.mark.parametrize(
    "where",
    [
        *("__import__('os').getcwd()", "1<2", "val_accuracy>", ""),
        *("val_accuracy>0.1 or epochs=2", "epochs=2 OR epochs=1", "val_accuracy>0.1<0.9"),
    ],
)
def test_what_is_no_condition_is_refused_and_not_evaluated(folder, where):
    with pytest.raises(kexp.InputError, match="where must be conditions"):
        kexp.runs(folder, where=where)


def test_a_name_that_no_run_has_is_an_error_that_names_the_nearest(folder):
    with pytest.raises(kexp.InputError, match="val_accuracy"):
        kexp.runs(folder, where="val_acuracy>0.9")
    with pytest.raises(kexp.InputError, match="sort must"):
        kexp.runs(folder, sort="nothing")
    with pytest.raises(kexp.InputError, match="dir must be a folder"):
        kexp.runs(folder / "absent")


def test_runs_are_sorted_by_what_is_asked_for_and_those_without_it_come_last(folder):
    config = json.loads((folder / "deep/stopped/config.json").read_text())
    config["arguments"]["seed"] = 7
    (folder / "deep/stopped/config.json").write_text(json.dumps(config))
    assert next(iter(kexp.runs(folder, sort="-seed"))).name == "deep/stopped"
    assert next(iter(kexp.runs(folder, sort="seconds"))).name == "good"


def test_the_page_of_200_runs_is_small_escaped_and_made_in_two_seconds(folder, digits_run):
    for number in range(200):
        run = folder / "many" / f"run<{number}>"
        run.mkdir(parents=True)
        for name in ("config.json", "result.json", "metrics.jsonl"):
            shutil.copy(digits_run / name, run)
    (folder / "many/run<0>/report.html").write_text("")
    started_s = time.perf_counter()
    page = kexp.runs(folder / "many").report(folder / "runs.html")
    assert time.perf_counter() - started_s < 2
    text = page.read_text()
    assert len(text) < 1_000_000
    assert text.count("<tr>") == 201
    assert "run<0>" not in text
    assert 'href="many/run%3C0%3E/report.html"' in text


def test_the_command_lists_filters_and_writes_a_page(folder, run_kexp):
    done = run_kexp("runs", folder, "--where", "epochs=2", "--sort", "-val_accuracy")
    assert done.returncode == 0, done.stderr
    assert "interrupted" in done.stdout
    assert "2 of 3 runs" in done.stdout
    assert run_kexp("runs", folder, "--page", folder / "page.html").stdout.strip().endswith("page.html")
    wrong = run_kexp("runs", folder, "--where", "os.system")
    assert (wrong.returncode, wrong.stdout) == (2, "")
