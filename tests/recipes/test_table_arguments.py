"""Every recipe that reads tables takes the arguments of tables, which are written once."""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import TrainOptions, Unpack, recipes
from kexp.core.call_signatures import argument_docs
from kexp.core.errors import InputError
from kexp.data import TableArguments
from kexp.run.context import capture_training

TABLES = ("autoencoder_anomaly", "mlp_tabular")
TEXTS = ("lstm_text", "seq2seq", "transformer_text")


@pytest.fixture
def letters(tmp_path):
    """A file of an office: semicolons, Latin letters, four letters by each writer, the latest first."""
    rows = [(f"né {word}", "up" if row % 2 else "down", f"w{row // 4}", 40 - row) for row, word in WORDS]
    table = pd.DataFrame(rows, columns=["text", "label", "writer", "day"])
    path = tmp_path / "letters.csv"
    table.to_csv(path, sep=";", encoding="latin-1", index=False)
    return path


WORDS = list(enumerate(["ab", "cd", "ef", "gh", "ij"] * 8))
OFFICE = {"text": "text", "target": "label", "separator": ";", "encoding": "latin-1"}


def data_of(name, **arguments):
    """Return the data that a recipe would train on."""
    return capture_training(lambda setup: setup.raw, getattr(recipes, name), **arguments)


@pytest.mark.parametrize("name", [*TABLES, *TEXTS])
def test_a_recipe_has_every_argument_of_tables_unless_it_has_its_own(name):
    parameters = inspect.signature(getattr(recipes, name)).parameters
    assert set(TableArguments.__annotations__) <= set(parameters)
    assert "table" not in parameters
    texts = argument_docs(getattr(recipes, name))
    assert texts["group"].startswith("Column that says what a row belongs to")
    is_own = "token" in texts.get("split", "")
    assert is_own == (name in ("lstm_text", "transformer_text"))
    assert (parameters["split"].default == "character") == is_own


@pytest.mark.parametrize("name", TEXTS)
def test_a_recipe_of_texts_reads_a_table_as_it_is_written_and_divides_it_by_groups(name, letters):
    data = data_of(name, data=str(letters), group="writer", **OFFICE)
    assert data.train.inputs[0].startswith("né ")
    assert any("no group of 'writer' is in two parts" in note for note in data.notes)
    latest = data_of(name, data=str(letters), time="day", **OFFICE)
    assert any("the parts follow each other by 'day'" in note for note in latest.notes)
    assert set(latest.test.inputs) == {f"né {word}" for _, word in WORDS[:8]}


def test_anomalies_are_told_by_a_table_as_it_is_written_with_weights(tmp_path):
    rng = np.random.default_rng(0)
    size = rng.normal(3, 1, 60).round(3)
    table = pd.DataFrame({"size": [f"{one:.3f}".replace(".", ",") for one in size], "count": rng.random(60)})
    table = table.assign(kind=np.tile(["good", "good", "bad"], 20), batch=np.arange(60) // 5, w=2.5)
    table.to_csv(tmp_path / "parts.csv", sep="|", index=False)
    data = data_of(
        "autoencoder_anomaly",
        data=str(tmp_path / "parts.csv"),
        target="kind",
        normal="good",
        group="batch",
        weight="w",
        decimal=",",
    )
    assert [one.name for one in data.spec.columns] == ["size", "count"]
    assert set(data.train.inputs["size"]) <= set(size.astype(np.float32))
    for part in (data.train, data.validation, data.test):
        assert part.sample_weight.tolist() == [2.5] * len(part)


def test_a_forecast_is_of_several_series_in_the_order_of_a_column():
    day = np.arange(80)
    table = pd.concat(
        [pd.DataFrame({"day": day, "sold": day + 100.0 * shop, "shop": shop}) for shop in (1, 2)]
    )
    shuffled = table.sample(frac=1, random_state=0)
    data = data_of(
        "lstm_forecast", data=shuffled, column="sold", time="day", series="shop", history=11, test=10
    )
    whole = np.concatenate([data.train.inputs[..., 0], data.train.targets], axis=1)
    assert (np.diff(whole, axis=1) == 1).all()


@kexp.recipe(epochs=1)
def named(data: str = "iris", *, table: TableArguments, gap: int = 3, **train: Unpack[TrainOptions]):
    """Name what it was given.

    Args:
        data: Any.
        table: Any.
        gap: Between the teeth.
        **train: Training options.
    """
    return {"gap": gap, **table}


def test_a_group_of_arguments_is_a_mapping_in_the_recipe_and_flat_outside(tmp_path):
    given = named(missing=["?"], header=False, run_dir=str(tmp_path / "run"))
    assert given["missing"] == ("?",)
    assert (given["header"], given["gap"], given["group"]) == (False, 3, None)
    assert set(given) == set(TableArguments.__annotations__)
    for arguments, words in (
        ({"table": {}}, "named has no argument table"),
        ({"grup": "a"}, r"named has no argument grup \(did you mean 'group'"),
        ({"header": "yes"}, "header must be True or False, or None; received 'yes'"),
        ({"split": "time"}, "split='time': expected the column time="),
        ({"encoding": "latin-9000"}, "encoding='latin-9000': expected the name of an encoding"),
        ({"columns": ("zip=categori",)}, r"such as zip=category; received 'categori' \(did you mean"),
    ):
        with pytest.raises(InputError, match=words):
            named(**arguments)


def test_a_bad_value_on_the_command_line_is_refused_before_tensorflow_is_imported(tmp_path):
    code = """if True:
        import json, sys
        from kexp.cli.app import main
        for line in json.loads(sys.argv[1]):
            try:
                main(line)
            except SystemExit as ended:
                assert ended.code == 2, ended.code
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    lines = [
        ["run", "lstm_text", "--decimal", ";"],
        ["run", "seq2seq", "--encoding", "latin-9000"],
        ["run", "transformer_text", "--gap", "3"],
        ["run", "autoencoder_anomaly", "--columns", "zip=categori"],
        ["run", "mlp_tabular", "--split", "time", "--missing", "?", "NA", "--no-header"],
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(lines)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[2].split(":")[0].strip() for line in done.stderr.splitlines()] == [
        "decimal must be one of '.', ',', or None; received ';'.",
        "encoding='latin-9000'",
        "gap=3.0",
        "columns=('zip=categori',)",
        "split='time'",
    ]
