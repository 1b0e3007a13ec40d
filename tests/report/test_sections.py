"""A section of a page is one file, and its place on the page is its order."""

import re
import sys

import pytest

from kexp.core.scan import modules_of
from kexp.report import SweepRecord, TrialRecord, sections, sweep_page

NOTE = '''
"""A note."""

ORDER = {order}


def applies(sweep):
    return sweep.record.recipe == "net"


def html(sweep):
    return "<h2>A note</h2>"
'''


@pytest.fixture
def page_with_note(tmp_path, monkeypatch):
    """Return the headings of a page whose folder of sections has one file more."""
    folder = modules_of("kexp.report.sections.sweep")[0].__package__

    def headings(order, recipe="net"):
        (tmp_path / "note.py").write_text(NOTE.format(order=order))
        monkeypatch.setattr(sys.modules[folder], "__path__", [*sys.modules[folder].__path__, str(tmp_path)])
        trials = (TrialRecord(0, "completed", {}, 0.7),)
        page = sweep_page(SweepRecord(recipe, "val_accuracy", "max", "random", trials))
        return re.findall("<h2>(.*?)</h2>", page)

    yield headings
    sys.modules.pop(f"{folder}.note", None)


def test_a_new_file_is_a_section_at_its_place_of_the_page(page_with_note):
    assert page_with_note(order=25)[:3] == ["Progress", "A note", "Learning curves"]


def test_a_section_that_does_not_apply_is_left_out(page_with_note):
    assert "A note" not in page_with_note(order=25, recipe="another")


@pytest.mark.parametrize("page", ["run", "sweep"])
def test_every_section_has_an_order_a_condition_and_html(page):
    modules = modules_of(f"{sections.__name__}.{page}")
    assert len(modules) > 5
    for module in modules:
        assert isinstance(module.ORDER, int)
        assert callable(module.applies)
        assert callable(module.html)
