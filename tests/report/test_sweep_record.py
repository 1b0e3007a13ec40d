"""A sweep as plain data: positions in the space, the ranking, the table."""

import dataclasses
import json
import math

import pytest

from kexp.core.search import Dimension
from kexp.report import SweepRecord, TrialRecord, read_history
from kexp.report.sweep_record import fences


def sweep_of(*scores, direction="max"):
    trials = [TrialRecord(number, "completed", {}, score) for number, score in enumerate(scores)]
    return SweepRecord("net", "val_accuracy", direction, "random", tuple(trials))


@pytest.mark.parametrize(
    "argument",
    [
        Dimension("rate", "float", 1e-5, 1e-1, log=True),
        Dimension("dropout", "float", 0.0, 0.5),
        Dimension("width", "int", 8, 256),
        Dimension("hidden", "choice", choices=((64,), (64, 32), (8, 8, 8))),
    ],
    ids=lambda argument: argument.name,
)
def test_values_all_over_a_range_lie_in_order_between_0_and_1(argument):
    positions = [argument.position(argument.value(share)) for share in (0.0, 0.3, 0.6, 0.9999)]
    assert positions == sorted(positions)
    assert positions[0] == 0.0
    assert positions[-1] == pytest.approx(1.0, abs=1e-3)


def test_a_tuple_that_went_through_json_is_still_the_choice_that_it_was():
    argument = Dimension("hidden", "choice", choices=((64,), (64, 32)), condition=("deep", (True,)))
    again = Dimension.from_json(json.loads(json.dumps(dataclasses.asdict(argument))))
    assert again.position((64, 32)) == argument.position([64, 32]) == 1.0
    assert again.condition == ("deep", (True,))


@pytest.mark.parametrize(("direction", "best"), [("max", 2), ("min", 0)])
def test_the_best_trial_is_the_first_with_the_best_score_in_the_right_direction(direction, best):
    assert sweep_of(0.1, 0.5, 0.9, 0.9, 0.1, direction=direction).best.number == best


def test_a_trial_that_did_not_complete_or_has_no_finite_score_is_not_ranked():
    trials = (
        TrialRecord(0, "pruned", {}, 0.99),
        TrialRecord(1, "completed", {}, math.nan),
        TrialRecord(2, "completed", {}, None),
        TrialRecord(3, "completed", {}, 0.5),
    )
    record = SweepRecord("net", "val_accuracy", "max", "random", trials)
    assert [trial.number for trial in record.ranking] == [3]
    assert record.standing == {3: 1.0}


def test_the_table_has_a_row_per_trial_and_a_column_per_argument_and_metric():
    trials = (
        TrialRecord(0, "completed", {"rate": 0.1}, 0.9, metrics={"val_accuracy": 0.9}),
        TrialRecord(1, "failed", {"rate": 0.2, "momentum": 0.5}, error="out of memory"),
    )
    searched = (Dimension("rate", "float"), Dimension("momentum", "float"))
    frame = SweepRecord("net", "val_accuracy", "max", "grid", trials, searched).to_frame()
    assert frame.loc[0, "val_accuracy"] == 0.9
    assert frame.loc[1, "momentum"] == 0.5
    assert frame.loc[1, "error"] == "out of memory"


def test_one_loss_that_is_far_out_does_not_widen_the_range_and_two_groups_both_belong():
    assert fences([0.1, 0.2, 0.3, 0.4, 0.5, 1e9]) == (0.1, 0.5)
    assert fences([0.1] * 10 + [0.9] * 10) == (0.1, 0.9)


def test_the_history_of_a_run_that_was_killed_while_writing_ends_before_the_torn_line(tmp_path):
    lines = ['{"epoch": 1, "loss": 0.5}', '{"epoch": 2, "loss": NaN}', '{"epoch": 3, "lo']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    history = read_history(tmp_path)
    assert list(history) == ["loss"]
    assert history["loss"][0] == 0.5
    assert math.isnan(history["loss"][1])
    assert len(history["loss"]) == 2
