"""`kexp watch`: a page on loopback that is of now, and the same on the terminal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from kexp import recipes, sweep
from kexp.cli.page_server import PageServer
from kexp.cli.watched_folder import page_of, version_of
from tests.forked_python import forked
from tests.pseudo_terminal import read_to_the_end
from tests.sweep.in_process import in_process
from tests.sweep.planted_sweeps import until

ROOT = Path(__file__).resolve().parents[2]


def watching(folder, *options, **streams):
    command = [sys.executable, "-m", "kexp.cli", "watch", str(folder), *options]
    return forked.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, **streams)


def asked(url, host=None, method="GET"):
    """Return status, headers and text of an answer."""
    request = urllib.request.Request(url, headers={} if host is None else {"Host": host}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


@pytest.fixture
def under_way(digits_run, tmp_path):
    """Return the folder of a run that stands after the first of its two epochs, with the lines of both."""
    folder = tmp_path / "run"
    shutil.copytree(digits_run, folder, ignore=shutil.ignore_patterns("result.json"))
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0])
    return folder, lines


def test_the_page_of_a_run_is_of_now_from_before_its_first_epoch_to_its_end(digits_run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    process = watching(folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    url = process.stdout.readline().split()[0]
    _, _, empty = asked(url)
    assert "nothing is written yet" in empty
    shutil.copy(digits_run / "config.json", folder)
    lines = (digits_run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0] + lines[1][:9])  # which is being written
    _, _, begun = asked(url)
    assert "not finished: 1 of 2 epochs" in begun
    assert begun.count("<svg") == 2  # loss and accuracy
    assert f'content="{asked(url + "version")[2]}"' in begun
    (folder / "metrics.jsonl").write_text("".join(lines))
    assert f'content="{asked(url + "version")[2]}"' not in begun
    shutil.copy(digits_run / "result.json", folder)
    _, headers, ended = asked(url)
    assert "finished after 2 of 2 epochs" in ended
    assert "test_accuracy" in ended
    assert headers["Cache-Control"] == "no-store"
    until(lambda: process.stdout.readline().startswith("run of mlp_images, finished"))
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "kexp: interrupted.\n")


def test_a_browser_without_scripts_loads_the_page_anew_and_one_with_scripts_runs_this_one_alone(under_way):
    page = page_of(under_way[0], "v1")
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page
    assert page.count("<script>") == 1
    assert "connect-src 'self'; script-src 'sha256-" in page
    assert "default-src 'none'" in page


def test_nobody_else_is_answered_and_nothing_but_the_page(under_way):
    folder, _ = under_way
    with PageServer(0, lambda: version_of(folder), lambda version: page_of(folder, version)) as server:
        server.start()
        assert server.server_address[0] == "127.0.0.1"
        assert asked(server.url, host=f"localhost:{server.port}")[0] == 200
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1"):  # the last lacks the port
            status, _, text = asked(server.url, host=host)
            assert (status, "Run of" in text) == (403, False)
        for path in ("config.json", "../run/config.json", "%2e%2e/run/config.json", "?x"):
            assert asked(server.url + path)[0] == 404
        assert asked(server.url, method="POST")[0] == 501
        assert asked(server.url, method="HEAD")[2] == ""


def test_a_damaged_file_is_said_on_the_page_until_it_is_whole_again(under_way):
    folder, lines = under_way
    (folder / "metrics.jsonl").write_text("<script>\n")
    page = page_of(folder, version_of(folder))
    assert "metrics.jsonl" in page
    assert page.count("<script>") == 1  # its own
    (folder / "metrics.jsonl").write_text("".join(lines))
    assert "2 of 2 epochs" in page_of(folder, version_of(folder))


def test_names_with_markup_quotes_and_marks_of_direction_are_text(under_way, run_kexp):
    folder, lines = under_way
    odd = "<script>alert('\u202e\")</script>"
    config = json.loads((folder / "config.json").read_text())
    config["arguments"][odd] = config["recipe"] = odd
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text(json.dumps({**json.loads(lines[0]), f"iou_{odd}": 0.5}) + "\n")
    page = page_of(folder, version_of(folder))
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") > 3
    lines = run_kexp("watch", folder, "--once").stdout
    assert "\u202e" not in lines
    assert "\\u202e" in lines


def test_once_prints_how_it_stands_and_quiet_nothing(under_way, run_kexp):
    folder, _ = under_way
    done = run_kexp("watch", folder, "--once")
    title, epoch = done.stdout.splitlines()
    assert title.startswith("run of mlp_images, not finished: 1 of 2 epochs")
    assert epoch.startswith("epoch 1  loss ")
    assert run_kexp("watch", folder, "--once", "--quiet").stdout == ""


def test_a_terminal_shows_the_last_epochs_below_a_bar(under_way):
    ours, theirs = os.openpty()
    process = watching(under_way[0], stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    text = b""
    while b"1 of 2 epochs" not in text or b"loss" not in text:
        text += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    read_to_the_end(ours)
    assert process.wait(60) == 130


def test_a_sweep_is_watched_as_its_trials_end(tmp_path, monkeypatch, run_kexp):
    in_process(monkeypatch, recipes.mlp_tabular)
    line = {"data": "iris", "epochs": 1, "hidden": (16,), "dir": tmp_path / "sweep", "quiet": True}
    sweep(recipes.mlp_tabular, trials=1, **line)
    before = version_of(tmp_path / "sweep")
    assert version_of(tmp_path / "sweep") == before
    sweep(recipes.mlp_tabular, trials=2, **line)
    assert version_of(tmp_path / "sweep") != before
    assert "2: 2 completed" in page_of(tmp_path / "sweep", "v1")
    title, *trials = run_kexp("watch", tmp_path / "sweep", "--once").stdout.splitlines()
    assert title.endswith("2 of 2 have ended")
    assert [one.partition("  ")[0] for one in trials] == ["trial 0", "trial 1"]


def test_what_cannot_be_watched_and_a_port_that_is_taken_are_one_sentence(under_way, run_kexp):
    folder, _ = under_way
    wrong = run_kexp("watch", ROOT, "--once")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "directory must be the folder of a run, a sweep or a cross-validation" in wrong.stderr
    with PageServer(0, lambda: "", lambda version: "") as server:
        server.start()
        taken = run_kexp("watch", folder, "--port", server.port)
    assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)
    assert f"port must be one that is free; {server.port} is not" in taken.stderr
