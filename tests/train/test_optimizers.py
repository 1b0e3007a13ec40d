"""Optimizers compute what their papers say, written here in NumPy, over twenty steps of a real gradient."""

from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_diabetes

from kexp import InputError
from kexp.core.choices import OptimizerName
from kexp.core.options import complete
from kexp.train import schedules
from kexp.train.optimizers import OPTIMIZERS, LossScaling, OneCycleAdam, OneCycleSGD, optimizer_for

STEPS, RATE = 20, 0.05


@pytest.fixture(scope="module")
def regression():
    inputs, targets = load_diabetes(return_X_y=True)
    return (inputs * 20).astype("float32"), ((targets - targets.mean()) / targets.std()).astype("float32")


def model_of(kernel):
    model = keras.Sequential([keras.Input((len(kernel),)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([kernel])
    return model


def run(regression, **options):
    """Return the weights after each step of least squares, as kexp trains, and the gradient function."""
    inputs, targets = regression
    kernel = np.random.default_rng(1).normal(size=(inputs.shape[1], 1)).astype("float32")
    model = model_of(kernel)
    optimizer = optimizer_for(complete({"learning_rate": RATE, **options}), model, STEPS)
    weight = model.trainable_variables[0]

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((model(inputs)[:, 0] - targets) ** 2) / 2
            scaled = optimizer.scale_loss(loss)
        optimizer.apply([tape.gradient(scaled, weight.value)], [weight])

    trace = [kernel]
    for _ in range(STEPS):
        step()
        trace.append(np.copy(weight.numpy()))
    return np.stack(trace)[..., 0], optimizer


def gradient(regression, weight):
    inputs, targets = (array.astype("float64") for array in regression)
    return inputs.T @ (inputs @ weight - targets) / len(targets)


def reference(regression, start, update):
    """Return the weights after each step of `update(step, weight, gradient) -> weight`, in float64."""
    trace = [start.astype("float64")]
    for step in range(STEPS):
        trace.append(update(step, trace[-1], gradient(regression, trace[-1])))
    return np.stack(trace)


def cycle(step):
    """Return rate and momentum of one cycle."""
    fraction = step / STEPS
    rising, x = fraction < 0.3, fraction / 0.3 if fraction < 0.3 else (fraction - 0.3) / 0.7
    cosine = (1 + np.cos(np.pi * x)) / 2
    rate = 0.04 + 0.96 * (1 - cosine) if rising else cosine
    return RATE * rate, 0.85 + 0.1 * cosine if rising else 0.95 - 0.1 * cosine


@pytest.mark.parametrize("nesterov", [False, True])
def test_one_cycle_also_cycles_the_momentum_of_sgd(regression, nesterov):
    velocity = np.zeros(10)

    def update(step, weight, gradient):
        rate, momentum = cycle(step)
        velocity[:] = momentum * velocity - rate * gradient
        return weight + (momentum * velocity - rate * gradient if nesterov else velocity)

    name = "nesterov" if nesterov else "momentum"
    trace, optimizer = run(regression, optimizer=name, schedule="one_cycle")
    assert isinstance(optimizer, OneCycleSGD)
    np.testing.assert_allclose(trace, reference(regression, trace[0], update), atol=1e-6)


@pytest.mark.parametrize(("name", "decay"), [("adam", 0.0), ("adamw", 0.004)])
def test_one_cycle_also_cycles_the_beta_1_of_adam(regression, name, decay):
    mean, square = np.zeros(10), np.zeros(10)

    def update(step, weight, gradient):
        rate, beta = cycle(step)
        weight = weight * (1 - rate * decay)
        mean[:] = beta * mean + (1 - beta) * gradient
        square[:] = 0.999 * square + 0.001 * gradient**2
        corrected = mean / (1 - beta ** (step + 1))
        scale = np.sqrt(square / (1 - 0.999 ** (step + 1)))
        return weight - rate * corrected / (scale + 1e-7)

    trace, optimizer = run(regression, optimizer=name, schedule="one_cycle")
    assert isinstance(optimizer, OneCycleAdam)
    np.testing.assert_allclose(trace, reference(regression, trace[0], update), atol=1e-5)
    assert not np.allclose(trace[-1], run(regression, optimizer=name, schedule="cosine")[0][-1], atol=1e-2)


def test_the_average_of_the_weights_is_that_of_its_definition(regression):
    trace, optimizer = run(regression, optimizer="momentum", ema=0.8)
    average = trace[1].astype("float64")
    for weights in trace[2:]:
        average = 0.8 * average + 0.2 * weights
    (kept,) = [variable for variable in optimizer.variables if "average" in variable.path]
    np.testing.assert_allclose(kept.numpy()[:, 0], average, atol=1e-6)


def test_lion_is_that_of_its_paper(regression):
    momentum = np.zeros(10)

    def update(step, weight, gradient):
        weight = weight * (1 - RATE * 0.1)
        weight = weight - RATE * np.sign(0.9 * momentum + 0.1 * gradient)
        momentum[:] = 0.99 * momentum + 0.01 * gradient
        return weight

    trace, _ = run(regression, optimizer="lion", weight_decay=0.1)
    np.testing.assert_allclose(trace, reference(regression, trace[0], update), atol=1e-5)


def network():
    keras.utils.set_random_seed(2)
    inner = keras.Sequential(
        [keras.Input((6, 4)), keras.layers.Flatten(), keras.layers.Dense(5, name="dense")]
    )
    head = [keras.layers.LayerNormalization(), keras.layers.Dense(5, name="dense_1")]
    return keras.Sequential([keras.Input((6,)), keras.layers.Embedding(9, 4), inner, *head])


def gradients_of(model):
    rng = np.random.default_rng(3)
    return [rng.normal(size=variable.shape).astype("float32") for variable in model.trainable_variables]


def muon_step(slope):
    """Return Muon's first step by Jordan et al. 2024, in the size of Liu et al. 2025."""
    momentum = slope.astype("float64")
    matrix = (momentum + 0.95 * momentum).T  # looks ahead; more rows than columns are turned
    matrix /= np.linalg.norm(matrix)
    for _ in range(5):
        square = matrix @ matrix.T
        matrix = 3.4445 * matrix + (-4.7750 * square + 2.0315 * square @ square) @ matrix
    return matrix.T * 0.2 * np.sqrt(max(slope.shape))


def test_muon_trains_matrices_by_muon_and_embedding_output_and_vectors_by_adam():
    model, gradients = network(), gradients_of(network())
    before = {variable.path: np.copy(variable.numpy()) for variable in model.trainable_variables}
    options = {"optimizer": "muon", "learning_rate": RATE, "weight_decay": 0.0}
    optimizer = optimizer_for(complete(options), model, STEPS)
    optimizer.apply(gradients, model.trainable_variables)
    for variable, slope in zip(model.trainable_variables, gradients, strict=True):
        step = (before[variable.path] - variable.numpy()) / RATE
        if variable.path.endswith("dense/kernel"):
            np.testing.assert_allclose(step, muon_step(slope), atol=1e-4)
        else:
            np.testing.assert_allclose(step, np.sign(slope), atol=2e-3)


@pytest.mark.parametrize("name", ["adamw", "lion", "muon", "adam"])
def test_weight_decay_spares_vectors_and_embeddings(name):
    model = network()
    before = [np.copy(variable.numpy()) for variable in model.trainable_variables]
    options = {"optimizer": name, "learning_rate": RATE, "weight_decay": 0.5}
    optimizer = optimizer_for(complete(options), model, STEPS)
    optimizer.apply([np.zeros_like(weights) for weights in before], model.trainable_variables)
    for variable, weights in zip(model.trainable_variables, before, strict=True):
        spared = weights.ndim < 2 or "embedding" in variable.path
        expected = weights if spared else weights * (1 - RATE * 0.5)
        np.testing.assert_allclose(variable.numpy(), expected, atol=1e-7)


def test_adamw_and_muon_decay_by_a_thousandth_and_the_others_not_at_all_by_default():
    for name, decay in {"adamw": 0.004, "muon": 0.004, "adam": None, "lion": None, "sgd": None}.items():
        assert optimizer_for(complete({"optimizer": name}), network(), STEPS).weight_decay == decay


def test_the_learning_rate_stays_a_plain_number_where_there_is_no_course():
    for schedule in ("constant", "plateau"):
        optimizer = optimizer_for(complete({"schedule": schedule, "learning_rate": 0.5}), network(), STEPS)
        optimizer.learning_rate = 0.25
        assert float(optimizer.learning_rate) == 0.25
        warmed = optimizer_for(complete({"schedule": schedule, "warmup": 0.5}), network(), STEPS)
        assert isinstance(warmed.get_config()["learning_rate"], dict)


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_loss_scaling_computes_what_the_optimizer_within_computes(regression, name):
    options = {"optimizer": name, "schedule": "one_cycle"}
    plain, _ = run(regression, **options)
    scaled, optimizer = run(regression, precision="float16", **options)
    assert isinstance(optimizer, LossScaling)
    np.testing.assert_allclose(scaled, plain, atol=1e-6)


def test_the_loss_is_scaled_for_a_model_that_computes_in_float16_without_the_option():
    layers = [keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_float16"), keras.layers.Dense(1)]
    assert isinstance(optimizer_for(complete({}), keras.Sequential(layers), STEPS), LossScaling)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_loss_scaling_leaves_a_step_out_that_is_not_finite_and_halves_the_scale(bad):
    model, gradients = network(), gradients_of(network())
    optimizer = optimizer_for(complete({"precision": "float16", "ema": 0.9}), model, STEPS)
    optimizer.apply(gradients, model.trainable_variables)
    scale = float(optimizer.scale_loss(1.0))
    before = [np.copy(v.numpy()) for v in [*model.trainable_variables, *optimizer.inner_optimizer.variables]]
    gradients[-1] = np.full_like(gradients[-1], bad)
    in_graph = tf.function(lambda: optimizer.apply(gradients, model.trainable_variables), autograph=False)
    in_graph()
    after = [v.numpy() for v in [*model.trainable_variables, *optimizer.inner_optimizer.variables]]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(optimizer.scale_loss(1.0)) == scale / 2


def test_loss_scaling_doubles_the_scale_after_so_many_good_steps():
    model, gradients = network(), gradients_of(network())
    optimizer = LossScaling(keras.optimizers.SGD(0.1), initial_scale=4.0, dynamic_growth_steps=3)
    optimizer.build(model.trainable_variables)
    scales = []
    for _ in range(7):
        optimizer.apply(gradients, model.trainable_variables)
        scales.append(float(optimizer.scale_loss(1.0)))
    assert scales == [4.0, 4.0, 8.0, 8.0, 8.0, 16.0, 16.0]


def test_momentum_is_cycled_only_over_a_schedule_of_known_length():
    with pytest.raises(InputError, match="learning_rate must be a kexp"):
        OneCycleAdam(0.1)
    with pytest.raises(InputError, match="high must be a number, from 0 to 1"):
        OneCycleSGD(schedules.Schedule("one_cycle", 0.1, STEPS), momenta=(1.5, 0.5))


def test_the_option_names_every_row_of_the_table():
    assert get_args(OptimizerName) == tuple(OPTIMIZERS)
