"""The page of an autoencoder's run: what comes out again, where codes lie, how anomaly scores are spread."""

import dataclasses
import re

import numpy as np
import pytest

import kexp
from kexp.core.images import to_uint8
from kexp.data import Split
from kexp.report import run_page
from kexp.report.drawing import inline_svg, style
from kexp.report.latent_plots import draw_map, draw_scores, plane
from tests import answering
from tests.report.test_run_page import pixels
from tests.report.test_sweep_page import HOSTILE, Reader


@pytest.fixture(scope="module")
def data():
    return kexp.data.load("digits")


@pytest.fixture(scope="module")
def variational(digits_run, tmp_path_factory):
    model = answering.autoencoder(variational=True, code=2)
    return answering.run_of(model, "reconstruction", tmp_path_factory.mktemp("run") / "vae", digits_run)


@pytest.fixture(scope="module")
def page(variational, data):
    return run_page(variational, data)


def pictures(page, name):
    elements = [fields for tag, fields in Reader(page).elements if tag == "img"]
    return [pixels(fields) for fields in elements if fields["alt"] == name]


def cell(picture, row, column, side=48):
    """Return an image of a grid, at its own size."""
    top, left = row * (side + 1), column * (side + 1)
    return picture[top : top + side : side // 8, left : left + side : side // 8, 0]


OF_EVERY_RUN = {"Metrics", "Learning curves", "Arguments", "Provenance", "Layers"}


def headings(page):
    """Return the names of the sections that not every page has."""
    return [name for name in re.findall("<h2>(.*?)</h2>", page) if name not in OF_EVERY_RUN]


def test_a_page_of_images_has_its_sections_in_order_and_is_whole(page):
    assert not Reader(page).open
    assert headings(page) == [
        "Reconstructions",
        "Map of the codes",
        "Nearest by code",
        "Anomaly scores",
        "Samples",
        "From one image to another",
    ]


def test_reconstructions_stand_below_the_images_they_are_of(page, variational, data):
    first, second = pictures(page, "images above their reconstructions")
    made = to_uint8(variational.predict(data.validation.inputs[:20]).reconstructions)[..., 0]
    for picture, offset in ((first, 0), (second, 10)):
        for column in (0, 9):
            np.testing.assert_array_equal(
                cell(picture, 0, column), data.validation.inputs[offset + column, ..., 0]
            )
            np.testing.assert_array_equal(cell(picture, 1, column), made[offset + column])


def test_the_training_images_beside_a_query_are_those_of_the_nearest_codes(page, variational, data):
    queries = pictures(page, "query")
    found = pictures(page, "training images of the nearest codes")
    assert len(queries) == len(found) == 6
    codes = variational.predict(data.train.inputs).codes
    asked = variational.predict(data.validation.inputs[:6]).codes
    for index, query in enumerate(queries):
        np.testing.assert_array_equal(cell(query, 0, 0), data.validation.inputs[index, ..., 0])
        nearest = np.argmin(((codes - asked[index]) ** 2).sum(axis=1))
        np.testing.assert_array_equal(cell(found[index], 0, 0), data.train.inputs[nearest, ..., 0])
    assert re.search(r"Of these 48, \d+ have the class of the image to the left", Reader(page).text)


def test_the_map_has_a_legend_of_the_classes_and_says_what_its_axes_are(page, data):
    assert "The code has two numbers, which are the axes." in page
    section = page[page.index("Map of the codes") : page.index("Nearest by code")]
    for name in ("code 0", "code 1", *data.spec.class_names):
        assert f">{name}<" in section
    assert "A dot for each of 143 validation samples, in the colour of its class." in section


def test_longer_codes_are_shown_by_their_principal_components(digits_run, data, tmp_path):
    run = answering.run_of(answering.autoencoder(), "reconstruction", tmp_path / "run", digits_run)
    page = run_page(run, data)
    assert "The code has 5 numbers; shown are its two principal components" in page
    assert "first principal component," in page
    assert headings(page)[-1] == "Anomaly scores"  # nothing is drawn from what is not variational


def test_interpolations_begin_and_end_with_two_images_reconstructions(page, variational, data):
    (picture,) = pictures(page, "from one image to another")
    made = to_uint8(variational.predict(data.validation.inputs[:10]).reconstructions)[..., 0]
    for row in (0, 4):
        for column, index in ((0, 2 * row), (8, 2 * row + 1)):
            difference = np.abs(cell(picture, row, column).astype(int) - made[index])
            assert difference.max() <= 1
    (samples,) = pictures(page, "samples")
    assert samples.shape == (8 * 49 - 1, 8 * 49 - 1, 3)


def test_a_page_of_a_table_lists_the_highest_scores_with_their_labels_and_markup_as_text(
    digits_run, tmp_path
):
    data = kexp.data.load("breast_cancer")
    data = dataclasses.replace(data, spec=dataclasses.replace(data.spec, class_names=tuple(HOSTILE[:2])))
    run = answering.run_of(
        answering.table_autoencoder(data), "reconstruction", tmp_path / "run", digits_run, data
    )
    page = run_page(run, data)
    reader = Reader(page)
    assert not reader.open
    assert not reader.count("script")
    assert not reader.count("img")
    assert headings(page) == ["Map of the codes", "Anomaly scores", "Highest anomaly scores"]
    scores = run.predict(data.validation.inputs).anomaly_scores
    table = page[page.index("Highest anomaly scores") :]
    table = table[: table.index("</section>")]
    rows = [re.findall("<td.*?>(.*?)</td>", row) for row in re.findall("<tr>(<td.*?)</tr>", table)]
    assert [int(row[0]) - 1 for row in rows] == np.argsort(-scores)[:20].tolist()
    assert float(rows[0][1]) == pytest.approx(scores.max(), rel=1e-3)
    assert "the first 8 of 30 columns" in table
    assert len(rows[0]) == 3 + 8


def test_without_classes_scores_are_a_histogram_and_dots_have_one_colour(digits_run, tmp_path):
    data = kexp.data.load("diabetes")
    run = answering.run_of(
        answering.table_autoencoder(data), "reconstruction", tmp_path / "run", digits_run, data
    )
    page = run_page(run, data)
    assert "all of them in one colour" in page
    figure = draw_scores(np.random.default_rng(0).random(50), None, ())
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 50


def test_bars_of_the_scores_hold_the_middle_half_of_a_class():
    scores = np.concatenate([np.arange(101.0), 1000 + np.arange(101.0)])
    labels = np.repeat([0, 2], 101)
    axes = draw_scores(scores, labels, ("cat", "dog", "cow")).axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(25.0, 50.0), (1025.0, 50.0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "cow"]


def test_a_legend_names_twenty_classes_at_most():
    points = np.random.default_rng(0).normal(size=(63, 2))
    names = tuple(str(index) for index in range(21))
    shown = plane(points)
    for count, legends in ((20, 1), (21, 0)):
        labels = np.arange(63) % count
        assert len(draw_map(shown, labels, names).legends) == legends


def test_few_samples_are_enough_for_a_page(variational, data):
    few = Split(data.validation.inputs[:1], data.validation.targets[:1])
    page = run_page(variational, dataclasses.replace(data, validation=few))
    assert "The first 1 validation images" in page
    assert "Map of the codes" not in page
    assert "From one image to another" not in page


def test_the_map_has_a_dot_for_each_of_many_codes():
    points = np.random.default_rng(0).normal(size=(600, 2))
    with style():
        drawing = inline_svg(draw_map(plane(points), np.arange(600) % 2, ("cat", "dog")), "map")
    longest = max(re.findall(r' d="([^"]+)"', drawing), key=len)
    assert longest.count("L") == 300  # a place that no line leaves is not drawn
