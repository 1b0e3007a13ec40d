"""Schedules have the values of their closed forms at every step; they can be joined, scaled, saved, drawn."""

import json
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp import InputError
from kexp.core.options import ScheduleName, check_rise
from kexp.train import schedules
from kexp.train.schedules import Schedule, scale_learning_rate

STEPS, PEAK = 140, 0.2
FRACTIONS = np.arange(STEPS + 1) / STEPS


def half_period(x):
    return (1 + np.cos(np.pi * x)) / 2


def restarts(fraction):
    """Three periods: a seventh of the run, two and four sevenths."""
    return np.select(
        [fraction < 1 / 7, fraction < 3 / 7],
        [half_period(fraction * 7), half_period((fraction * 7 - 1) / 2)],
        half_period((fraction * 7 - 3) / 4),
    )


def one_cycle(fraction):
    rising = 0.04 + 0.96 * (1 - half_period(fraction / 0.3))
    return np.where(fraction < 0.3, rising, half_period((fraction - 0.3) / 0.7))


# In float32 the logarithm of cosine_log is rounded to 2e-7 of a wave.
ROUNDING = {"cosine_log": 5e-7}
CLOSED_FORMS = {
    "constant": np.ones_like,
    "plateau": np.ones_like,
    "linear": lambda fraction: 1 - fraction,
    "cosine": half_period,
    "cosine_log": lambda fraction: (1 - np.cos(2 * np.pi * np.log2(1 + 15 * fraction))) / 2,
    "cosine_restarts": restarts,
    "exponential": lambda fraction: 0.01**fraction,
    "polynomial": lambda fraction: (1 - fraction) ** 2,
    "one_cycle": one_cycle,
}


def rates(schedule, steps=STEPS + 1):
    return schedule(np.arange(steps)).numpy()


def test_every_curve_that_an_option_names_is_tested_here():
    assert set(CLOSED_FORMS) == set(get_args(ScheduleName))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_curve_has_the_values_of_its_closed_form_at_every_step(name):
    expected = PEAK * CLOSED_FORMS[name](FRACTIONS)
    np.testing.assert_allclose(rates(Schedule(name, PEAK, STEPS)), expected, atol=ROUNDING.get(name, 1e-7))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_curve_begins_after_a_linear_warm_up(name):
    schedule = Schedule(name, PEAK, STEPS + 10, warmup_steps=10)
    expected = np.concatenate([PEAK * np.arange(1, 11) / 10, PEAK * CLOSED_FORMS[name](FRACTIONS)])
    np.testing.assert_allclose(rates(schedule, STEPS + 11), expected, atol=ROUNDING.get(name, 1e-7))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_after_a_warm_up_the_rate_goes_on_where_it_is_or_both_are_refused_together(name, tmp_path):
    schedule = Schedule(name, PEAK, STEPS, warmup_steps=STEPS // 10)
    at_junction = rates(schedule)[STEPS // 10 - 1 : STEPS // 10 + 1]
    if np.ptp(at_junction) < 0.01 * PEAK:
        check_rise({"schedule": name, "warmup": 0.1})
        return
    network = kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="uint8")
    phases = [kexp.Phase(1, None, schedule=name)]
    for given in ({"schedule": name}, {"phases": phases}):
        options = {**given, "warmup": 0.1, "run_dir": str(tmp_path / "run"), "quiet": True}
        with pytest.raises(InputError, match=f"warmup must be 0 with schedule '{name}'"):
            kexp.fit(network, kexp.data.load("digits"), **options)
    assert not (tmp_path / "run").exists()


def test_one_step_at_a_time_has_the_values_of_all_steps_at_once():
    schedule = Schedule("one_cycle", PEAK, STEPS, warmup_steps=10)
    one_by_one = [float(schedule(keras.Variable(step, dtype="int"))) for step in range(0, STEPS, 7)]
    np.testing.assert_allclose(one_by_one, rates(schedule)[:STEPS:7], atol=1e-8)


@pytest.mark.parametrize("steps", [7, 21, 700, 7007])
def test_cosine_restarts_are_back_at_the_peak_at_the_very_step(steps):
    schedule = Schedule("cosine_restarts", 1.0, steps)
    for sevenths in (0, 1, 3):
        assert float(schedule(steps * sevenths // 7)) == pytest.approx(1.0, abs=1e-5)
    assert float(schedule(steps)) == pytest.approx(0.0, abs=1e-5)


def test_settings_of_curves_have_their_effect():
    np.testing.assert_allclose(schedules.polynomial(3)(FRACTIONS), (1 - FRACTIONS) ** 3, atol=1e-6)
    np.testing.assert_allclose(schedules.exponential(0.1)(FRACTIONS), 0.1**FRACTIONS, atol=1e-6)
    np.testing.assert_allclose(schedules.cosine_restarts(1)(FRACTIONS), half_period(FRACTIONS), atol=1e-6)


def test_joined_curves_each_run_through_in_their_part():
    curve = schedules.joined([schedules.linear(), schedules.polynomial(), schedules.constant()], [0.2, 0.6])
    expected = np.select(
        [FRACTIONS < 0.2, FRACTIONS < 0.6], [1 - FRACTIONS / 0.2, (1 - (FRACTIONS - 0.2) / 0.4) ** 2], 1.0
    )
    np.testing.assert_allclose(rates(Schedule(curve, 1.0, STEPS)), expected, atol=1e-6)


def test_the_momentum_of_one_cycle_is_low_where_the_rate_is_high():
    curve = schedules.momentum(0.95, 0.85)
    expected = np.where(
        FRACTIONS < 0.3,
        0.85 + 0.1 * half_period(FRACTIONS / 0.3),
        0.95 - 0.1 * half_period((FRACTIONS - 0.3) / 0.7),
    )
    momenta = curve(FRACTIONS).numpy()
    np.testing.assert_allclose(momenta, expected, atol=1e-6)
    assert np.argmin(momenta) == np.argmax(rates(Schedule("one_cycle", PEAK, STEPS)))


def test_a_scaled_schedule_keeps_its_curve_also_in_a_graph_traced_before():
    schedule = Schedule("linear", 1.0, STEPS, warmup_steps=5)
    in_graph = tf.function(schedule, autograph=False)
    steps = tf.range(STEPS + 1)
    before = in_graph(steps).numpy()
    scale_learning_rate(keras.optimizers.SGD(schedule), 0.25)
    scale_learning_rate(keras.optimizers.SGD(schedule), 0.5)
    np.testing.assert_array_equal(in_graph(steps), before * 0.125)
    assert float(schedule.variables[0].numpy()) == 0.125


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_scaling_reaches_a_schedule_and_a_plain_number_also_through_loss_scaling(wrap):
    for rate in (0.5, Schedule("constant", 0.5, STEPS)):
        optimizer = wrap(keras.optimizers.Adam(rate))
        scale_learning_rate(optimizer, 0.5)
        assert float(optimizer.learning_rate) == 0.25


def test_a_schedule_of_keras_own_cannot_be_scaled():
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(InputError, match=r"kexp\.schedules\.Schedule.*received CosineDecay"):
        scale_learning_rate(optimizer, 0.5)


def test_schedules_are_drawn_against_the_step_with_their_names():
    drawn = {"one": Schedule("one_cycle", PEAK, STEPS), "restarts": Schedule("cosine_restarts", PEAK, STEPS)}
    (axes,) = schedules.plot(drawn, STEPS).axes
    assert axes.get_xlabel() == "step (optimizer steps)"
    assert axes.get_ylabel() == "learning rate (per step)"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "restarts"]
    for line, schedule in zip(axes.lines, drawn.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(STEPS))
        np.testing.assert_allclose(line.get_ydata(), rates(schedule, STEPS), atol=1e-7)


def test_a_single_schedule_needs_no_legend():
    (axes,) = schedules.plot(Schedule("linear", PEAK, STEPS), STEPS).axes
    assert axes.get_legend() is None


NESTED = schedules.joined([schedules.cosine_restarts(2), schedules.polynomial(3.0)], [0.25])


@pytest.mark.parametrize("curve", ["one_cycle", schedules.exponential(0.2), NESTED])
def test_a_schedule_has_the_same_curve_after_its_configuration_went_through_json(curve):
    schedule = Schedule(curve, PEAK, STEPS, warmup_steps=3)
    text = json.dumps(keras.saving.serialize_keras_object(schedule))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(rates(again), rates(schedule))


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Schedule("cosin", 0.1, 10), "did you mean 'cosine'"),
        (lambda: Schedule("cosine", 0.1, 0), "steps must be"),
        (lambda: schedules.cosine_restarts(0), "periods must be"),
        (lambda: schedules.joined([schedules.linear(), schedules.linear()], []), "1 rising fractions"),
        (lambda: schedules.joined([schedules.linear()] * 3, [0.5, 0.5]), "2 rising fractions"),
        (lambda: Schedule(lambda fraction: fraction, 0.1, 10).get_config(), "curve must be made by"),
    ],
)
def test_what_makes_no_schedule_is_said_in_one_sentence(make, part):
    with pytest.raises(InputError, match=part):
        make()


@pytest.mark.parametrize(
    ("recorded", "same"),
    [
        ("one_cycle", "one_cycle"),
        ({"function": "polynomial", "power": 3.0}, schedules.polynomial(3)),
        (
            {
                "function": "joined",
                "courses": [{"function": "cosine_restarts", "periods": 2}, {"function": "constant"}],
                "boundaries": [0.25],
            },
            schedules.joined([schedules.cosine_restarts(2), schedules.constant()], [0.25]),
        ),
    ],
)
def test_a_configuration_that_calls_the_curve_a_course_is_still_read(recorded, same):
    old = {"course": recorded, "peak": PEAK, "steps": STEPS, "warmup_steps": 3}
    np.testing.assert_array_equal(
        rates(Schedule.from_config(old)), rates(Schedule(same, PEAK, STEPS, warmup_steps=3))
    )
