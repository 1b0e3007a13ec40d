"""A snapshot of the state is that of its moment, whatever is computed before it is read."""

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.run.context import capture_training
from tests.recipes.every import tiny

FAMILIES = {
    "cnn_images": {"normalization": "batch", "ema": 0.9, "clip_norm": 1.0},
    "lstm_text": {"optimizer": "sgd"},  # an embedding, whose gradient has some rows alone
    "gan_images": {},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "jit"),
    # Batches of texts have lengths of their own, and are not compiled.
    [(name, jit) for name in FAMILIES for jit in (False, True) if not (jit and name == "lstm_text")],
)
def test_steps_validation_and_new_values_leave_a_snapshot_as_it_was(name, jit, digits_run):
    def compare(training):
        engine = training.engine()
        engine.jit = jit
        rows = np.arange(64, dtype=np.int32).reshape(4, 16)
        engine.run(rows, 16)
        before, later = engine.read_state(), engine.snapshot()
        engine.run(rows, 16)
        if name != "gan_images":  # whose samples are not worth a look yet
            engine.validate(16)
        changed = [name for name, array in engine.read_state().items() if (array != before[name]).any()]
        assert len(changed) > len(before) / 2
        engine.restore_state({name: np.zeros_like(array) for name, array in before.items()})
        found = later()
        assert found.keys() == before.keys()
        for key, array in before.items():
            np.testing.assert_array_equal(found[key], array, err_msg=key)

    keras.backend.clear_session()
    arguments = {**tiny(name, digits_run), **FAMILIES[name], "batch_size": 16, "quiet": True}
    capture_training(compare, getattr(recipes, name), **arguments)


def test_a_checkpoint_that_cannot_be_written_is_said_and_the_run_ends(tmp_path, monkeypatch):
    from kexp.train.checkpoint import run_checkpoints

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(run_checkpoints, "save_checkpoint", fail)
    model = kexp.models.mlp((4,), 3, hidden=(4,))
    x, y = np.zeros((8, 4), "float32"), np.zeros(8, "int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with pytest.raises(OSError, match="Input/output error"):
        kexp.fit(model, x, y, loss=loss, epochs=3, quiet=True, run_dir=str(tmp_path / "run"))
