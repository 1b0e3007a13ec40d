"""`kexp serve` as a process: it begins, follows a newer version, and ends with what it has begun."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = {"age (years)": 31, "town": "Graz"}


def serving(*arguments):
    """Return a server that answers, and its address."""
    command = [sys.executable, "-m", "kexp.cli", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate(timeout=60)[1])
    return process, line.split()[0]


def asked(address, body=None, timeout=60):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data), timeout=timeout) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_a_signal_has_it_finish_what_it_has_begun_and_it_starts_with_the_newest_whole_version(
    served_models, tmp_path
):
    folder = shutil.copytree(served_models / "homes", tmp_path / "homes")
    process, url = serving(folder, "--batch-ms", "1000")
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(asked(f"{url}v1/models/homes:predict", {"instances": [ROW]}))
    )
    asking.start()
    time.sleep(0.4)  # it waits for others, to be computed together
    assert not answers
    process.send_signal(signal.SIGTERM)
    asking.join(60)
    _, error = process.communicate(timeout=60)
    assert len(answers[0]["predictions"]) == 1
    assert process.returncode == 128 + signal.SIGTERM
    assert error == "kexp: homes is version 1\nkexp: interrupted.\n"
    shutil.copytree(folder / "1", folder / "2")
    shutil.copytree(folder / "1", folder / "3", ignore=shutil.ignore_patterns("variables.data*"))
    process, url = serving(folder)
    state = f"{url}v1/models/homes"
    assert asked(state)["model_version_status"][0]["version"] == "2"
    process.kill()
    process.communicate(timeout=60)
    data = next((folder / "1" / "variables").glob("variables.data*"))
    process, url = serving(folder)
    state = f"{url}v1/models/homes"
    shutil.copy(data, folder / "3" / "variables")
    end = time.monotonic() + 60
    while asked(state)["model_version_status"][0]["version"] != "3" and time.monotonic() < end:
        asked(f"{state}:predict", {"instances": [ROW]})
    assert asked(state)["model_version_status"][0]["version"] == "3"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT


def test_a_mistake_is_a_sentence_and_exit_code_2_before_anything_is_loaded(run_kexp, tmp_path, served_models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        digits = served_models / "digits"
        for arguments, words in (
            ([tmp_path], "must be the folder of an exported model"),
            ([digits, "--port", "70000"], "port must be"),
            ([digits, "--token", "a b"], "token must be"),
            ([digits, "--port", str(port)], "must be an address of this machine that is free"),
        ):
            done = run_kexp("serve", *arguments)
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert words in done.stderr
            assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_under_load_no_good_request_fails_no_bad_one_is_500_and_memory_stays(served_models):
    command = [sys.executable, ROOT / "tools" / "serve_load.py", served_models / "digits", "--seconds", "3"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrong: nothing" in done.stdout


@pytest.mark.slow
def test_an_export_has_a_dockerfile_beside_it_that_serves_it(digits_run, tmp_path, run_kexp):
    odd = run_kexp("export", digits_run, tmp_path / "a b", "--docker")
    assert odd.returncode == 2
    assert "directory must be named by" in odd.stderr
    done = run_kexp("export", digits_run, tmp_path / "digits", "--docker")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "digits.Dockerfile")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "digits.Dockerfile"]
    lines = (tmp_path / "digits.Dockerfile").read_text().splitlines()
    assert "COPY digits /models/digits" in lines
    command = json.loads(lines[-1].removeprefix("CMD "))
    assert command[:3] == ["kexp", "serve", "/models/digits"]
    asks = json.loads(next(line for line in lines if "HEALTHCHECK" in line).partition("CMD ")[2])[2]
    compile(asks, "healthcheck", "exec")
