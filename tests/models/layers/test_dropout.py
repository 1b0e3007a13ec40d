"""Stochastic depth skips whole branches as often as it says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError

BRANCH = np.random.default_rng(0).normal(1.0, 0.1, (4000, 2, 2, 3)).astype("float32")


def test_inference_changes_nothing():
    layer = kexp.models.StochasticDepth(0.4)
    np.testing.assert_array_equal(layer(BRANCH), BRANCH)
    np.testing.assert_array_equal(layer(BRANCH, training=False), BRANCH)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4, 0.9])
def test_whole_samples_are_dropped_at_the_rate_and_the_expectation_stays(rate):
    dropped = kexp.models.StochasticDepth(rate, seed=0)(BRANCH, training=True).numpy()
    gone = (dropped == 0).all(axis=(1, 2, 3))
    assert gone.mean() == pytest.approx(rate, abs=0.025)
    np.testing.assert_allclose(dropped[~gone], BRANCH[~gone] / (1 - rate), rtol=1e-5)
    assert dropped.mean() == pytest.approx(BRANCH.mean(), abs=0.2 * rate + 1e-6)


def test_the_draws_come_again_when_the_state_is_restored():
    layer = kexp.models.StochasticDepth(0.5)
    layer(BRANCH, training=True)
    (state,) = layer.variables
    saved = np.copy(state)
    first, second = layer(BRANCH, training=True), layer(BRANCH, training=True)
    state.assign(saved)
    np.testing.assert_array_equal(layer(BRANCH, training=True), first)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_it_compiles_under_xla_in_any_precision_and_with_an_open_batch_axis(policy):
    layer = kexp.models.StochasticDepth(0.25, seed=0, dtype=policy)
    run = tf.function(lambda branch: layer(branch, training=True), jit_compile=True, reduce_retracing=True)
    for count in (4000, 2000):
        dropped = run(tf.constant(BRANCH[:count]))
        assert dropped.dtype == layer.compute_dtype
        gone = (tf.cast(dropped, tf.float32).numpy() == 0).all(axis=(1, 2, 3))
        assert gone.mean() == pytest.approx(0.25, abs=0.03)


def test_it_is_saved_with_its_rate_and_seed():
    layer = kexp.models.StochasticDepth(0.25, seed=3)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (again.rate, again.seed) == (0.25, 3)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(InputError, match="rate must be a number from 0 to below 1"):
        kexp.models.StochasticDepth(rate)
