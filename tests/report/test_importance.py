"""Importance finds the argument that was planted, and says so when nothing can be found."""

import dataclasses
import math

import pytest

from kexp.report import SweepRecord, importance
from tests.report.planted import planted


def test_the_one_argument_that_decides_has_nearly_all_and_the_others_nearly_nothing():
    found = importance(planted(150, lambda a: -((math.log10(a["learning_rate"]) + 2.5) ** 2)))
    assert next(iter(found.total)) == "learning_rate"
    assert found.total["learning_rate"] > 0.9
    assert all(found.total[name] < 0.05 for name in ("optimizer", "momentum", "width", "hidden"))
    assert found.explained > 0.8


def test_a_choice_is_one_argument_and_so_is_a_tuple():
    found = importance(planted(80, lambda a: (a["optimizer"] == "sgd") + 0.3 * (a["hidden"] == (64,))))
    assert list(found.total)[:2] == ["optimizer", "hidden"]
    assert found.total["optimizer"] > 3 * found.total["hidden"] > 0.1


def test_arguments_that_act_only_together_are_important_and_neither_is_so_alone():
    found = importance(planted(200, lambda a: (a["width"] > 128) ^ (a["hidden"] == (64,))))
    assert set(list(found.total)[:2]) == {"width", "hidden"}
    assert min(found.total["width"], found.total["hidden"]) > 0.75
    assert max(found.alone.values()) < 0.2


def test_an_argument_that_counts_only_with_another_shares_importance_with_it():
    found = importance(planted(200, lambda a: a.get("momentum", 0.2)))
    assert set(list(found.total)[:2]) == {"optimizer", "momentum"}
    assert found.total["width"] < 0.02


def test_importance_is_of_the_space_even_where_a_search_has_looked_in_one_corner():
    wide = planted(300, lambda a: a["width"] / 256)
    narrow = [trial for trial in wide.trials if trial.arguments["width"] > 200 or trial.number % 5 == 0]
    found = importance(dataclasses.replace(wide, trials=tuple(narrow)))
    assert found.total["width"] > 0.9


def test_one_far_out_score_does_not_decide():
    record = planted(100, lambda a: a["width"] / 256)
    spoilt = dataclasses.replace(record.trials[0], score=-1e9)
    found = importance(dataclasses.replace(record, trials=(spoilt, *record.trials[1:])))
    assert found.total["width"] > 0.8


def test_the_same_seed_gives_the_same_shares():
    record = planted(12, lambda a: a["width"] / 256)
    assert importance(record, seed=3) == importance(record, seed=3) != importance(record, seed=4)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (planted(9, lambda a: a["width"]), "9 trials have completed, and it takes 10"),
        (planted(20, lambda a: 0.5, noise=0.0), "equal"),
        (planted(60, lambda a: 0.0, noise=1.0), "do not explain"),
        (SweepRecord("net", "loss", "min", "random", ()), "nothing was searched"),
    ],
    ids=["few", "equal", "noise", "empty"],
)
def test_without_a_sensible_answer_there_is_a_reason_in_its_place(record, reason):
    found = importance(record)
    assert reason in found.reason
    assert not found.total
    assert found.to_frame().empty
