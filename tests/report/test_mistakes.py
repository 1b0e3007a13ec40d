"""The page of a classifier shows what it takes for what, and where it is most surely wrong."""

import re
from pathlib import Path

import numpy as np
import pytest

import kexp
from kexp.data import Dataset, DatasetSpec, Split
from kexp.report import run_page
from kexp.tasks.predictions import Predictions
from tests.report.test_run_page import pixels, planted
from tests.report.test_sweep_page import HOSTILE, Reader


def predictions_of(probabilities):
    return Predictions(
        labels=np.array(probabilities.argmax(axis=1), object), probabilities=probabilities.astype(np.float32)
    )


def answering(folder, spec, inputs, targets, probabilities):
    """Return the page of a run that answers each row of its validation data by a row of probabilities."""
    train = Split(inputs[:1], targets[:1])
    data = Dataset("planted", train, Split(inputs, targets), None, spec, "0" * 64)
    keys = {np.asarray(row).tobytes(): place for place, row in enumerate(inputs)}

    def answer(given):
        return predictions_of(probabilities[[keys[np.asarray(row).tobytes()] for row in given]])

    return run_page(planted(folder, spec, answer), data)


def surely(truth, predicted, classes, confidence):
    """Return probabilities whose greatest is that of what is predicted."""
    rows = np.repeat((1 - np.asarray(confidence, float))[:, None] / (classes - 1), classes, axis=1)
    rows[np.arange(len(truth)), predicted] = confidence
    return rows


def arrays(classes, names=()):
    return DatasetSpec("array", (1,), "float32", "classification", classes, names)


def cells_of(page, caption):
    """Return the texts of the cells of a table, row by row, and those of its headings."""
    table = page[page.index(f">{caption}") :]
    table = table[: table.index("</table>")]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [
        [re.sub("<.*?>", " ", cell).split() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
        for row in rows
    ]


def test_rows_of_the_confusion_matrix_are_truths_and_columns_predictions_with_shares_of_the_row(tmp_path):
    truth, predicted = np.array([0, 0, 0, 0, 1, 2]), np.array([0, 0, 0, 2, 2, 2])
    page = answering(
        tmp_path,
        arrays(3, ("cat", "dog", "cow")),
        np.arange(6, dtype=np.float32)[:, None],
        truth.astype(np.int32),
        surely(truth, predicted, 3, np.linspace(0.5, 0.9, 6)),
    )
    rows = cells_of(page, "Samples of the validation part by truth (rows) and prediction (columns)")
    assert [row[0] for row in rows[1:]] == [["cat"], ["dog"], ["cow"]]
    assert rows[1][1:] == [["3", "75", "%"], ["0"], ["1", "25", "%"]]
    assert rows[2][1:] == [["0"], ["0"], ["1", "100", "%"]]
    reader = Reader(page)
    scopes = [fields.get("scope") for tag, fields in reader.elements if tag == "th"]
    assert {"row", "col"} <= set(scopes)
    assert "Mistakes: 2 (33\xa0%) of 6 validation samples." in reader.text
    figures = cells_of(page, "Metrics of each class")
    assert figures[1] == [["cat"], ["4"], ["3"], ["1"], ["0.75"], ["0.8571"]]
    assert figures[2] == [["dog"], ["1"], ["0"], [], ["0"], ["0"]]


def test_classes_that_are_confused_stand_together_and_of_many_the_worst_are_listed(tmp_path):
    truth = np.repeat(np.arange(12), 4)
    predicted = np.where((truth == 1) & (np.arange(48) % 2 == 0), 10, truth)
    inputs = np.arange(48, dtype=np.float32)[:, None]
    for folder in ("few", "many"):
        (tmp_path / folder).mkdir()
    sure = np.full(48, 0.9)
    page = answering(tmp_path / "few", arrays(12), inputs, truth, surely(truth, predicted, 12, sure))
    names = [row[0][0] for row in cells_of(page, "Samples of the validation part by")[1:]]
    assert abs(names.index("1") - names.index("10")) == 1
    assert sorted(names, key=int) == [str(number) for number in range(12)]
    page = answering(tmp_path / "many", arrays(1000), inputs, truth, surely(truth, predicted, 1000, sure))
    assert "Samples of the validation part by" not in page
    assert cells_of(page, "Classes with most mistakes")[1:] == [[["1"], ["4"], ["2"], ["50"], ["10"]]]
    assert cells_of(page, "Most confused pairs, 1 of 1")[1:] == [[["1"], ["10"], ["2"], ["50"]]]
    assert len(cells_of(page, "Metrics of each class")) == 1001


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    spec = DatasetSpec("image", (4, 4, 1), "uint8", "classification", 2, ("cat", HOSTILE[2]))
    inputs = np.arange(40 * 16, dtype=np.int64).reshape(40, 4, 4, 1).astype(np.uint8)
    inputs[:, 0, 0, 0] = np.arange(40)
    truth = np.arange(40) % 2
    predicted = np.where(np.arange(40) < 3, 1 - truth, truth)
    confidence = np.where(np.arange(40) < 3, [0.7, 0.95, 0.8] + [0.0] * 37, 0.51 + np.arange(40) / 100)
    page = answering(
        tmp_path_factory.mktemp("images"), spec, inputs, truth, surely(truth, predicted, 2, confidence)
    )
    return inputs, page


def test_the_most_confident_mistakes_come_first_as_pictures_with_truth_and_prediction_in_words(images):
    inputs, page = images
    shown = [fields for tag, fields in Reader(page).elements if tag == "img"]
    assert [int(fields["alt"].split(":")[0].split()[1]) - 1 for fields in shown[:3]] == [1, 2, 0]
    assert (
        shown[0]["alt"] == f"sample 2: truth {HOSTILE[2]}, prediction cat, probability 0.95, outcome ✗ wrong"
    )
    assert pixels(shown[0])[..., 0].tolist() == inputs[1, ..., 0].tolist()
    least = [int(fields["alt"].split(":")[0].split()[1]) - 1 for fields in shown[3:15]]
    assert least == list(range(3, 15))
    right = [fields["alt"] for fields in shown[15:]]
    assert len(right) == 12
    assert all("outcome right" in text for text in right)


def test_the_page_runs_no_script_but_the_one_that_sorts_its_tables(images):
    reader = Reader(images[1])
    assert not reader.open
    assert reader.count("script") == 1
    assert "sha256-" in next(fields["content"] for _, fields in reader.elements if "http-equiv" in fields)
    buttons = [fields for tag, fields in reader.elements if tag == "button"]
    assert len(buttons) == 6
    assert all(fields == {"type": "button"} for fields in buttons)


def test_series_are_lines_and_their_padding_is_left_out(tmp_path):
    spec = DatasetSpec("series", (5, 2), "float32", "classification", 2, ("up", "down"))
    inputs = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)
    inputs[0, 3:] = np.nan
    truth = np.zeros(4, int)
    page = answering(tmp_path, spec, inputs, truth, surely(truth, np.array([1, 0, 0, 0]), 2, np.full(4, 0.9)))
    lines = re.findall(r'<svg class="line".*?</svg>', page)
    assert len(lines) == 4
    assert [len(points.split()) for points in re.findall(r'points="([^"]*)"', lines[0])] == [3, 3]
    assert [len(points.split()) for points in re.findall(r'points="([^"]*)"', lines[1])] == [5, 5]
    assert 'aria-label="truth up, prediction down, probability 0.9' in lines[0]


def test_of_many_samples_two_thousand_are_drawn_and_large_pictures_are_made_small(tmp_path):
    spec = DatasetSpec("image", (300, 200, 3), "uint8", "classification", 2)
    many = Split(np.zeros((2500, 1, 1, 1), np.uint8), np.arange(2500, dtype=np.int32) * 2 // 2500)
    large = np.random.default_rng(0).integers(0, 256, (40, 300, 200, 3)).astype(np.uint8)

    def page_of(split, folder):
        (tmp_path / folder).mkdir()
        data = Dataset("planted", split, split, None, spec, "0" * 64)
        result = planted(
            tmp_path / folder, spec, lambda given: predictions_of(np.tile([[0.6, 0.4]], (len(given), 1)))
        )
        return run_page(result, data)

    page = page_of(many, "many")
    assert "of 2,000 validation samples drawn by chance from 2,500." in page
    counts = cells_of(page, "Metrics of each class")
    assert sum(int(row[1][0]) for row in counts[1:]) == 2000
    assert all(int(row[1][0]) > 900 for row in counts[1:])
    page = page_of(Split(large, np.zeros(40, np.int32)), "large")
    assert "Pictures are made smaller, to 128 pixels" in page
    shown = [pixels(fields) for tag, fields in Reader(page).elements if tag == "img"]
    assert {picture.shape for picture in shown} == {(128, 85, 3)}
    assert len(page) < 5_000_000


def test_texts_are_cut_and_their_markup_is_text(tmp_path):
    spec = DatasetSpec("text", (), "string", "classification", 2, ("good", "<i>bad</i>"))
    inputs = np.array([f"{text} {'x' * 400}" for text in HOSTILE], object)
    truth = np.arange(len(inputs)) % 2
    probabilities = surely(truth, 1 - truth, 2, np.full(len(inputs), 0.9))
    split = Split(inputs, truth)
    data = Dataset("planted", split, split, None, spec, "0" * 64)
    reader = Reader(run_page(planted(tmp_path, spec, lambda given: predictions_of(probabilities)), data))
    assert not reader.open
    assert not reader.count("i")
    assert "<i>bad</i>" in reader.text
    assert "x" * 400 not in reader.text
    assert all(text in reader.text for text in HOSTILE)


def test_the_largest_residuals_of_a_regression_come_first(tmp_path):
    spec = DatasetSpec("array", (2,), "float32", "regression", 1, target="<price>")
    inputs = np.arange(60, dtype=np.float32).reshape(30, 2)
    targets = np.arange(30, dtype=np.float32)[:, None]
    values = targets + np.where(np.arange(30) == 7, 5.0, np.where(np.arange(30) == 3, -9.0, 0.1))[:, None]
    split = Split(inputs, targets)
    data = Dataset("planted", split, split, None, spec, "0" * 64)
    page = run_page(planted(tmp_path, spec, lambda given: Predictions(values=values)), data)
    section = page[page.index("Largest residuals") :]
    rows = [re.findall("<td.*?>(.*?)</td>", row) for row in re.findall("<tr>(<td.*?)</tr>", section)]
    assert rows[0] == ["4", "3", "-6", "9", "6", "7"]
    assert rows[1] == ["8", "7", "12", "-5", "14", "15"]
    assert "The 20 largest residuals" in section


def test_hostile_columns_values_and_labels_of_a_table_are_text_on_its_page(tmp_path):
    pandas = pytest.importorskip("pandas")
    names = [*HOSTILE, "\u202eright to left"]
    frame = pandas.DataFrame(
        {
            **{name: [f"{name} {row % 3}" for row in range(80)] for name in names[:4]},
            "number": np.arange(80.0),
            "label": [names[row % len(names)] for row in range(80)],
        }
    )
    result = kexp.recipes.mlp_tabular(
        data=frame,
        target="label",
        validation=0.1,
        epochs=1,
        hidden=(8,),
        run_dir=str(tmp_path / "run"),
        quiet=True,
    )
    reader = Reader(result.report(data=frame).read_text("utf-8"))
    assert not reader.open
    assert reader.count("script") == 1
    assert not reader.count("b")
    assert not any(name.startswith("on") for _, fields in reader.elements for name in fields)
    assert not any(
        value.startswith(("http", "//"))
        for _, fields in reader.elements
        for name, value in fields.items()
        if name in ("src", "href", "xlink:href")
    )
    for name in names:
        assert name in reader.text
    assert "Confusion matrix" in reader.text
    assert "validation samples" in reader.text


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_counts_can_be_read_on_every_shade_of_the_confusion_matrix(mode):
    css = (Path(kexp.__file__).parent / "report" / "page.css").read_text("utf-8")
    colours = dict(re.findall(r"--([a-z]+-?\d?): (#\w{6})", css.split("@media (prefers-color")[mode]))
    ink = luminance(colours["ink"])
    for kind in ("hit", "miss"):
        for shade in range(5):
            low, high = sorted([ink, luminance(colours[f"{kind}-{shade}"])])
            assert (high + 0.05) / (low + 0.05) >= 4.5, (kind, shade)
