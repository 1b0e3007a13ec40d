"""Twelve models in the manner of common tutorials train as with plain Keras, also when they are interrupted.

`tools/tutorial_proof.py` kills each of them at random moments and exports those that can be exported.
"""

import keras
import numpy as np
import pytest
from keras import tree

import kexp
from kexp.data.order import epoch_order
from tests.api.tutorial_models import BATCH, SAMPLES, TUTORIALS, fit_arguments

EPOCHS, STEPS = 2, SAMPLES // BATCH
# The same operations in other programs, which the compiler may join and order otherwise.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}

pytestmark = pytest.mark.filterwarnings("ignore:Model .* cannot be written as a .keras file:UserWarning")


class InOrder(keras.utils.PyDataset):
    """Batches of the samples at given positions."""

    def __init__(self, data, rows):
        super().__init__()
        self.data, self.rows = data, rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        return tree.map_structure(lambda array: array[self.rows[number]], self.data)


def rows_of_epoch(name, epoch):
    """Return the positions of the samples of each step, as kexp takes them."""
    in_order = np.arange(SAMPLES).reshape(STEPS, BATCH)
    if name == "generator":
        return in_order
    if name == "py_dataset":  # whose batches are shuffled
        return in_order[epoch_order(STEPS, 0, epoch)]
    return epoch_order(SAMPLES, 0, epoch).reshape(STEPS, BATCH)


def made(name):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    return TUTORIALS[name]()


def by_keras(name):
    """Return weights and the history of the last epoch after plain `model.fit`."""
    tutorial = made(name)
    x = tuple(tutorial.x) if isinstance(tutorial.x, list) else tutorial.x  # lists are for tf.data's arrays
    parts = [part for part in (x, tutorial.y, tutorial.sample_weight) if part is not None]
    options = {key: value for key, value in tutorial.options.items() if key == "class_weight"}
    for epoch in range(EPOCHS):
        batches = InOrder(tuple(parts), rows_of_epoch(name, epoch))
        history = tutorial.model.fit(
            batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, **options
        )
    return tutorial.model.get_weights(), {key: values[-1] for key, values in history.history.items()}


class Stop(Exception):
    """The process ends here."""


class StopInSecondEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == (1, 3):
            raise Stop


def by_kexp(name, run_dir, callbacks=()):
    """Return the model and the result of `kexp.fit` in a folder."""
    tutorial = made(name)
    arguments = {**fit_arguments(tutorial), "epochs": EPOCHS, "batch_size": BATCH, "callbacks": callbacks}
    options = {"checkpoint_every": "1 steps", "quiet": True, "run_dir": str(run_dir)}
    return tutorial.model, kexp.fit(tutorial.model, **arguments, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", TUTORIALS)
def test_it_trains_to_the_weights_of_plain_fit_though_it_is_interrupted(name, tmp_path):
    weights, metrics = by_keras(name)
    with pytest.raises(Stop):
        by_kexp(name, tmp_path / "run", [StopInSecondEpoch()])
    model, result = by_kexp(name, tmp_path / "run")
    for own, plain in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(own, plain, **TOLERANCE)
    assert {key: values[-1] for key, values in result.history.items()} == pytest.approx(metrics, rel=1e-5)
