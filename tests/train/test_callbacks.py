"""Callbacks compute what they say, leave the training itself alone, and go on exactly from their state."""

import json

import keras
import numpy as np
import pytest

from kexp import InputError
from kexp.core.keras_private import all_layers
from kexp.train.callbacks import ExponentialAverage, Plateau, StochasticWeightAveraging
from kexp.train.schedules import Schedule

EPOCHS = 3


def network(optimizer, **layers):
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), *layers.values()])
    model.add(keras.layers.Dense(1))
    model.compile(optimizer, loss="mse", run_eagerly=True)  # tracing takes longer than training
    return model


def samples(number=24):
    inputs = np.random.default_rng(5).normal(size=(number, 3)).astype("float32")
    return inputs, np.sin(inputs.sum(axis=1, keepdims=True))


def copies(variables):
    return [np.copy(variable.numpy()) for variable in variables]


def assert_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(one, other)


class Record(keras.callbacks.Callback):
    """Keeps all variables of the model before, in and after each validation."""

    def __init__(self):
        super().__init__()
        self.validated, self.after = [], []

    def on_test_begin(self, logs=None):
        self.validated.append(copies(self.model.weights))

    def on_epoch_end(self, epoch, logs=None):
        self.after.append(copies(self.model.variables))


def fit(model, *callbacks, epochs=EPOCHS, validate=True):
    data = samples()
    record = Record()
    model.fit(
        *data,
        validation_data=data if validate else None,
        epochs=epochs,
        batch_size=12,
        shuffle=False,
        verbose=0,
        callbacks=[*callbacks, record],
    )
    return record


def through_json(state):
    """Return a state as it comes back from a checkpoint: all but the arrays went through JSON."""
    arrays = {key: value for key, value in state.items() if isinstance(value, list)}
    return {**json.loads(json.dumps({**state, **dict.fromkeys(arrays)})), **arrays}


def begun(callback, model):
    callback.set_model(model)
    callback.on_train_begin()
    return callback


# Plateau


def lower(figures, optimizer=None, resume_at=None, **options):
    """Return the learning rate after each epoch with these figures, the callback made anew at an epoch."""
    model = network(optimizer or keras.optimizers.SGD(Schedule("plateau", 1.0, 100)))
    callback, rates = begun(Plateau(**options), model), []
    for epoch, logs in enumerate(figures):
        if epoch == resume_at:
            state = through_json(callback.get_state())
            callback = begun(Plateau(**options), model)
            callback.set_state(state)
        callback.on_epoch_end(epoch, logs)
        rates.append(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)))
    return rates


def losses(*values):
    return [{"loss": 9.0, "val_loss": value} for value in values]


def test_the_rate_is_lowered_after_so_many_epochs_without_a_better_figure():
    figures = losses(5, 4, 4, 4.5, 3, 3, 3, 3, 3)
    expected = [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert lower(figures, patience=2) == expected
    assert lower(figures, optimizer=keras.optimizers.Adam(1.0), patience=2) == expected


def test_epochs_of_the_cooldown_are_not_counted():
    assert lower(losses(*[5] * 8), patience=2, cooldown=2) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_rate_is_not_lowered_below_the_minimum():
    assert lower(losses(*[5] * 5), patience=1, minimum=0.2) == pytest.approx([1, 0.5, 0.25, 0.2, 0.2])


def test_a_gain_within_min_delta_is_none():
    assert lower(losses(5, 4.95, 4.91), patience=2, min_delta=0.1) == [1, 1, 0.5]
    assert lower(losses(5, 4.95, 4.91), patience=2, min_delta=0.01) == [1, 1, 1]


def test_higher_is_better_for_an_accuracy_and_for_what_is_said_to_be_so():
    rising = [{"val_accuracy": value, "val_gain": value} for value in (0.1, 0.2, 0.3)]
    assert lower(rising, monitor="val_accuracy", patience=1) == [1, 1, 1]
    assert lower(rising, monitor="val_gain", patience=1) == [1, 0.5, 0.25]
    assert lower(rising, monitor="val_gain", patience=1, mode="max") == [1, 1, 1]


def test_the_training_loss_counts_where_nothing_is_validated():
    assert lower([{"loss": value} for value in (3.0, 2.0, 2.0)], patience=1) == [1, 1, 0.5]


def test_epochs_without_validation_are_passed_over_once_there_was_one():
    every_other = [{"loss": 9.0, **({"val_loss": 5.0} if epoch % 2 == 0 else {})} for epoch in range(5)]
    assert lower(every_other, patience=2) == [1, 1, 1, 1, 0.5]


def test_an_epoch_whose_figure_is_nan_is_never_the_best():
    assert lower(losses(np.nan, 4, np.nan, np.nan, 3), patience=2) == [1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize("epoch", range(1, 9))
def test_plateau_goes_on_from_its_state_as_if_never_interrupted(epoch):
    figures = losses(5, 4, 4, 4.5, 4.2, 3, 3, 3, 3)
    options = {"patience": 2, "cooldown": 1}
    assert lower(figures, resume_at=epoch, **options) == lower(figures, **options)


def test_a_figure_that_there_is_not_is_named():
    with pytest.raises(InputError, match=r"monitor must be .*\['d_loss'\]; received 'val_loss'"):
        lower([{"d_loss": 1.0}])


# Averages of the weights


def normalized(optimizer="adam"):
    layers = {"normal": keras.layers.BatchNormalization(), "drop": keras.layers.Dropout(0.4)}
    return network(optimizer, **layers)


def averaging_optimizer():
    return keras.optimizers.Adam(0.03, use_ema=True, ema_momentum=0.9)


@pytest.mark.parametrize(
    ("callback", "optimizer"),
    [
        (ExponentialAverage, averaging_optimizer),
        (lambda: StochasticWeightAveraging(1), lambda: keras.optimizers.SGD(0.1)),
        (lambda: StochasticWeightAveraging(1, samples()[0], 10), lambda: keras.optimizers.SGD(0.1)),
    ],
)
def test_every_bit_of_the_model_is_as_without_the_callback_after_each_validation(callback, optimizer):
    plain, averaged = fit(normalized(optimizer())), fit(normalized(optimizer()), callback())
    for one, other in zip(plain.after, averaged.after, strict=True):
        assert_same(one, other)
    assert not np.array_equal(plain.validated[-1][0], averaged.validated[-1][0])


def test_the_exponential_average_is_what_is_validated_and_kept():
    model = normalized(averaging_optimizer())

    class Compare(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            average = [v for v in self.model.optimizer.variables if "average" in v.path]
            assert_same(copies(self.model.trainable_variables), copies(average))
            compared.append(average)

    compared = []
    fit(model, ExponentialAverage(), Compare())
    assert len(compared) == EPOCHS
    assert_same(copies(model.trainable_variables), copies(compared[-1]))


def test_validation_before_the_first_step_sees_the_weights_not_zeros():
    model = normalized(averaging_optimizer())
    model.optimizer.build(model.trainable_variables)
    before = copies(model.weights)
    callback = begun(ExponentialAverage(), model)
    callback.on_test_begin()
    assert_same(before, copies(model.weights))


def test_an_optimizer_without_an_average_is_refused():
    with pytest.raises(InputError, match="use_ema=True"):
        fit(normalized(), ExponentialAverage())


@pytest.mark.parametrize("callback", [ExponentialAverage(), StochasticWeightAveraging(0)])
def test_evaluating_outside_of_training_measures_the_model_as_it_is(callback):
    model = normalized(averaging_optimizer())
    fit(model, callback)
    model.set_weights([weights + 1 for weights in model.get_weights()])
    own, record = model.evaluate(*samples(), verbose=0), Record()
    assert model.evaluate(*samples(), verbose=0, callbacks=[callback, record]) == own
    assert_same(record.validated[0], copies(model.weights))


def test_the_mean_of_the_weights_of_the_last_epochs_is_validated_and_kept():
    model = network(keras.optimizers.SGD(0.1))
    record = fit(model, StochasticWeightAveraging(1))
    kernels = np.stack([epoch[0] for epoch in record.after]).astype("float64")
    for epoch, validated in enumerate(record.validated):
        mean = kernels[min(1, epoch) : epoch + 1].mean(axis=0)
        np.testing.assert_allclose(validated[0], mean, atol=1e-6)
    np.testing.assert_allclose(model.weights[0].numpy(), mean, atol=1e-6)


def test_the_mean_is_the_same_without_validation():
    validated, alone = network("sgd"), network("sgd")
    fit(validated, StochasticWeightAveraging(1))
    fit(alone, StochasticWeightAveraging(1), validate=False)
    assert_same(copies(validated.weights), copies(alone.weights))


def test_a_run_that_ends_before_the_start_keeps_its_weights():
    plain, averaged = network("sgd"), network("sgd")
    fit(plain)
    fit(averaged, StochasticWeightAveraging(EPOCHS))
    assert_same(copies(plain.weights), copies(averaged.weights))


@pytest.mark.parametrize("as_columns", [False, True])
def test_statistics_are_those_of_the_averaged_weights_over_all_inputs(as_columns):
    inputs, _ = samples()
    # No dropout, so that the statistics can be computed by hand; the last batch is smaller.
    model = network("sgd", normal=keras.layers.BatchNormalization(momentum=0.9))
    given = inputs
    if as_columns:
        column = keras.Input((3,), name="column")
        model = keras.Model({"column": column}, model(column))
        model.compile("sgd", loss="mse", run_eagerly=True)
        given = {"column": inputs}
    average = begun(StochasticWeightAveraging(0, given, batch_size=10), model)
    for epoch in range(3):
        average.on_epoch_begin(epoch)
        model.fit(given, samples()[1], verbose=0)
        average.on_epoch_end(epoch)
    average.on_train_end()
    (layer,) = [part for part in all_layers(model) if isinstance(part, keras.layers.BatchNormalization)]
    kernel, bias = (np.asarray(weight, "float64") for weight in average.get_state()["mean"][:2])
    hidden = inputs @ kernel + bias
    np.testing.assert_allclose(layer.moving_mean.numpy(), hidden.mean(axis=0), atol=1e-6)
    variances = [hidden[first : first + 10].var(axis=0) for first in (0, 10, 20)]
    mean_variance = np.average(variances, axis=0, weights=[10, 10, 4])
    np.testing.assert_allclose(layer.moving_variance.numpy(), mean_variance, atol=1e-5)
    assert layer.momentum == 0.9


@pytest.mark.parametrize(
    ("callback", "optimizer"),
    [
        (ExponentialAverage, averaging_optimizer),
        (lambda: StochasticWeightAveraging(1), lambda: keras.optimizers.SGD(0.1)),
        (lambda: StochasticWeightAveraging(1, samples()[0], 10), lambda: keras.optimizers.SGD(0.1)),
    ],
)
def test_an_average_goes_on_from_its_state_as_if_never_interrupted(callback, optimizer):
    def train(cut):
        model = normalized(optimizer())
        average, validated = begun(callback(), model), []
        for epoch in range(EPOCHS):
            if epoch == cut:
                state = through_json(average.get_state())
                average = begun(callback(), model)
                average.set_state(state)
            average.on_epoch_begin(epoch)
            for first in range(0, 24, 12):
                model.train_on_batch(*(array[first : first + 12] for array in samples()))
            average.on_test_begin()
            validated += copies(model.weights)
            average.on_test_end()
            average.on_epoch_end(epoch)
        average.on_train_end()
        return [*validated, *copies(model.variables)]

    assert_same(train(cut=None), train(cut=2))
