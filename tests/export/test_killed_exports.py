"""Exports that are killed, and two at once: whole versions alone are in the folder."""

from __future__ import annotations

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kexp.export import load_exported
from kexp.export.staging import staged
from tests.export.test_staging import names, write_export
from tests.forked_python import forked

ROOT = Path(__file__).parents[2]
EXPORT = """
import sys, time
import keras, numpy as np
from kexp import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export import export_model
from kexp.tasks.predictions import Predictions

number = float(sys.argv[2])
last = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(number))
model = keras.Sequential([keras.Input((4,)), last])
spec = DatasetSpec("array", (4,), "float32", "regression", 1)
expected = Predictions(values=np.full((8, 1), number, "float32"))
given = {"samples": np.ones((8, 4), "float32"), "expected": expected, "provenance": {"number": number}}
started_s = time.perf_counter()
print("begun", flush=True)
try:
    export_model(model, spec, sys.argv[1], **given, formats="litert", overwrite=len(sys.argv) > 3)
except InputError as error:
    sys.exit(str(error))
print(time.perf_counter() - started_s)
"""
# What three processes do at once, without a network: a version in thirty, and every third one over all.
HAMMER = """
import json, pathlib, sys
from kexp import InputError
from kexp.export.staging import staged
from tests.export.test_staging import write_export

who, found = int(sys.argv[2]), []
for turn in range(30):
    try:
        with staged(pathlib.Path(sys.argv[1]), overwrite=turn % 3 == who) as folder:
            write_export(folder, f"{who} {turn}")
        found.append("done")
    except InputError as error:
        found.append(str(error))
print(json.dumps(found))
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return forked.Popen(  # type: ignore[no-any-return]
        [sys.executable, "-c", script, *map(str, arguments)], env=environment, text=True, **pipes
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate()
    return process.returncode, out, errors


def numbers(place: Path) -> list[float]:
    """What the versions answer, the highest last, once their checksums are compared."""
    versions = [load_exported(place / name) for name in sorted(names(place), key=int)]
    answers = [float(one.predict([[1.0, 1.0, 1.0, 1.0]]).values[0, 0]) for one in versions]
    assert answers == [one.provenance["number"] for one in versions]
    return answers


@pytest.mark.slow
def test_an_export_that_is_killed_leaves_the_old_version_or_the_new_one_and_the_next_works(tmp_path):
    old = tmp_path / "old"
    code, out, errors = ended(start(EXPORT, old, 1))
    assert code == 0, errors
    duration_s = float(out.split()[1])
    moments = random.Random(7)
    outcomes = []
    for kill in range(4):
        place = tmp_path / str(kill) / "served"
        shutil.copytree(old, place)
        process = start(EXPORT, place, 2, *["over"] * (kill % 2))
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep((kill + moments.random()) / 4 * duration_s)
        process.send_signal(signal.SIGKILL)
        outcomes.append(ended(process)[0])
        assert numbers(place) in ([1.0], [1.0, 2.0], [2.0])
        with staged(place, overwrite=True) as folder:  # clears what was left, and replaces all
            shutil.copytree(old / "1", folder / "1")
        assert names(place.parent) == ["served"]
        assert numbers(place) == [1.0]
    assert outcomes.count(-signal.SIGKILL) >= 2
    assert ended(start(EXPORT, place, 3, "over"))[0] == 0
    assert numbers(place) == [3.0]


def test_two_exports_at_once_come_to_two_versions(tmp_path):
    place = tmp_path / "a" / "served"
    both = [start(EXPORT, place, number) for number in (1, 2)]
    assert [ended(process)[0] for process in both] == [0, 0]
    assert sorted(numbers(place)) == [1.0, 2.0]
    assert names(place.parent) == ["served"]


def test_of_many_versions_put_and_replaced_at_once_none_is_lost_or_half_there(tmp_path):
    place = tmp_path / "a" / "served"
    found: collections.Counter[Any] = collections.Counter()
    for process in [start(HAMMER, place, who) for who in range(3)]:
        code, out, errors = ended(process)
        assert code == 0, errors
        found.update(json.loads(out))
    assert found == {"done": 90}
    write_export(tmp_path / "whole")
    whole = sorted(path.name for path in (tmp_path / "whole" / "1").rglob("*"))
    for version in place.iterdir():
        assert sorted(path.name for path in version.rglob("*")) == whole
    assert max(int(name) for name in names(place)) == 90
    assert names(place.parent) == ["served"]
