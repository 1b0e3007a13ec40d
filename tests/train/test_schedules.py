"""Schedules have the values of their closed forms, and work in a bare Keras fit."""

import math

import keras
import numpy as np
import pytest

from kexp.train.schedules import Schedule


def test_cosine_follows_half_a_period_after_a_linear_warm_up():
    schedule = Schedule("cosine", peak=0.2, steps=50, warmup_steps=10)
    for step in range(51):
        rising = 0.2 * (step + 1) / 10
        falling = 0.1 * (1 + math.cos(math.pi * (step - 10) / 40))
        expected = rising if step < 10 else falling
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-7)


def test_linear_falls_from_the_peak_to_zero():
    schedule = Schedule("linear", peak=1.0, steps=4)
    assert [float(schedule(step)) for step in range(5)] == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])


def test_one_cycle_starts_at_a_25th_peaks_at_three_tenths_and_ends_near_zero():
    schedule = Schedule("one_cycle", peak=1.0, steps=100)
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert np.argmax(rates) == 30
    assert rates[30] == pytest.approx(1.0)
    assert rates[65] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-7)


def test_a_schedule_works_in_plain_keras_and_survives_saving(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(Schedule("linear", peak=0.1, steps=8)), loss="mse")
    inputs = np.ones((8, 3), "float32")
    model.fit(inputs, np.zeros((8, 1), "float32"), batch_size=2, epochs=1, verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
