"""Every family's whole step, with its updates, is one XLA program of static shapes, as a TPU needs it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kexp import recipes
from kexp.run.context import capture_training
from tests.recipes.every import TINY, tiny

BATCH = 8
# Of each kind of objective one; the layers of the others are compiled by the tests of their builders.
FAMILIES = (
    *("cnn_images", "detect_images", "diffusion_images", "gan_images", "image_text", "transformer_lm"),
    "vae_images",
)
# What a program would call on the host, or wait for.
HOST = ("infeed", "outfeed", "send(", "recv(", "custom-call")


def steps(engine, jit, count=3):
    """Return the losses of some steps, and the program if it is XLA's."""
    step = tf.function(lambda row: engine.step(row, BATCH), jit_compile=jit, autograph=False)
    rows = [tf.constant(np.arange(first, first + BATCH), tf.int32) for first in range(count)]
    losses = [float(step(row)[0]) for row in rows]
    return losses, step.experimental_get_compiler_ir(rows[0])(stage="hlo") if jit else ""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_whole_step_is_one_program_that_calls_no_host(name, digits_run):
    recipe = getattr(recipes, name)
    keras.backend.clear_session()

    def compare(training):
        engine = training.engine()
        start = engine.read_state()
        plain, _ = steps(engine, jit=False)
        engine.restore_state(start)
        return plain, *steps(engine, jit=True)

    plain, compiled, program = capture_training(
        compare,
        recipe,
        **tiny(name, digits_run),
        batch_size=BATCH,
        optimizer="momentum",
        learning_rate=1e-3,
        quiet=True,
    )
    np.testing.assert_allclose(compiled, plain, rtol=1e-3)
    assert not [call for call in HOST if call in program]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn_images", "transformer_lm"])
def test_so_is_one_in_bfloat16(name):
    def losses(training):
        return steps(training.engine(), jit=True)

    arguments = {**TINY.get(name, {}), "batch_size": BATCH, "precision": "bfloat16", "quiet": True}
    compiled, program = capture_training(losses, getattr(recipes, name), **arguments)
    assert np.isfinite(compiled).all()
    assert "bf16[" in program
