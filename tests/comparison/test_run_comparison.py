"""kexp compare: groups over seeds, figures, paired tests on the same rows, and the page."""

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.comparison.paired_test import paired_test


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Return the folders of two seeds of one recipe, and of the same seeds with another width."""
    folder = tmp_path_factory.mktemp("runs")
    for hidden in (16, 32):
        for seed in (0, 1):
            options = {"hidden": (hidden,), "seed": seed, "epochs": 2, "quiet": True}
            recipes.mlp_images(data="digits", run_dir=str(folder / f"{hidden}-{seed}"), **options)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def compared(several):
    return kexp.compare(*several)


def test_runs_that_differ_in_their_seed_alone_are_a_group_with_intervals(compared):
    assert [group.seeds for group in compared.groups] == [(0, 1), (0, 1)]
    first, other = compared.figures["val_accuracy"]
    assert first.low < first.mean < first.high
    assert first.mean == pytest.approx(np.mean(compared.groups[0].values("val_accuracy")))
    ahead = compared.ahead["val_accuracy"]["A", "B"]
    assert ahead.mean == pytest.approx(first.mean - other.mean)
    assert compared.arguments == {"hidden": ["[16]", "[32]"]}


def test_the_same_validation_rows_are_judged_by_both(compared):
    test = compared.paired[0]
    record = compared.groups[0].records[0]
    assert test.values[0] == pytest.approx(record.metrics["val_accuracy"])
    assert (test.figure, test.test, test.seed) == ("accuracy", "McNemar", 0)
    assert not {*test.only_first} & {*test.only_other}
    rows = len(compared.reported[record.run_dir].judged_rows)
    ahead = test.values[0] - test.values[1]
    assert ahead == pytest.approx((len(test.only_other) - len(test.only_first)) / rows)
    assert test.low <= ahead <= test.high
    assert test.distinguishable == (test.p_value < 0.05)


def test_runs_on_other_rows_are_not_tested_and_it_is_said_why(several, compared):
    sides = [compared.reported[several[0]], compared.reported[several[2]]]
    from kexp.report.reported import ReportedRun
    from kexp.report.run_page import recorded_data

    other = kexp.load(several[1])
    with pytest.raises(kexp.InputError, match="other rows"):
        paired_test("A", "B", 0, sides[0], ReportedRun(other, recorded_data(other)))
    found = kexp.compare(several[0], several[3])
    assert "no seed in common" in found.notes[0]
    assert not found.paired


def test_values_are_compared_by_their_errors_on_the_same_rows(tmp_path):
    for hidden in (16, 64):
        options = {"hidden": (hidden,), "epochs": 1, "quiet": True, "run_dir": str(tmp_path / str(hidden))}
        recipes.mlp_tabular(data="diabetes", **options)
    test = kexp.compare(tmp_path / "16", tmp_path / "64").paired[0]
    assert (test.figure, test.test) == ("mean squared error", "Wilcoxon")
    record = kexp.load(tmp_path / "16")
    assert test.values[0] ** 0.5 == pytest.approx(record.metrics["val_root_mean_squared_error"], rel=1e-4)
    assert test.low <= test.values[0] - test.values[1] <= test.high


def test_the_page_has_figures_curves_tests_and_mistakes_of_one_alone(compared, tmp_path):
    page = compared.report(tmp_path / "page.html").read_text()
    for text in ("Metrics", "Arguments that differ", "Curves", "McNemar", "Mistakes that only one makes"):
        assert text in page
    assert page.count("<svg") >= 2
    assert "data:image/png" in page
    assert len(page) < 5_000_000


def test_the_command_needs_no_model_for_recorded_figures(several, run_kexp):
    done = run_kexp("compare", *several, "--no-predictions")
    assert done.returncode == 0, done.stderr
    assert "val_accuracy" in done.stdout
    assert "hidden" in done.stdout
    one = run_kexp("compare", several[0])
    assert (one.returncode, "two or more" in one.stderr) == (2, True)
