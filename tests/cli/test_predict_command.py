"""kexp predict reads rows of tables piece by piece, in several formats, and names what it cannot read."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kexp import recipes
from kexp.cli.app import main

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("iris")
    result = recipes.mlp_tabular(data="iris", epochs=2, hidden=(8,), run_dir=str(folder / "run"), quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kexp.export.export_pipeline.check_parity", lambda *arguments: None)
        return result.export(folder / "served")


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return pd.DataFrame(random.uniform(0, 7, (3000, 4)).round(2), columns=COLUMNS)


def called(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code, *capsys.readouterr()


def test_all_formats_answer_the_same_for_more_rows_than_a_piece_has(served, rows, tmp_path, capsys):
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_csv(tmp_path / "a.csv.gz", index=False)
    rows.to_parquet(tmp_path / "a.parquet")
    rows.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    answers = []
    for name, output in (
        ("a.csv", "b.csv"),
        ("a.csv.gz", "b.jsonl"),
        ("a.parquet", "c.csv"),
        ("a.jsonl", "b.parquet"),
    ):
        code, out, error = called(capsys, "predict", served, tmp_path / name, "--output", tmp_path / output)
        assert (code, out, error) == (0, "", "")
    answers = [
        pd.read_csv(tmp_path / "b.csv"),
        pd.read_json(tmp_path / "b.jsonl", orient="records", lines=True),
        pd.read_csv(tmp_path / "c.csv"),
        pd.read_parquet(tmp_path / "b.parquet"),
    ]
    assert len(answers[0]) == 3000
    for other in answers[1:]:
        assert other["label"].tolist() == answers[0]["label"].tolist()
        np.testing.assert_array_equal(
            other.iloc[:, 1:].astype("float32"), answers[0].iloc[:, 1:].astype("float32")
        )


def test_rows_that_cannot_be_read_are_named_and_left_out_where_that_is_asked_for(
    served, rows, tmp_path, capsys
):
    lines = rows.to_csv(index=False).splitlines()
    lines[3], lines[2500] = "much,1,1,1", "1,2,3,4,5"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    code, out, error = called(capsys, "predict", served, tmp_path / "a.csv")
    assert (code, out) == (2, "")
    assert "a.csv, row 3:" in error
    assert "'much'" in error
    whole = called(capsys, "predict", served, tmp_path / "a.csv", "--on-error", "skip")
    assert whole[0] == 0
    assert "a.csv: rows 3, 2,500 left out (the first: " in whole[2]
    assert whole[1].count("\n") == 2999
    rows.drop([2, 2499]).to_csv(tmp_path / "b.csv", index=False)
    other = called(capsys, "predict", served, tmp_path / "b.csv")[1]
    one, other = pd.read_csv(io.StringIO(whole[1])), pd.read_csv(io.StringIO(other))
    assert one["label"].tolist() == other["label"].tolist()
    np.testing.assert_allclose(one.iloc[:, 1:], other.iloc[:, 1:], atol=1e-6)


def test_json_lines_name_the_row_that_lacks_a_column(served, tmp_path, capsys):
    full = dict.fromkeys(COLUMNS, 1.0)
    objects = [json.dumps(full), "{", json.dumps({COLUMNS[0]: 1.0}), "[1]"]
    (tmp_path / "a.jsonl").write_text("\n".join(objects))
    code, out, error = called(
        capsys, "predict", served, tmp_path / "a.jsonl", "--on-error", "skip", "--format", "jsonl"
    )
    assert code == 0
    assert sorted(json.loads(out)) == ["label", "setosa", "versicolor", "virginica"]
    assert "rows 2, 3, 4 left out" in error


def test_the_standard_input_is_read_as_it_is_said_to_be(served, rows, run_kexp):
    text = rows.head(3).to_csv(index=False)
    done = run_kexp("predict", served, "-", "--input-format", "csv", input=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 4


def test_what_does_not_go_together_is_refused_before_anything_is_read(served, rows, tmp_path, capsys):
    rows.head(2).to_csv(tmp_path / "a.csv", index=False)
    rows.iloc[:2, 1:].to_csv(tmp_path / "b.csv", index=False)
    for arguments, wanted in (
        (["-"], "input_format must be csv or jsonl"),
        ([tmp_path / "a.csv", "--fromat", "csv"], "Unknown option: --fromat"),
        ([tmp_path / "a.csv", "--input-format", "csv"], "input_format must be left out"),
        ([tmp_path / "a.csv", "--format", "parquet"], "output must be a .parquet file"),
        ([tmp_path / "a.csv", "--output", tmp_path / "a.xls"], "output must be a .csv"),
        ([tmp_path / "b.csv", "--on-error", "skip"], "lack the columns 'sepal length (cm)'"),
    ):
        code, out, error = called(capsys, "predict", served, *arguments)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert wanted in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


# Of this program alone: the peak that getrusage knows is that of the process before it, too.
PEAK = """
import re, sys
from pathlib import Path
from kexp.cli.app import main
try:
    main(sys.argv[1:])
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux has it")
def test_a_large_file_takes_no_more_memory_than_a_small_one(served, rows, tmp_path):
    small = rows.to_csv(index=False, header=False)
    header = ",".join(COLUMNS) + "\n"
    (tmp_path / "small.csv").write_text(header + small)
    with open(tmp_path / "large.csv", "w") as file:
        file.write(header)
        for _ in range(250):  # 15 MB, which take 290 read whole
            file.write(small)
    peaks = []
    for name in ("small", "large"):
        command = [sys.executable, "-c", PEAK, "predict", served, tmp_path / f"{name}.csv", "--output"]
        done = subprocess.run(
            [*command, tmp_path / f"{name}.parquet"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    print(peaks)
    assert peaks[1] < peaks[0] + 30  # MB
