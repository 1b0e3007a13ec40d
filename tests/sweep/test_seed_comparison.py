"""Retraining tells better from luckier, and opens the test data once."""

import numpy as np
import pytest

from kexp import InputError
from kexp.sweep.seed_comparison import Estimate, compare_seeds, fresh_seeds

CANDIDATES = [{"width": 8}, {"width": 64}, {"width": 65}]
SEEDS = (1, 2, 3, 4, 5)


def run(arguments, seed):
    """Return a figure that a wide net raises, and chance moves by more than one more unit does."""
    chance = np.random.default_rng([arguments["width"], seed]).normal(0.0, 0.01)
    return {"val_accuracy": 0.8 + arguments["width"] / 640 + chance, "test_accuracy": 1.0 - seed}


def retrain(run=run, candidates=CANDIDATES, seeds=SEEDS, metric="val_accuracy", direction="max"):
    runs = [[run(arguments, seed) for seed in seeds] for arguments in candidates]
    return compare_seeds("net", metric, direction, candidates, seeds, runs)


def test_an_interval_is_that_of_the_t_distribution():
    found = Estimate.of([1.0, 2.0, 3.0, 4.0, 5.0])
    # t(0.975, 4 degrees of freedom) = 2.776; sd 1.5811, by the square root of 5: 0.7071.
    assert (found.mean, found.spread) == (3.0, pytest.approx(1.5811, abs=1e-4))
    assert (found.low, found.high) == pytest.approx((3.0 - 1.963, 3.0 + 1.963), abs=1e-3)


def test_two_seeds_are_said_to_be_too_few_and_their_intervals_are_still_of_accuracies():
    found = retrain(seeds=(1, 2)).with_test([{"test_accuracy": 0.99}, {"test_accuracy": 0.86}])
    assert 0 < found.test["test_accuracy"].low < found.test["test_accuracy"].high < 1
    assert "Two seeds are too few for a useful interval" in str(found)
    assert "5 seeds" in str(found)
    assert "too few" not in str(retrain())


def test_an_interval_holds_the_true_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(0.7, 0.1, size=(2000, 5)).tolist()
    held = np.mean([Estimate.of(values).holds(0.7) for values in samples])
    assert 0.935 < held < 0.965


def test_what_chance_alone_sets_apart_is_not_distinguishable_and_what_is_better_is():
    found = retrain()
    assert {found.candidates[0].arguments["width"], found.candidates[1].arguments["width"]} == {64, 65}
    assert [candidate.verdict for candidate in found.candidates] == [
        "not distinguishable from the next",
        "better than the next",
        "",
    ]
    assert "not distinguishable from the next" in str(found)


def test_of_two_that_are_the_same_beyond_chance_few_are_called_better():
    def luck(arguments, seed):
        return {"val_accuracy": np.random.default_rng([arguments["width"], seed, 9]).normal()}

    verdicts = [
        retrain(candidates=CANDIDATES[:2], seeds=range(start, start + 5), run=luck).winner.distinguishable
        for start in range(0, 1500, 5)
    ]
    assert np.mean(verdicts) < 0.08


def test_a_difference_that_every_seed_shows_is_found_however_much_the_seeds_differ():
    def shifted(arguments, seed):
        return {"val_accuracy": seed + 0.001 * arguments["width"] + 1e-4 * np.sin(seed * arguments["width"])}

    winner = retrain(candidates=[{"width": 1}, {"width": 2}], run=shifted).winner
    assert winner.estimate.low < winner.estimate.mean - 1.0
    assert winner.distinguishable


@pytest.mark.parametrize(("direction", "widths"), [("max", [65, 8]), ("min", [8, 65])])
def test_the_order_follows_the_direction_and_ahead_is_never_negative(direction, widths):
    found = retrain(candidates=[CANDIDATES[0], CANDIDATES[2]], direction=direction)
    assert [candidate.arguments["width"] for candidate in found.candidates] == widths
    assert found.winner.ahead.mean > 0
    assert found.winner.distinguishable


def test_test_data_chooses_nothing_and_is_told_of_the_winner_alone():
    found = retrain()
    assert found.test == {}
    assert "test_accuracy" not in str(found)
    told = found.with_test([{"val_accuracy": 0.0, "test_accuracy": 0.5 + seed / 100} for seed in SEEDS])
    assert list(told.test) == ["test_accuracy"]
    assert told.test["test_accuracy"].mean == pytest.approx(0.53)
    assert told.candidates == found.candidates
    with pytest.raises(InputError, match="test data chooses nothing"):
        retrain(metric="test_accuracy")


def test_a_candidate_that_fails_with_one_seed_comes_last_and_does_not_win():
    def fragile(arguments, seed):
        return {} if arguments["width"] == 65 and seed == 3 else run(arguments, seed)

    found = retrain(run=fragile)
    assert found.candidates[-1].arguments == {"width": 65}
    assert np.isnan(found.candidates[-1].values[2])
    assert found.candidates[-2].verdict == "no comparison with the next: a run gave no value"


def test_the_table_has_a_row_per_candidate_best_first_with_a_column_per_seed():
    found = retrain()
    frame = found.to_frame()
    assert list(frame["mean"]) == sorted(frame["mean"], reverse=True)
    for place in range(3):
        assert frame.loc[place, "seed 4"] == run(CANDIDATES[place], 4)["val_accuracy"]


def test_fresh_seeds_are_none_that_the_search_has_used():
    assert fresh_seeds(4, used=[0, 1, 3]) == (2, 4, 5, 6)
    assert fresh_seeds(2, used=[]) == (1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": []}, "candidates must be"),
        ({"seeds": (1,)}, "seeds must be"),
        ({"seeds": (1, 1, 2)}, "seeds must be"),
        ({"metric": "val_acuracy"}, "metric must be one that a run gives; received 'val_acuracy'"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        retrain(**change)
