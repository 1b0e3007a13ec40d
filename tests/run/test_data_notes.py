import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kexp
from kexp import recipes

LEFT_OUT = "image folder shades: left out are .txt: 1."


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """Images of two classes, and a file that is none."""
    folder = tmp_path_factory.mktemp("images") / "shades"
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("dev", 4), ("test", 4)):
        for name, shade in (("dark", 60), ("light", 190)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.normal(shade, 20, (6, 6)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    (folder / "train" / "dark" / "source.txt").write_text("a camera")
    return folder


def test_what_was_left_out_is_said_recorded_and_on_the_page(shades, tmp_path, capsys):
    result = recipes.mlp_images(data=str(shades), hidden=(16,), epochs=1, run_dir=str(tmp_path / "run"))
    assert LEFT_OUT in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "env.json").read_text())["notes"] == [LEFT_OUT]
    assert LEFT_OUT in result.report().read_text()


def test_a_quiet_run_says_nothing_of_what_was_left_out_and_records_it(shades, tmp_path, capsys):
    recipes.mlp_images(data=str(shades), hidden=(16,), epochs=1, run_dir=str(tmp_path / "run"), quiet=True)
    assert capsys.readouterr().out == ""
    assert json.loads((tmp_path / "run" / "env.json").read_text())["notes"] == [LEFT_OUT]


def test_what_was_left_out_is_a_finding_of_a_check(shades):
    finding = kexp.check(recipes.mlp_images, data=str(shades), hidden=(16,))["note"]
    assert (finding.status, finding.message) == ("warning", LEFT_OUT)


@pytest.fixture
def orders(tmp_path):
    """A table with an id, dates, prices that are texts, and a word for a missing one."""
    rng = np.random.default_rng(0)
    price = rng.normal(50, 10, 60)
    table = pd.DataFrame({"order_id": np.arange(900, 960), "price": [f"${one:.2f}" for one in price]})
    table["when"] = pd.date_range("2024-01-01", periods=60).strftime("%d.%m.%Y")
    table["<b>"] = np.where(price > 50, "dear", "cheap")
    table.loc[7, "price"] = "?"
    table.to_csv(tmp_path / "orders.csv", index=False)
    return tmp_path / "orders.csv"


def test_every_column_of_a_table_is_listed_by_check_and_on_the_page(orders, tmp_path):
    given = {"data": str(orders), "target": "<b>", "hidden": (8,)}
    found = [str(one) for one in kexp.check(recipes.mlp_tabular, **given).findings if one.name == "column"]
    assert [line.partition(":")[0].split()[-1] for line in found] == ["order_id", "price", "when", "<b>"]
    assert "number, 59 distinct, 1 missing" in found[1]
    assert "date, 60 distinct" in found[2]
    result = recipes.mlp_tabular(**given, epochs=1, run_dir=str(tmp_path / "run"), quiet=True)
    page = result.report().read_text()
    assert "it counts the rows" in page
    assert "&#x27;?&#x27; among numbers stands for missing values" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_a_run_says_what_it_takes_columns_for(orders, tmp_path, capsys):
    recipes.mlp_tabular(data=str(orders), target="<b>", epochs=1, run_dir=str(tmp_path / "run"))
    said = capsys.readouterr().out
    assert "column 'order_id' is no input: it counts the rows" in said
    assert "column 'price': '?' among numbers stands for missing values, in 1 rows" in said
