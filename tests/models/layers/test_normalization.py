"""Normalisation by batch does not see padding."""

import sys
import textwrap

import keras
import numpy as np
import pytest

import kexp
from tests.forked_python import forked

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
        from tests.models.layers.test_normalization import MASK, STEPS
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
    done = forked.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
