"""Exports that are killed, and two at once into one folder, of which the versions stay whole.

    python tools/export_kills_proof.py [--kills 50] [--pairs 12] [--folder DIR] [--seed 0]

A process that exports a tiny network beside or over an earlier export, in one format or in all, gets SIGKILL
at a moment drawn at random from the time that an export takes. What is in the folder then has the checksums
that were recorded and answers as the old or the new network; the next export into it works, and clears what
was left. Then two processes export into one folder at the same time, new, beside an earlier version, or over
it. The exit code is 1 if a version is not whole, an export fails with more than a sentence, or something
stays behind.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kexp import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export import export_model, load_exported
from kexp.export.exporter import exporters
from kexp.tasks.predictions import Predictions

SPEC = DatasetSpec("array", (4,), "float32", "regression", 1)
SAMPLES = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
SAVED, ONNX, ALL = ("saved_model",), ("onnx",), ("saved_model", "onnx", "litert")
TURNS = (SAVED, ONNX, SAVED, ONNX, ALL)
REFUSED = 2
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tensorflow", "keras", "kexp.export", "tf2onnx"])


def export(place: Path, number: float, formats: Sequence[str], overwrite: bool) -> None:
    """Export a network that answers with one number, whatever it is asked."""
    import keras

    # Where Keras and TensorFlow write their notices.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    first = keras.layers.Dense(64, kernel_initializer="zeros")
    last = keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(number))
    model = keras.Sequential([keras.Input((4,)), first, last])
    expected = Predictions(values=np.full((8, 1), number, "float32"))
    options: dict[str, Any] = {"samples": SAMPLES, "expected": expected, "provenance": {"number": number}}
    try:
        export_model(model, SPEC, place, **options, formats=formats, overwrite=overwrite)
    except InputError as error:
        print(f"  refused: {error}", flush=True)
        sys.exit(REFUSED)


def numbers(place: Path) -> list[float]:
    """Return what each version in a folder answers, the highest last; all must be whole."""
    found = []
    for version in sorted(place.iterdir(), key=lambda path: int(path.name)):
        exported = load_exported(version)
        exported.manifest.check_files(version)
        number = exported.provenance["number"]
        for one in exporters().values():
            if (version / one.artifact).exists():
                answers = one.load(str(version))("serving_default", {"inputs": SAMPLES})
                np.testing.assert_allclose(answers["values"], number, atol=1e-5)
        found.append(number)
    return found


def kills(folder: Path, count: int, random: np.random.Generator) -> bool:
    """Kill exports at random moments, and say what they left."""
    left: Counter[str] = Counter()
    longest = {
        formats: _duration(folder / f"timed-{len(formats)}-{formats[0]}", formats)
        for formats in (SAVED, ONNX, ALL)
    }
    for formats, seconds in longest.items():
        print(f"an export of {', '.join(formats)}: {seconds:.2f} s", flush=True)
    faults = done = 0
    for kill in itertools.count():
        if done == count:
            break
        formats, overwrite = TURNS[kill % 5], kill % 2 == 0
        place = folder / str(kill) / "served"
        shutil.copytree(folder / "old", place)
        process = PROCESSES.Process(target=export, args=(place, 2.0, formats, overwrite))
        process.start()
        moment_s = float(random.uniform(0, 1.05 * longest[formats]))
        process.join(moment_s)
        assert process.pid is not None
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed = process.exitcode == -signal.SIGKILL
        done += killed  # one that had ended before does not count
        try:
            found = numbers(place)
            hidden = [path.name for path in place.parent.iterdir() if path.name != "served"]
            assert found in ([1.0], [1.0, 2.0], [2.0]), found
            _run(place, 3.0, ONNX, True)
            assert numbers(place) == [3.0]
            assert [path.name for path in place.parent.iterdir()] == ["served"]
        except Exception as error:  # whatever it is, it is the figure
            faults += 1
            print(f"  fault after {moment_s:.3f} s: {type(error).__name__}: {error}", flush=True)
            continue
        kind = "new" if found[-1] == 2.0 else "old"
        print(f"  kill {kill + 1} after {moment_s:.2f} s: {kind}", flush=True)
        left[f"{'killed' if killed else 'ended'}, {kind} version, {len(hidden)} hidden folder(s)"] += 1
    for what, times in sorted(left.items()):
        print(f"  {times:3} {what}", flush=True)
    print(
        f"{count} kills, {faults} faults: the others left a whole export that the next one replaced",
        flush=True,
    )
    return faults == 0


def pairs(folder: Path, count: int, random: np.random.Generator) -> bool:
    """Export twice at once into one folder, and say what came of it."""
    faults = 0
    outcomes: Counter[str] = Counter()
    for pair in range(count):
        place, begun, overwrite = folder / f"pair-{pair}" / "a" / "served", pair % 3 > 0, pair % 3 == 2
        if begun:
            shutil.copytree(folder / "old", place)
        both = [
            PROCESSES.Process(target=export, args=(place, number, ONNX, overwrite)) for number in (2.0, 3.0)
        ]
        for process in both:
            process.start()
            time.sleep(float(random.uniform(0, 0.1)))
        for process in both:
            process.join()
        codes = sorted(process.exitcode for process in both)
        try:
            assert set(codes) <= {0, REFUSED}, codes
            found = numbers(place)
            assert [path.name for path in place.parent.iterdir()] == ["served"]
            assert len(found) >= 1 if overwrite else len(found) == begun + codes.count(0), found
        except Exception as error:  # whatever it is, it is the figure
            faults += 1
            print(f"  fault: {type(error).__name__}: {error}", flush=True)
            continue
        begins = ("into a new folder", "beside version 1", "over version 1")[pair % 3]
        outcomes[f"{begins}: {codes.count(0)} exported, {len(found)} versions"] += 1
    for what, times in sorted(outcomes.items()):
        print(f"  {times:3} {what}", flush=True)
    print(f"{count} pairs: {count - faults} left whole versions alone", flush=True)
    return faults == 0


def _run(place: Path, number: float, formats: Sequence[str], overwrite: bool) -> None:
    process = PROCESSES.Process(target=export, args=(place, number, formats, overwrite))
    process.start()
    process.join()
    assert process.exitcode == 0, f"an export ended with {process.exitcode}"


def _duration(place: Path, formats: Sequence[str]) -> float:
    started_s = time.perf_counter()
    _run(place, 2.0, formats, False)
    return time.perf_counter() - started_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    random = np.random.default_rng(asked.seed)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        _run(Path(folder) / "old", 1.0, SAVED, False)
        holds = kills(Path(folder), asked.kills, random) if asked.kills else True
        holds &= pairs(Path(folder), asked.pairs, random) if asked.pairs else True
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
