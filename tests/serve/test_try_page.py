"""The page to try a model in a browser: draw, upload, fill, be answered; whatever names hold is text."""

import numpy as np
import pytest
from PIL import Image

import kexp
from kexp.data.dataset import Column, DatasetSpec
from kexp.serve.try_page import try_page
from tests.browser import faults

ODD = "<script>alert('x')</script>\"&"


@pytest.fixture
def page(browser):
    """Yield a page of a browser, and fail if it says anything in its console."""
    said = []
    context = browser.new_context()
    found = context.new_page()
    found.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    found.on("pageerror", lambda error: said.append(str(error)))
    yield found
    context.close()
    assert not said


def answer(page, words):
    page.wait_for_function(
        "words => document.getElementById('answer').textContent.includes(words)", arg=words, timeout=20_000
    )
    return page.inner_text("#answer")


def test_a_digit_that_is_drawn_is_answered_and_one_in_a_file_as_the_model_does(
    page, url, served_models, tmp_path
):
    page.goto(f"{url}?model=digits")
    box = page.locator("#pad").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 40)
    page.mouse.down()
    page.mouse.move(x, y + 240, steps=8)
    page.mouse.up()
    assert "label" in answer(page, " ms")
    assert page.locator("#answer tbody tr").count() == 10
    images = kexp.data.load("digits").validation.inputs[:1]
    (label,) = kexp.export.load_exported(served_models / "digits").predict(images).labels
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "one.png")
    page.set_input_files("#file", tmp_path / "one.png")
    page.wait_for_function(
        "label => document.querySelector('#answer dd').textContent === label", arg=label, timeout=20_000
    )


def test_columns_are_filled_and_what_is_wrong_is_said(page, url):
    page.goto(f"{url}?model=homes")
    page.fill("[data-column='age (years)']", "41")
    page.fill("[data-column=town]", "Ulm")
    page.click("text=Predict")
    assert "probabilities" in answer(page, " ms")
    page.fill("[data-column=town]", "")
    page.click("text=Predict")
    answer(page, "missing, as none was in training")


def test_a_mistake_is_said_on_the_page(browser, url):
    page = browser.new_page()  # whose console says that an answer was 400
    page.goto(f"{url}?model=homes")
    page.fill("[data-column='age (years)']", "old")
    page.click("text=Predict")
    assert "'old'" in answer(page, "finite or missing numbers")
    page.close()


SPECS = {
    "image": DatasetSpec("image", (28, 28, 3), "uint8", "classification", 2, (ODD, "b")),
    "text": DatasetSpec("text", (), "string", "classification", 2, (ODD, "b")),
    "series": DatasetSpec("series", (3, 2), "float32", "regression", 1),
    "table": DatasetSpec(
        "table",
        (2,),
        "mixed",
        "classification",
        2,
        (ODD, "b"),
        columns=(Column(ODD, "category", categories=(ODD,)), Column("day", "date", date_format="%d.%m.%Y")),
    ),
}


@pytest.mark.parametrize("kind", SPECS)
def test_the_page_is_whole_for_every_reader_whatever_names_hold(browser, tmp_path, kind):
    path = tmp_path / "page.html"
    path.write_text(try_page("model", SPECS[kind], ["model", "other"]), encoding="utf-8")
    assert ODD not in path.read_text()
    assert faults(browser, path) == []


def test_a_series_is_given_as_numbers(browser, tmp_path):
    page = try_page("model", SPECS["series"], ["model"])
    assert str(np.zeros((3, 2)).tolist()) in page
