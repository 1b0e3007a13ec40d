"""Pages in a browser: complete, silent, legible for every reader and on a phone, whatever names hold."""

import shutil

import keras
import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.report import Importance, sweep_page
from tests.browser import faults
from tests.report.planted import lively

HOSTILE = (
    "<script>document.title='run'</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil\u202c 'x'",
    "\u05e2\u05d1\u05e8\u05d9\u05ea",
)


@pytest.fixture
def hostile(tmp_path):
    """Return a run on a table whose columns, classes and values are markup, quotes and marks of direction."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "<b onclick=alert(1)>": random.normal(size=120),
            HOSTILE[2]: random.choice(np.array(HOSTILE, object), 120),
            "class": random.choice(np.array(HOSTILE, object), 120),
        }
    )
    given = {"data": frame, "target": "class", "epochs": 1, "quiet": True}
    return kexp.recipes.mlp_tabular(**given, run_dir=str(tmp_path / "run")).report(data=frame)


def test_the_page_of_a_classifier_of_images_is_whole_for_every_reader(browser, digits_run, tmp_path):
    assert faults(browser, kexp.load(digits_run).report(tmp_path / "page.html")) == []


def test_the_page_of_a_sweep_of_50_is_whole_for_every_reader(browser, tmp_path):
    page = tmp_path / "sweep.html"
    page.write_text(sweep_page(lively(50), Importance(reason="not asked for.")), "utf-8")
    assert faults(browser, page, most_bytes=10_000_000) == []


def test_names_and_texts_that_are_markup_stay_text_in_a_browser(browser, hostile):
    assert faults(browser, hostile) == []
    page = browser.new_page()
    page.goto(hostile.as_uri())
    assert page.title() == "Run of mlp_tabular"
    assert HOSTILE[0] in page.inner_text("body")
    page.close()


def test_what_is_wrong_with_a_page_is_found(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<html><style>@media (prefers-color-scheme: dark) {p + p {color:#222; background:#000}}</style>"
        "<body style='margin:0'><h1 style='color:#ddd;background:#fff'>pale</h1><p>clear</p><p>dark</p>"
        "<div style='width:900px'>wide</div><img src='https://example.invalid/a.png'><script>nothing()</script>"
    )
    found = "\n".join(faults(browser, page))
    for what in (
        "light: color-contrast: <h1",
        "dark: color-contrast: <p>dark",
        "image-alt",
        "cut on a phone",
        "asks for https",
        "nothing is not defined",
    ):
        assert what in found


def test_the_page_of_a_call_of_fit_is_whole_for_every_reader(browser, tmp_path):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(90, 3)).astype("float32"), random.normal(size=(90, 1)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    result = kexp.fit(model, x, y, validation_split=0.3, epochs=2, quiet=True, run_dir=str(tmp_path / "run"))
    assert faults(browser, result.report(data=(x, y))) == []


def test_the_page_of_200_runs_is_whole_for_every_reader(browser, digits_run, tmp_path):
    for number in range(200):
        copy = tmp_path / f"runs/{number:03d}"
        copy.mkdir(parents=True)
        for file in ("config.json", "env.json", "metrics.jsonl", "result.json"):
            (copy / file).hardlink_to(digits_run / file)
    assert faults(browser, kexp.runs(tmp_path / "runs").report(tmp_path / "runs.html")) == []


def test_the_pages_of_a_comparison_and_of_an_explanation_are_whole_for_every_reader(
    browser, digits_run, tmp_path
):
    other = shutil.copytree(digits_run, tmp_path / "other")
    assert faults(browser, kexp.compare(digits_run, other).report(tmp_path / "compared.html")) == []
    explained = kexp.load(digits_run).explain().report(tmp_path / "explained.html")
    assert faults(browser, explained) == []
