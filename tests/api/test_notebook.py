"""What a notebook shows: one bar of a run, and results, sweeps, data and predictions as small tables."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import kexp
from kexp.core.search import TrialState
from kexp.preflight.findings import Finding, Preflight
from kexp.sweep.state import Trial
from kexp.sweep.sweep_result import Sweep
from kexp.tasks.predictions import Predictions
from kexp.train.notebook_progress import NotebookBar

ODD = "<script>\"'\u202e&"
SAFE = "&lt;script&gt;&quot;&#x27;\u202e&amp;"


def html_of(value):
    """Return the HTML that a notebook takes of a value."""
    return DisplayFormatter().format(value)[0]["text/html"]


@pytest.fixture
def shown(monkeypatch):
    """Return all that a notebook was given to show: (the display, its HTML), in order."""
    found = []

    class Handle:
        def update(self, html):
            found.append((self, html.data))

    def display(html, display_id):
        handle = Handle()
        handle.update(html)
        return handle

    monkeypatch.setattr("IPython.display.display", display)
    return found


def test_a_run_in_a_notebook_has_one_bar_that_is_updated_in_its_place(shown, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("kexp.train.notebook_progress.Console", lambda: SimpleNamespace(is_jupyter=True))
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="uint8")
    result = kexp.fit(model, kexp.data.load("digits"), epochs=2, run_dir=str(tmp_path / "run"))
    assert len({handle for handle, _ in shown}) == 1
    last = shown[-1][1]
    maximum, value = map(int, re.search(r'max="(\d+)" value="(\d+)"', last).groups())
    assert maximum == value > 2
    assert f"epoch 2/2  loss {result.history['loss'][1]:.4g}" in last
    assert "epoch 1/2" not in capsys.readouterr().out


def test_the_bar_tells_steps_where_nobody_knows_how_many_there_are(shown):
    bar = NotebookBar(3, None)
    bar.on_epoch_begin(1)
    assert "epoch 2/3, 0 steps" in shown[-1][1]
    bar.on_epoch_end(1, {f"val_{ODD}": 0.5})
    assert f"val_{SAFE} 0.5" in shown[-1][1]


def test_a_result_is_a_small_table(digits_run):
    result = kexp.load(digits_run)
    html = html_of(result)
    assert "Run of mlp_images" in html
    assert f"{result.metrics['test_accuracy']:.4g}" in html
    odd = html_of(replace(result, metrics={ODD: 0.5} | {f"iou_{number}": 0.5 for number in range(50)}))
    assert (SAFE in odd, "<script>" in odd, "27 more in .metrics" in odd) == (True, False, True)


def test_data_are_a_small_table():
    assert "training 1,295" in html_of(kexp.data.load("digits"))
    iris = kexp.data.load("iris")
    columns = tuple(replace(column, name=f"{ODD}{number}") for number, column in enumerate(iris.spec.columns))
    html = html_of(replace(iris, name=ODD, spec=replace(iris.spec, columns=columns)))
    assert html.count(SAFE) == 1 + len(columns)
    assert "<script>" not in html


def test_data_are_a_line_in_a_terminal_however_many_they_are():
    digits = kexp.data.load("digits")
    assert repr(digits.train) == "<Split of 1,295 samples>"
    assert repr(digits) == (
        "<Dataset digits: classification of image (8, 8, 1), training 1,295, validation 143, test 359>"
    )


def test_findings_are_a_row_for_each_check():
    html = html_of(Preflight(ODD, (Finding("labels", "warning", ODD), Finding("outputs", "ok", "there"))))
    assert html.count(SAFE) == 2
    assert re.findall(r"<td class=\"text\">(.)</td>", html) == ["!", "✓"]


def test_predictions_are_a_table_of_the_first_samples():
    found = Predictions(labels=np.array([ODD] * 30, object), probabilities=np.full((30, 2), 0.5, np.float32))
    html = html_of(found)
    assert "30, of which the first 10" in html
    assert (html.count("<tr>"), html.count(SAFE), "<script>" in html) == (11, 10, False)
    assert "8 × 8 int32" in html_of(Predictions(masks=np.zeros((3, 8, 8), np.int32)))


def test_a_sweep_is_a_table_of_its_best_trials(tmp_path):
    rows = [
        {"number": number, "state": state, "searched": {ODD: ODD}, "score": score, "reported": True}
        for number, state, score in ((0, "completed", 0.5), (1, "failed", None), (2, "completed", 0.75))
    ]
    html = html_of(Sweep(tmp_path, tuple(map(trial, rows)), "val_accuracy", "max"))
    assert "3, of which 3 have ended" in html
    assert html.index("0.75") < html.index("0.5")
    assert (html.count(SAFE), "<script>" in html) == (3, False)
    assert "no trial has completed" in html_of(Sweep(tmp_path, (), None, "max"))


def trial(row):
    """Return a trial with some of what it records."""
    lacking = dict.fromkeys(Trial.__dataclass_fields__)
    return Trial(**{**lacking, "metrics": {}, **row, "state": TrialState(row["state"])})


def test_a_figure_shows_itself_in_a_notebook(digits_run):
    shown, _ = DisplayFormatter().format(kexp.load(digits_run).plot())
    assert shown["image/png"].startswith(b"\x89PNG")
