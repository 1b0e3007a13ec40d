"""Stochastic depth skips whole branches as often as it says; normalisation by batch does not see padding."""

import subprocess
import sys
import textwrap

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


STEPS = np.random.default_rng(1).normal(2.0, 3.0, (6, 5, 2)).astype("float32")
MASK = np.arange(5) < np.array([5, 3, 1, 0, 4, 5])[:, None]


def test_masked_normalization_is_that_of_the_real_steps_alone():
    masked, plain = kexp.models.MaskedBatchNormalization(), keras.layers.BatchNormalization()
    expected = plain(STEPS[MASK], training=True)
    spoilt = np.where(MASK[..., None], STEPS, 1e6).astype("float32")
    np.testing.assert_allclose(masked(spoilt, mask=MASK, training=True)[MASK], expected, atol=1e-4)
    for one, other in zip(masked.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
    inference = masked(spoilt, mask=MASK, training=False)[MASK]
    np.testing.assert_allclose(inference, plain(STEPS[MASK], training=False), atol=1e-4)


def test_masked_normalization_without_a_mask_is_that_of_keras():
    masked, plain = kexp.models.MaskedBatchNormalization(), keras.layers.BatchNormalization()
    np.testing.assert_array_equal(masked(STEPS, training=True), plain(STEPS, training=True))


@pytest.mark.slow
def test_masked_normalization_on_replicas_is_that_of_one_device():
    # In a process of its own: devices are set up before TensorFlow is used.
    program = """
        import numpy as np, tensorflow as tf
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        from kexp.models import MaskedBatchNormalization
        from tests.models.test_layers import MASK, STEPS
        single = MaskedBatchNormalization()
        expected = single(STEPS, mask=MASK, training=True).numpy()
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            layer = MaskedBatchNormalization(synchronized=True)
            layer.build(STEPS.shape)
        def share():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            first, last = 4 * replica, 4 + 2 * replica
            return layer(tf.constant(STEPS)[first:last], mask=tf.constant(MASK)[first:last], training=True)
        parts = strategy.experimental_local_results(tf.function(lambda: strategy.run(share))())
        np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-5)
        for one, other in zip(layer.weights, single.weights):
            np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
