"""Damaged files: each format that kexp reads is damaged at random and read, for as long as one likes.

    python tools/fuzz.py --minutes 20
    python tools/fuzz.py --minutes 3 --formats npz,csv.gz --seed 7 --keep found

What is read must be refused by an InputError of one sentence, or be read. Anything else is a fault: another
exception, a process that dies, more than 5 s of CPU, more than 1 GB beyond what the process had. The smallest
file for each fault is kept in the folder of --keep. Exit code 1 if there was any.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from fuzz_mutations import damaged  # noqa: E402
from fuzz_samples import FORMATS  # noqa: E402

CPU_S, WALL_S, WARM_UP_S = 5.0, 20.0, 180.0  # others may have the processors meanwhile
MOST_BYTES = 10**9  # beyond what the process had before the file
BUDGET = 2 * 10**8  # KEXP_MAX_BYTES, so that what is announced is refused before that
FORK = multiprocessing.get_context("fork")


@dataclass
class Tally:
    """What happened to the files of one format."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Path] = field(default_factory=dict)
    peak_bytes: int = 0
    slowest_s: float = 0.0


class Reader:
    """A process that reads one file after another, replaced when it dies, hangs or grows too large."""

    def __init__(self, name: str, valid: Path) -> None:
        self._name, self._valid = name, valid
        self._start()

    def _start(self) -> None:
        self._pipe, other = FORK.Pipe()
        self._process = FORK.Process(target=_serve, args=(self._name, other), daemon=True)
        self._process.start()
        other.close()
        self._pipe.send(str(self._valid))  # what has to be imported is imported, once
        outcome = self._answer(WARM_UP_S, WARM_UP_S, 4 * MOST_BYTES)
        if outcome[0] != "read":
            raise SystemExit(f"{self._name}: the valid file is not read ({outcome[1]})")

    def read(self, path: Path) -> tuple[str, str, int, float]:
        """Return what became of a file, why, the bytes it took and the seconds of CPU."""
        self._pipe.send(str(path))
        outcome = self._answer(CPU_S, WALL_S, MOST_BYTES)
        if outcome[0] in ("died", "hang", "memory"):
            self.stop()
            self._start()
        return outcome

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _answer(self, cpu_s: float, wall_s: float, most: int) -> tuple[str, str, int, float]:
        watched, began = psutil.Process(self._process.pid), time.monotonic()
        cpu, base = _cpu_s(watched), watched.memory_info().rss
        while not self._pipe.poll(0.05):
            try:
                used, grown = _cpu_s(watched) - cpu, watched.memory_info().rss - base
            except psutil.Error:
                return "died", "the process is gone", 0, 0.0
            if grown > most:
                return "memory", f"{grown / 1e9:.1f} GB", grown, used
            if used > cpu_s or time.monotonic() - began > wall_s:
                return "hang", f"{used:.1f} s of CPU, {time.monotonic() - began:.0f} s in all", grown, used
        try:
            outcome, said, peak = self._pipe.recv()
            return outcome, said, peak, _cpu_s(watched) - cpu
        except (EOFError, ConnectionError, psutil.Error):
            return "died", "the process is gone", 0, 0.0


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _serve(name: str, pipe: Connection) -> None:
    """Read what the pipe names, for ever."""
    os.environ.update(KEXP_MAX_BYTES=str(BUDGET), TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    _be_quiet()
    warnings.simplefilter("ignore")
    while True:
        with contextlib.suppress(EOFError):
            path = Path(pipe.recv())
            base = _restart_peak()
            outcome, said = _read(name, path)
            pipe.send((outcome, said, max(_peak() - base, 0)))
            continue
        return


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _write_quietly(name: str, folder: Path) -> None:
    _be_quiet()
    FORMATS[name].write(folder)


def _read(name: str, path: Path) -> tuple[str, str]:
    from kexp.core.errors import InputError

    try:
        FORMATS[name].read(path)
    except InputError as error:
        said = str(error)
        said.encode()
        fits = said.endswith(".") and "\n" not in said and len(said) < 1000
        return ("refused" if fits else "unclear", said)
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "/kexp/" in frame.filename] or frames
        where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "nowhere"
        return "exception", f"{type(error).__name__} at {where}: {str(error)[:150]!r}"
    return "read", ""


def _restart_peak() -> int:
    """Forget the highest memory that this process had, and return what it has."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def fuzz(name: str, seconds: float, draw: random.Random, keep: Path) -> Tally:
    """Damage and read files of one format until the time is over."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="kexp-fuzz-") as place:
        valid, work = Path(place, "valid"), Path(place, "work")
        valid.mkdir()
        work.mkdir()
        writer = FORK.Process(target=_write_quietly, args=(name, valid))
        writer.start()
        writer.join()
        seeds = sorted(valid.iterdir())
        reader = Reader(name, seeds[0])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            path = _damaged_copy(draw.choice(seeds), work, draw)
            outcome, said, peak, used = reader.read(path)
            tally.counts[outcome] += 1
            tally.peak_bytes, tally.slowest_s = max(tally.peak_bytes, peak), max(tally.slowest_s, used)
            if outcome not in ("refused", "read"):
                _keep(path, f"{outcome}: {said}", tally.faults, keep / name)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        reader.stop()
    return tally


def _damaged_copy(seed: Path, work: Path, draw: random.Random) -> Path:
    path = work / seed.name
    if seed.is_file():
        path.write_bytes(damaged(seed.read_bytes(), seed.name, draw))
        return path
    shutil.copytree(seed, path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    chosen = draw.choice(files)
    kind = draw.random()
    if kind < 0.9:
        content = chosen.read_bytes()
        changed = damaged(content, chosen.name, draw)
        chosen.write_bytes(changed)
        if kind < 0.5:  # with the checksum of it put right, wherever it stands
            _replace_in_json(files, *(hashlib.sha256(held).hexdigest() for held in (content, changed)))
    else:
        chosen.unlink()
        if kind > 0.95:
            chosen.mkdir()
    return path


def _replace_in_json(files: list[Path], old: str, new: str) -> None:
    for file in files:
        if file.suffix == ".json":
            file.write_bytes(file.read_bytes().replace(old.encode(), new.encode()))


def _keep(path: Path, fault: str, faults: dict[str, Path], folder: Path) -> None:
    """Keep the smallest example of each fault, with what it gives beside it."""
    known = faults.get(_without_values(fault))
    if known and (path.is_dir() or known.stat().st_size <= path.stat().st_size):
        return
    folder.mkdir(parents=True, exist_ok=True)
    target = known or folder / f"{len(faults):03d}-{path.name}"
    if target.is_dir():  # of an earlier call
        shutil.rmtree(target)
    shutil.copytree(path, target) if path.is_dir() else shutil.copyfile(path, target)
    target.with_name(f"{target.name}.fault").write_text(fault, "utf-8", "backslashreplace")
    faults[_without_values(fault)] = target


def _without_values(fault: str) -> str:
    return fault[:60] if fault.startswith("unclear") else ": ".join(fault.split(": ")[:2])


def main() -> None:
    """Fuzz what was asked for, print a table, and exit with 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", default=",".join(FORMATS), help="names, separated by commas")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    arguments = parser.parse_args()
    names = arguments.formats.split(",")
    warnings.simplefilter("ignore")  # of what is written damaged
    print(f"{'format':12}{'files':>8}{'refused':>9}{'read':>8}{'other':>7}{'hangs':>7}{'MB':>7}{'s':>6}")
    wrong = 0
    for name in names:
        draw = random.Random(f"{arguments.seed} {name}")
        tally = fuzz(name, arguments.minutes * 60 / len(names), draw, arguments.keep)
        counts: Any = tally.counts
        other = counts["exception"] + counts["died"] + counts["unclear"] + counts["memory"]
        wrong += other + counts["hang"]
        print(
            f"{name:12}{counts.total():8,}{counts['refused']:9,}{counts['read']:8,}{other:7,}"
            f"{counts['hang']:7,}{tally.peak_bytes / 1e6:7.0f}{tally.slowest_s:6.1f}",
            flush=True,
        )
        for fault, example in tally.faults.items():
            print(f"    {fault}  ({example})", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
