"""Tables of which each is a part are read in one way, the training table's, and compared with it."""

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data import check_source, load
from kexp.data.memory_content import Content
from kexp.data.memory_files import keep, read_kept
from kexp.data.memory_forms import form_of


def visits(rows, seed=0, start="2024-01-13", first=0):
    """Return visits whose dates are written day first, with a decimal comma in the price."""
    rng = np.random.default_rng(seed)
    price = rng.normal(40, 9, rows).round(2)
    return pd.DataFrame(
        {
            "age": rng.integers(20, 80, rows) + 0.5,
            "price": [f"{one:.2f}".replace(".", ",") for one in price],
            "town": rng.choice(["Bonn", "Graz"], rows),
            "when": pd.date_range(start, periods=rows).strftime("%d/%m/%Y"),
            "patient": [f"P{first + row // 4}" for row in range(rows)],
            "sick": np.tile(["y", "n"], rows)[:rows],
        }
    )


@pytest.fixture
def tables():
    return {"train": visits(60), "test": visits(12, 1, "2024-06-01", first=100)}


@pytest.fixture
def folder(tables, tmp_path):
    path = tmp_path / "clinic"
    path.mkdir()
    for part, table in tables.items():
        table.to_csv(path / f"{part}.csv", index=False)
    return path


def test_a_folder_of_tables_gives_what_a_pair_and_a_mapping_of_dataframes_give(folder, tables):
    data = load(folder, target="sick")
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 6, 12)
    assert data.name == "clinic"
    np.testing.assert_array_equal(data.test.inputs["age"], tables["test"]["age"].astype(np.float32))
    for given in (
        (tables["train"], tables["test"]),
        [tables["train"], folder / "test.csv"],
        (tables["train"], str(folder / "test.csv")),
        {"training": str(folder / "train.csv"), "testing": tables["test"]},
    ):
        check_source(given)
        assert load(given, target="sick").fingerprint == data.fingerprint


@pytest.mark.parametrize("name", ["valid", "val", "validation", "dev", "Validation"])
def test_an_own_validation_part_is_validated_on_or_trained_on(name, folder, tables):
    table = visits(8, 2)
    table.to_parquet(folder / f"{name}.parquet")
    data = load(folder, target="sick")
    assert data.validation.inputs["age"].tolist() == table["age"].tolist()
    whole = load(folder, target="sick", validation=0)
    assert whole.validation is None
    assert whole.train.inputs["age"].tolist() == [*tables["train"]["age"], *table["age"]]
    assert whole.fingerprint == data.fingerprint


def test_compressed_tables_in_another_order_of_columns_and_with_another_separator_are_the_same(
    folder, tables
):
    before = load(folder, target="sick").fingerprint
    (folder / "test.csv").unlink()
    content = tables["test"].iloc[:, ::-1].to_csv(index=False, sep=";")
    (folder / "test.csv.gz").write_bytes(gzip.compress(content.encode()))
    data = load(folder, target="sick")
    assert data.fingerprint == before
    assert "columns are separated by ';'." in data.notes


def test_numbers_dates_and_codes_of_all_parts_are_read_as_the_training_table_writes_them(folder, tables):
    # Alone, each of these would be read otherwise: as 1.5, as the 2nd of January, as the number 7.
    train = tables["train"].assign(code=["007", "x9"] * 30)
    test = tables["test"].assign(price="1.500", when="01/02/2024", code="7")
    for part, table in (("train", train), ("test", test)):
        table.to_csv(folder / f"{part}.csv", index=False)
    data = load(folder, target="sick", time="when", columns={"code": "category"})
    assert data.test.inputs["price"][0] == 1500
    assert data.test.inputs["code"][0] == "7"
    assert next(one for one in data.spec.columns if one.name == "when").date_format == "%d/%m/%Y"
    assert "12 of the 12 rows of the test part are older by 'when'" in data.notes[-1]


def test_categories_and_kinds_are_those_of_the_training_table(tables):
    test = tables["test"].assign(town="Ulm", age=range(12))
    data = load((tables["train"], test), target="sick")
    town = next(one for one in data.spec.columns if one.name == "town")
    assert town.categories == ("Bonn", "Graz")
    assert data.test.inputs["age"].dtype == np.float32
    assert data.test.inputs["town"].tolist() == ["Ulm"] * 12


def test_targets_are_of_the_kind_of_the_training_table(tables):
    whole = np.tile(np.arange(15), 4)
    train = tables["train"].assign(y=whole).drop(columns="sick")
    test = tables["test"].assign(y=np.arange(12.0)).drop(columns="sick")
    data = load((train, test), target="y")
    assert (data.spec.task, data.spec.outputs) == ("classification", 15)
    assert [data.spec.class_names[index] for index in data.test.targets] == [*map(str, range(12))]
    numbers = load((train.assign(y=whole / 7), test), target="y")
    assert numbers.spec.task == "regression"
    assert numbers.test.targets.ravel().tolist() == [*range(12)]


def test_a_group_validates_on_whole_groups_and_says_which_are_in_the_own_test_part(tables):
    train = tables["train"].assign(row=np.arange(60) / 8)
    test = pd.concat([tables["test"].assign(row=99.5), train.iloc[:6]])
    data = load((train, test), target="sick", group="patient", validation=0.2)
    held, kept = ({int(row * 8) // 4 for row in part.inputs["row"]} for part in (data.validation, data.train))
    assert held
    assert not held & kept
    assert len(data.train) + len(data.validation) == 60
    assert "groups of the training table by 'patient' are the validation part" in data.notes[-2]
    assert data.notes[-1] == (
        "2 of the 5 groups of 'patient' in the test part, with 6 of its 18 rows, are in the train part too, "
        "such as 'P0'."
    )


def test_time_validates_on_the_latest_rows_of_the_training_table(tables):
    shuffled = tables["train"].sample(frac=1, random_state=0)
    data = load((shuffled, tables["test"]), target="sick", time="when", validation=0.1)
    latest = set(tables["train"]["when"].iloc[-6:])
    assert set(data.validation.inputs["when"]) == latest
    assert len(data.test) == 12
    assert data.notes[-1] == (
        "the latest rows of the training table by 'when' are the validation part: 54 train, 6 validation, 12 "
        "test."
    )
    own = load(
        {"train": tables["train"], "val": tables["test"], "test": tables["test"]}, target="sick", time="when"
    )
    assert "nothing is drawn by 'when'" in own.notes[-1]


def test_rows_of_all_parts_have_their_weights(tables):
    train, test = (table.assign(w=np.arange(len(table)) + 1.0) for table in (tables["train"], tables["test"]))
    data = load({"train": train, "val": test, "test": test}, target="sick", weight="w", validation=0)
    assert data.test.sample_weight.tolist() == test["w"].tolist()
    assert data.train.sample_weight.tolist() == [*train["w"], *test["w"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda test: test.drop(columns="sick"),
            "the test part: .* the target 'sick', .* `predict`",
        ),
        (lambda test: test.drop(columns="age"), "the test part: .* received none called 'age'"),
        (lambda test: test.rename(columns={"town": "twon"}), r"none called 'town' \(did you mean 'twon'"),
        (lambda test: test.assign(extra=1), "the test part: .* received 'extra' too"),
        (lambda test: test.assign(age="old"), "the test part: .* column 'age', received 'old'"),
        (
            lambda test: test.assign(town=3),
            "such as 'Bonn' in column 'town'.* numbers such as '3'",
        ),
        (lambda test: test.assign(when="2024-06-01"), "the test part: .* dates as %d/%m/%Y"),
        (lambda test: test.assign(sick="maybe"), "the test part has the label 'maybe'"),
        (lambda test: test.assign(sick=None), "the test part: .* the target 'sick' is missing in 12 rows"),
        (lambda test: test[:0], "the test part: .* a row per sample"),
        (lambda test: np.zeros((3, 2)), "a DataFrame, or a CSV or Parquet file, as the test table"),
        (
            lambda test: "digits",
            "a CSV or Parquet file, as the test table, received 'digits'",
        ),
        (lambda test: "nowhere.csv", "data='nowhere.csv': there is no such data set or path"),
    ],
)
def test_a_part_of_another_make_is_one_sentence(tables, change, words):
    with pytest.raises(InputError, match=words) as refused:
        load({"train": tables["train"], "test": change(tables["test"])}, target="sick")
    assert "\n" not in str(refused.value)


def test_a_column_that_one_part_alone_has_can_be_left_out_by_its_name(tables):
    test = tables["test"].drop(columns="age").assign(extra=1)
    data = load((tables["train"], test), target="sick", columns={"age": "ignore", "extra": "ignore"})
    assert [one.name for one in data.spec.columns] == ["price", "town", "when", "patient"]


def test_two_tables_of_one_part_and_keys_of_one_part_are_refused(folder, tables):
    tables["train"].to_parquet(folder / "training.parquet")
    with pytest.raises(InputError, match=r"one table of the train part, received 'train\.csv' and 'training"):
        check_source(folder)
    with pytest.raises(InputError, match="a table of each part once"):
        check_source({"val": tables["train"], "dev": tables["test"], "train": tables["train"]})


def test_other_files_of_a_folder_are_named_and_folders_of_images_stay_such(folder, tmp_path):
    (folder / "sample_submission.csv").write_text("id,sick\n1,y\n")
    data = load(folder, target="sick")
    assert data.notes[0] == "folder clinic: left out is 'sample_submission.csv'."
    from PIL import Image

    for number, name in enumerate("aabb"):
        path = folder / "pictures" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(path)
    assert load(folder / "pictures", validation=0, test=0).spec.kind == "image"


def test_a_folder_of_tables_has_a_name_in_the_data_dir(data_dir, tables):
    (data_dir / "clinic").mkdir()
    for part, table in tables.items():
        table.to_parquet(data_dir / "clinic" / f"{part}.parquet")
    assert kexp.data.names()["clinic"].startswith("tables of training and test data")
    assert len(load("clinic", target="sick").test) == 12


def test_texts_are_read_by_part_too(folder):
    data = load(folder, text="town", target="sick")
    assert data.spec.kind == "text"
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 6, 12)


def test_dataframes_of_inputs_and_targets_are_no_parts():
    x = pd.DataFrame(np.random.default_rng(0).random((20, 3)))
    y = pd.DataFrame(np.random.default_rng(1).random((20, 2)))
    assert load((x, y), validation=0, test=0).spec.task == "regression"
    assert form_of((x.add_prefix("x"), y.add_prefix("y"))) == "(x, y)"


def test_tables_by_part_are_fingerprinted_and_kept_for_other_processes(tables, folder, tmp_path):
    for number, given in enumerate(
        (
            (tables["train"], tables["test"]),
            {"train": tables["train"], "test": folder / "test.csv"},
            (tables["train"], str(folder / "test.csv")),
        )
    ):
        content = Content.of(given)
        assert content.form == ("mapping" if isinstance(given, dict) else "(train, test)")
        keep(content, tmp_path / str(number))
        back = read_kept(tmp_path / str(number)).value()
        assert load(back, target="sick").fingerprint == load(given, target="sick").fingerprint
    before = content.fingerprint
    tables["test"].assign(age=1.5).to_csv(folder / "test.csv", index=False)
    assert Content.of(given).fingerprint != before


def test_nothing_heavy_is_imported_to_check_tables_by_part(folder):
    code = (
        "import sys, pandas, kexp\n"
        f"folder = {str(folder)!r}\n"
        "kexp.data.check_source(folder)\n"
        "kexp.data.check_source((pandas.read_csv(folder + '/train.csv'), folder + '/test.csv'))\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_recipe_trains_on_a_pair_and_says_so_in_its_record(tables, tmp_path):
    result = kexp.recipes.mlp_tabular(
        data=(tables["train"], tables["test"]),
        target="sick",
        time="when",
        fast_dev_run=True,
        quiet=True,
        run_dir=str(tmp_path / "run"),
    )
    assert "test_accuracy" in result.metrics
    assert result.config["arguments"]["data"]["in_memory"] == "(train, test)"
