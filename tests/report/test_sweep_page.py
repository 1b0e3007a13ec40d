"""The page holds everything, fetches nothing, and shows markup as text."""

import base64
import dataclasses
import hashlib
import math
import re
from html.parser import HTMLParser

import pytest

from kexp import InputError
from kexp.core.search import Dimension
from kexp.report import Importance, SweepRecord, TrialRecord, sweep_page, write_page
from kexp.report.sweep_plots import draw_progress
from tests.report.planted import lively

UNKNOWN = Importance(reason="not asked for.")  # the forests have tests of their own
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Reader(HTMLParser):
    """Collects elements and text of a page, and checks that what is opened is closed."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(scope="module")
def page():
    return sweep_page(lively(60), UNKNOWN)


def test_every_trial_is_a_row_of_the_table_and_a_part_of_the_figures(page):
    reader = Reader(page)
    assert not reader.open
    parts = [(tag, fields["data-trial"]) for tag, fields in reader.elements if "data-trial" in fields]
    assert {number for tag, number in parts if tag == "tr"} == {str(number) for number in range(60)}
    assert {number for tag, number in parts if tag != "tr"} == {str(number) for number in range(60)}


def test_the_page_says_the_direction_the_units_the_states_and_the_best(page):
    text = Reader(page).text
    best = lively(60).best
    for words in ("higher is better", "time (s)", "disk (MB)", "48 completed, 6 pruned, 6 failed"):
        assert words in text
    assert f"in trial {best.number}: learning_rate" in text
    assert f"{best.number}completed, best" in text
    assert "ValueError: trial 0 went wrong" in text


def test_the_page_fetches_nothing_and_allows_no_script_but_its_own(page):
    reader = Reader(page)
    assert not reader.count("link")
    assert not reader.count("img")
    for tag, fields in reader.elements:
        assert not {"src", "srcset", "action", "data"} & fields.keys(), tag
        assert all(fields.get(name, "#").startswith("#") for name in ("href", "xlink:href")), tag
    assert "@import" not in page
    policy = next(fields["content"] for tag, fields in reader.elements if "http-equiv" in fields)
    script = re.search("<script>(.*)</script>", page, re.DOTALL)[1]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none'")
    assert set(re.findall(r"url\(([^)]{,1})", page)) <= {"#"}


HOSTILE = (
    "<script>alert(1)</script>",
    "</text></svg><script>alert(1)</script>",
    "\" onload='alert(1)' x=\"",
    "--><b>&lt;b&gt;</b><!--",
    "</a><a xlink:href='https://example.com'>",
    "$\\unknown$ costs $1",
)


def sweep_naming(texts):
    """Return a sweep with these texts wherever a text can stand."""
    searched = tuple(Dimension(f"name {text}", "choice", choices=texts) for text in texts)
    trials = tuple(
        TrialRecord(
            number,
            "completed" if number else "failed",
            {argument.name: text for argument in searched},
            score=0.1 * number if number else None,
            history={texts[0]: [0.1, 0.2]},
            error=f"first line {text}\nlast line {text}",
        )
        for number, text in enumerate(texts)
    )
    every = " ".join(texts)
    return SweepRecord(
        every, texts[0], "max", every, trials, searched, {every: every}, budget=every, retraining=every
    )


def test_markup_in_names_values_and_errors_is_shown_and_not_obeyed():
    tamed = tuple(f"tame {number}" for number in range(len(HOSTILE)))
    hostile, tame = (Reader(sweep_page(sweep_naming(texts), UNKNOWN)) for texts in (HOSTILE, tamed))
    assert not hostile.open
    for tag in ("script", "style", "b", "a", "svg", "tr", "td"):
        assert hostile.count(tag) == tame.count(tag), tag
    assert not any(name.startswith("on") for _, fields in hostile.elements for name in fields)
    for text in HOSTILE:
        assert f"last line {text}" in hostile.text
        assert f"name {text}" in hostile.text


def test_a_sweep_with_nothing_in_it_yet_has_a_page_that_says_so():
    for trials in (
        (),
        (TrialRecord(0, "running", {}), TrialRecord(1, "failed", {}, history={"loss": [math.nan]})),
    ):
        text = Reader(sweep_page(SweepRecord("net", "val_loss", "min", "grid", trials))).text
        assert "no trial has completed" in text
        assert "no trial has recorded an epoch" in text
        assert "lower is better" in text


def test_scores_that_are_far_out_lie_on_the_edge_and_are_counted():
    record = lively(30)
    trials = tuple(
        dataclasses.replace(trial, score=-1e9) if trial.number == 2 else trial for trial in record.trials
    )
    (axes,) = draw_progress(dataclasses.replace(record, trials=trials)).axes
    assert axes.get_title(loc="right") == "1 far-out score on the edge"
    assert axes.get_ylim()[0] > -1.0


def test_a_page_of_500_trials_is_small_enough_to_mail_and_to_open_at_once():
    page = sweep_page(lively(500), UNKNOWN)
    # Chromium opens what is at these limits in about a second, on one core of a server without a GPU.
    assert len(page.encode()) < 2_000_000
    assert page.count("<") < 40_000


def test_a_page_is_written_whole_is_the_same_each_time_and_replaces_the_one_before(tmp_path, page):
    path = tmp_path / "page.html"
    path.write_text("before")
    assert write_page(lively(60), path, UNKNOWN) == path
    assert path.read_text("utf-8") == page
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(InputError, match="path must be a file in a folder that exists"):
        write_page(lively(3), tmp_path)
