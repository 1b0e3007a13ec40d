"""All of these work in a bare compile and fit, without anything else of kexp's."""

import keras
import numpy as np
import pytest

import kexp
from kexp.train.callbacks import ExponentialAverage, Plateau, StochasticWeightAveraging
from kexp.train.optimizers import LossScaling, OneCycleAdam, OneCycleSGD
from kexp.train.schedules import Schedule, joined, linear, polynomial

EPOCHS, BATCH = 12, 24
STEPS = EPOCHS * 96 // BATCH


@pytest.fixture(scope="module")
def iris():
    data = kexp.data.load("iris", validation=0)
    inputs = np.stack(list(data.train.inputs.values()), axis=1)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    order = np.random.default_rng(0).permutation(len(inputs))
    train, held_out = order[:96], order[96:]
    targets = data.train.targets
    return (inputs[train], targets[train]), (inputs[held_out], targets[held_out])


def network(optimizer):
    keras.utils.set_random_seed(6)
    hidden = [keras.layers.Dense(16, activation="relu"), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, metrics=["accuracy"], jit_compile=False)
    return model


def fit(iris, optimizer, callbacks=(), epochs=EPOCHS, validate=True):
    train, held_out = iris
    model = network(optimizer)
    options = {
        "validation_data": held_out if validate else None,
        "epochs": epochs,
        "batch_size": BATCH,
        "verbose": 0,
    }
    return model, model.fit(*train, callbacks=list(callbacks), **options).history


def rises(figures):
    """Return how far the figures go up in all; the smoother, the less."""
    return np.maximum(np.diff(figures), 0).sum()


OPTIMIZERS = {
    "joined schedule": lambda: keras.optimizers.SGD(
        Schedule(joined([linear(), polynomial()], [0.5]), 0.2, STEPS, warmup_steps=4), momentum=0.9
    ),
    "one-cycle momentum": lambda: OneCycleSGD(Schedule("one_cycle", 0.3, STEPS), nesterov=True),
    "one-cycle Adam": lambda: OneCycleAdam(Schedule("one_cycle", 0.1, STEPS), weight_decay=0.004),
    "loss scaling": lambda: LossScaling(
        OneCycleSGD(Schedule("one_cycle", 0.3, STEPS), use_ema=True, ema_momentum=0.7, clipvalue=0.5)
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_learns_and_is_the_same_after_saving(iris, tmp_path, name):
    model, history = fit(iris, OPTIMIZERS[name](), validate=False)
    assert history["loss"][-1] < 0.4 * history["loss"][0]
    assert history["accuracy"][-1] > 0.85
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is type(model.optimizer)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, again):  # trained on, both still do the same
        one.fit(*iris[0], batch_size=BATCH, shuffle=False, verbose=0)
    for ours, theirs in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_loss_scaling_halves_its_way_down_from_a_scale_that_is_too_large(iris):
    optimizer = LossScaling(keras.optimizers.Adam(0.03), initial_scale=2.0**127)
    model, history = fit(iris, optimizer, validate=False)
    assert 0 < int(optimizer.iterations.numpy()) < EPOCHS * 96 // BATCH
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("rate", [1.0, Schedule("plateau", 1.0, STEPS, warmup_steps=2)])
def test_plateau_lowers_the_learning_rate_of_a_run_that_stands_still(iris, rate):
    optimizer = keras.optimizers.SGD(rate)
    fit(iris, optimizer, [Plateau(factor=0.25, patience=2, min_delta=1e9)], epochs=5)
    assert float(optimizer.learning_rate) == 0.0625


@pytest.fixture(scope="module")
def rough(iris):
    return fit(iris, keras.optimizers.Adam(0.2))[1]


@pytest.mark.slow
def test_the_exponential_average_validates_more_smoothly_than_the_weights(iris, rough):
    optimizer = LossScaling(keras.optimizers.Adam(0.2, use_ema=True, ema_momentum=0.95))
    model, averaged = fit(iris, optimizer, [ExponentialAverage()])
    np.testing.assert_allclose(averaged["loss"], rough["loss"], atol=1e-5)  # training is left alone
    assert rises(averaged["val_loss"]) < rises(rough["val_loss"])
    assert model.evaluate(*iris[1], verbose=0)[0] == pytest.approx(averaged["val_loss"][-1], abs=1e-6)


@pytest.mark.slow
def test_the_mean_of_weights_validates_more_smoothly_than_the_weights(iris, rough):
    average = StochasticWeightAveraging(4, iris[0][0], batch_size=32)
    model, averaged = fit(iris, keras.optimizers.Adam(0.2), [average])
    assert averaged["loss"] == rough["loss"]
    assert averaged["val_loss"][:4] == rough["val_loss"][:4]
    assert rises(averaged["val_loss"][4:]) < rises(rough["val_loss"][4:])
    assert model.evaluate(*iris[1], verbose=0)[0] == pytest.approx(averaged["val_loss"][-1], abs=1e-6)
