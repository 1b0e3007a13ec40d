"""Every algorithm searches a planted function, proposes the same again, and lives with failures."""

import math
from collections import Counter

import pytest

from kexp.core.errors import InputError
from kexp.core.search import Dimension
from kexp.sweep.search.algorithms import algorithm_for
from kexp.sweep.search.oracles import keras_tuner
from kexp.sweep.space.space import Space

SPACE = Space(
    (
        Dimension("kind", "choice", choices=("a", "b")),
        Dimension("rate", "float", 1e-4, 1e-1, log=True),
        Dimension("shape", "choice", choices=((8,), (16, 8), None)),
        Dimension("gate", "float", 0.0, 1.0, condition=("kind", ("b",))),
    ),
    {},
)


BAYESIAN = pytest.param("bayesian", marks=pytest.mark.slow)  # a Gaussian process for each proposal


def planted(values):
    """Best at 1 with kind b, rate 10^-2.5 and gate 0.3."""
    gate = (values["gate"] - 0.3) ** 2 if values["kind"] == "b" else 0.5
    return 1 - (math.log10(values["rate"]) + 2.5) ** 2 - gate


def proposals(algorithm, trials, score=planted):
    found = []
    while not isinstance(answer := algorithm.ask(trials), str):
        found.append((answer.number, answer.values, answer.epochs))
        algorithm.tell(answer.number, score(answer.values))
    return found


@pytest.mark.parametrize(
    ("name", "trials"),
    [("random", 60), ("grid", 90), pytest.param("bayesian", 13, marks=pytest.mark.slow), ("hyperband", 60)],
)
def test_the_optimum_of_a_planted_function_is_found(name, trials):
    found = proposals(algorithm_for(name, SPACE, seed=0, epochs=9), trials)
    best = max((values for _, values, _ in found), key=planted)
    assert best["kind"] == "b"
    assert planted(best) > 0.9
    assert all(("gate" in values) == (values["kind"] == "b") for _, values, _ in found)
    assert {type(values["rate"]) for _, values, _ in found} == {float}


@pytest.mark.parametrize("name", ["random", "grid", BAYESIAN, "hyperband"])
def test_the_same_questions_get_the_same_answers_and_another_seed_others(name):
    def values(seed):
        return [values for _, values, _ in proposals(algorithm_for(name, SPACE, seed, epochs=9), 11)]

    assert values(0) == values(0)
    assert (values(0) == values(1)) == (name == "grid")


def test_random_and_grid_do_not_wait_for_results():
    for name in ("random", "grid"):
        told, silent = (algorithm_for(name, SPACE, 3, 9) for _ in range(2))
        assert proposals(told, 12) == proposals(silent, 12, score=lambda values: None)


def test_a_grid_ends_with_its_last_combination():
    found = [values for _, values, _ in proposals(algorithm_for("grid", SPACE, 0, 9), 1000)]
    assert len(found) == 5 * 3 + 5 * 3 * 5
    assert len({str(values) for values in found}) == len(found)
    assert found[0] == {"kind": "a", "rate": 1e-4, "shape": (8,)}


def test_a_small_space_is_exhausted_without_repeats():
    space = Space((Dimension("kind", "choice", choices=("a", "b", "c")),), {})
    found = proposals(algorithm_for("random", space, 0, 9), 50, score=lambda values: 0.0)
    assert sorted(values["kind"] for _, values, _ in found) == ["a", "b", "c"]


def test_bayesian_search_turns_away_from_trials_that_fail():
    def fails_on_the_left(values):
        return None if values["x"] < 0.5 else values["x"]

    space = Space((Dimension("x", "float", 0.0, 1.0),), {})
    found = proposals(algorithm_for("bayesian", space, 0, 9), 9, score=fails_on_the_left)
    assert all(values["x"] > 0.5 for _, values, _ in found[3:])


def test_hyperband_promotes_the_best_with_more_epochs_also_past_a_failure():
    algorithm = algorithm_for("hyperband", SPACE, 0, epochs=9)
    scores = {}

    def score(values):
        scores[str(values)] = planted(values)
        return None if len(scores) == 4 else scores[str(values)]

    found = proposals(algorithm, 9, score)
    assert [epochs for number, _, epochs in found] == [1] * 9 + [3] * 3 + [9]
    first = {number: planted(values) for number, values, epochs in found if epochs == 1 and number != 3}
    promoted = [number for number, _, epochs in found if epochs == 3]
    assert sorted(promoted) == sorted(sorted(first, key=first.get)[-3:])
    assert algorithm.may_continue() == set()


@pytest.mark.parametrize("epochs", [9, 27])
def test_hyperbands_work_is_what_its_formula_says(epochs):
    # Li et al. 2018, algorithm 1 with eta 3; KerasTuner rounds the size of a round up.
    most = round(math.log(epochs, 3))
    work, trials = Counter(), 0
    for bracket in range(most, -1, -1):
        first = math.ceil((most + 1) / (bracket + 1) * 3**bracket)
        trials += first
        for number in range(bracket + 1):
            work[epochs // 3 ** (bracket - number)] += math.ceil(first / 3**number)
    found = proposals(algorithm_for("hyperband", SPACE, 0, epochs), trials)
    assert Counter(epochs for _, _, epochs in found) == work
    assert len({number for number, _, _ in found}) == trials


def test_hyperband_halves_a_bracket_that_the_trials_do_not_fill():
    found = proposals(algorithm_for("hyperband", SPACE, 0, epochs=9), 5)
    assert {number for number, _, _ in found} == set(range(5))
    assert [epochs for _, _, epochs in found] == [1] * 5 + [3] * 3 + [9]


@pytest.mark.parametrize("name", ["random", "grid", "bayesian", "hyperband"])
def test_an_algorithm_goes_on_after_what_it_was_asked_and_told(name):
    whole, again = (algorithm_for(name, SPACE, 0, epochs=9) for _ in range(2))
    for _ in range(8):
        answer = whole.ask(12)
        again.replay(12, answer.values)
        for algorithm in (whole, again):
            algorithm.tell(answer.number, planted(answer.values))
    assert whole.ask(12) == again.ask(12)


def test_an_oracle_of_the_callers_own_proposes():
    oracle = keras_tuner().oracles.RandomSearchOracle(objective="val_loss", max_trials=3, seed=7)
    found = proposals(algorithm_for("random", SPACE, 0, 9, oracle), 5)
    assert len(found) == 5
    assert not oracle.trials  # a copy was asked
    used = keras_tuner().oracles.RandomSearchOracle(objective="val_loss", max_trials=3, seed=7)
    used.trials["0"] = None
    with pytest.raises(InputError, match="oracle must be a new one"):
        algorithm_for("random", SPACE, 0, 9, used)
