"""The page of a model with several outputs shows where each of them errs."""

import re

import keras
import numpy as np
import pytest

import kexp
from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.array_specs import Head
from kexp.report import run_page
from kexp.tasks.predictions import Predictions
from tests.report.test_mistakes import cells_of, predictions_of, surely
from tests.report.test_run_page import planted
from tests.report.test_sweep_page import Reader

KIND, SIZE = '<b>"kind"', "<i>size</i>"
TRUTH, PREDICTED = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
SIZES = np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)


def page_of(folder, targets):
    heads = (Head(KIND, "classification", 2, ("<u>cat", "dog")), Head(SIZE, "regression", 1))
    spec = DatasetSpec("array", (1,), "float32", "several", 0, heads=heads)
    inputs = np.arange(4, dtype=np.float32)[:, None]
    data = Dataset("planted", Split(inputs, targets), Split(inputs, targets), None, spec, "0" * 64)
    kind = predictions_of(surely(TRUTH, PREDICTED, 2, [0.6, 0.9, 0.7, 0.8]))
    size = Predictions(values=SIZES - np.array([[0.0], [0.5], [0.0], [-8.0]], np.float32))

    def answer(inputs):
        rows = inputs[:, 0].astype(int)
        return Predictions(
            outputs={
                KIND: Predictions(labels=kind.labels[rows], probabilities=kind.probabilities[rows]),
                SIZE: Predictions(values=size.values[rows]),
            }
        )

    return run_page(planted(folder, spec, answer), data)


def headings(page):
    return [re.sub("<.*?>", "", one).strip() for one in re.findall(r"<h2>(.*?)</h2>", page, re.DOTALL)]


def test_classes_have_their_confusions_and_mistakes_and_numbers_their_residuals_with_names_as_text(tmp_path):
    page = page_of(tmp_path, {KIND: TRUTH, SIZE: SIZES})
    assert [one for one in headings(page) if one.startswith("Output")] == [
        "Output &lt;b&gt;&quot;kind&quot;",
        "Output &lt;i&gt;size&lt;/i&gt;",
    ]
    kind, size = page[page.index("Output <bdi>&lt;b") :].split("Output <bdi>&lt;i", 1)
    assert [row[1:] for row in cells_of(kind, "Samples of the validation part by truth")[1:]] == [
        [["1", "50", "%"], ["1", "50", "%"]],
        [["0"], ["2", "100", "%"]],
    ]
    assert "<h4>The most confident mistakes</h4>" in kind
    assert "<h3>Largest residuals</h3>" in size
    assert size.index("-8") < size.index("0.5")  # the larger residual first
    assert not {"b", "i", "u"} & {tag for tag, _ in Reader(page).elements}


def test_an_output_without_targets_or_with_none_that_can_be_judged_is_left_out(tmp_path):
    page = page_of(tmp_path, {SIZE: SIZES + np.nan})
    assert not [one for one in headings(page) if one.startswith("Output")]


@pytest.mark.parametrize("form", [list, dict])
def test_targets_are_given_to_fit_as_a_list_or_by_name(form, tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3)).astype("float32")
    given = {"kind": (x[:, 0] > 0).astype("int64"), "size": x[:, 1:2] * 2}
    inputs = keras.Input((3,))
    kind, size = keras.layers.Dense(2, "softmax", name="kind"), keras.layers.Dense(1, name="size")
    outputs = {"kind": kind(inputs), "size": size(inputs)}
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    y, outputs, losses = (one if form is dict else list(one.values()) for one in (given, outputs, losses))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", losses)
    result = kexp.fit(model, x, y, validation_split=0.5, epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    page = result.report(data=(x, y)).read_text("utf-8")
    assert [one for one in headings(page) if one.startswith("Output")] == ["Output kind", "Output size"]
    assert "of 20 validation samples." in page
