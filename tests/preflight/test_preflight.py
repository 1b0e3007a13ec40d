"""`kexp.check` passes what trains, finds what does not by the check made for it, and leaves no trace."""

import random
from dataclasses import replace

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.data import Split
from tests.recipes.every import MAKE_SAMPLES, one_of_each_kind, tiny


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


def mlp(**options):
    keras.utils.set_random_seed(0)
    return kexp.models.mlp((8, 8, 1), 10, **{"hidden": (32,), "dtype": "uint8", **options})


def stack(*layers):
    keras.utils.set_random_seed(0)
    scaled = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential([*scaled, *layers])


def found(report):
    return {finding.name: finding.status for finding in report.findings if finding.status != "ok"}


@pytest.mark.parametrize("name", one_of_each_kind())
def test_a_recipe_of_every_kind_passes_and_is_told_what_it_takes(name, tmp_path, monkeypatch, digits_run):
    monkeypatch.chdir(tmp_path)
    # On a machine that others use, five seconds may be a few steps.
    monkeypatch.setattr("kexp.preflight.learning_checks.ONE_BATCH_S", 60.0)
    # Eight filters do not learn a batch by heart.
    small = {} if name == "cnn_images" else tiny(name, digits_run)
    report = kexp.check(getattr(recipes, name), **small)
    assert report.ok, str(report)
    if name not in MAKE_SAMPLES:  # with new noise at each step nothing is learnt by heart
        assert report["one batch"].status == "ok", str(report)
    assert report.cost.run_s == report.cost.epoch_s * report.cost.epochs > 0
    assert list(tmp_path.iterdir()) == []


def test_data_that_repeats_a_row_passes_with_a_warning():
    iris = kexp.check(recipes.mlp_tabular, data="iris", validation=0.15)
    assert iris.ok
    assert found(iris) == {"validation rows": "warning"}
    assert "1 of 18" in iris["validation rows"].message


def test_every_training_option_may_be_in_use():
    report = kexp.check(
        recipes.mlp_images,
        hidden=(64,),
        precision="float16",
        accumulate=2,
        batch_size="auto",
        ema=0.9,
        class_weight="balanced",
        clip_norm=1.0,
        label_smoothing=0.3,
        optimizer="adamw",
        schedule="cosine",
        warmup=0.1,
    )
    assert found(report) == {}, str(report)


def test_labels_out_of_range_and_inputs_that_are_not_finite_are_named_by_sample(digits):
    labels = digits.train.targets.copy()
    labels[[3, 8]] = (10, -1)
    broken = replace(digits, train=Split(digits.train.inputs, labels))
    report = kexp.check(kexp.fit, mlp(), broken)
    assert found(report) == {"data": "problem"}
    assert "training samples 3, 8 are outside 0..9, from -1 to 10" in report["data"].message
    images = digits.validation.inputs.astype("float32")
    images[5, 0, 0, 0] = np.nan
    parts = {
        "train": Split(digits.train.inputs.astype("float32"), digits.train.targets),
        "validation": Split(images, digits.validation.targets),
    }
    report = kexp.check(kexp.fit, mlp(dtype="float32"), replace(digits, **parts))
    assert found(report) == {"data": "problem"}
    assert "inputs of validation samples 5 hold NaN" in report["data"].message


def test_a_class_missing_in_training_is_named_and_a_rare_one_is_told(digits):
    train = digits.train
    without = train.targets != 3
    data = replace(digits, train=Split(train.inputs[without], train.targets[without]))
    report = kexp.check(kexp.fit, mlp(), data)
    assert found(report) == {"classes": "problem"}
    assert "no training sample of class '3'" in report["classes"].message
    few = without | (np.cumsum(~without) <= 4)
    rare = replace(digits, train=Split(train.inputs[few], train.targets[few]))
    report = kexp.check(kexp.fit, mlp(), rare)
    assert found(report) == {"classes": "warning"}
    assert "4 ('3')" in report["classes"].message
    assert 'class_weight="balanced"' in report["classes"].message


def test_test_rows_copied_into_training_are_found_and_no_model_sees_them(digits):
    train, test = digits.train, digits.test
    leaked = Split(
        np.concatenate([train.inputs, test.inputs[:40]]), np.concatenate([train.targets, test.targets[:40]])
    )
    unfit = Split(test.inputs, np.full_like(test.targets, 999))
    report = kexp.check(kexp.fit, mlp(), replace(digits, train=leaked, test=unfit))
    assert found(report) == {"test rows": "problem"}
    assert "40 of 359 test rows (11.1%)" in report["test rows"].message
    assert "test = training 0 = 1295, 1 = 1296" in report["test rows"].message


def test_rows_of_a_table_are_compared_in_all_columns():
    data = kexp.data.load("breast_cancer")
    parts = data.train.inputs, {name: column[:12] for name, column in data.test.inputs.items()}
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["mean radius"][-3:] += 1  # so that three of the twelve are others
    train = Split(columns, np.concatenate([data.train.targets, data.test.targets[:12]]))
    preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    model = kexp.models.mlp(preprocessing.output_shape[1:], 2, hidden=(32,))
    report = kexp.check(kexp.fit, model, replace(data, train=train), preprocessing=preprocessing)
    assert found(report) == {"test rows": "problem"}
    assert "9 of 113 test rows" in report["test rows"].message


def test_a_softmax_under_a_loss_of_logits_is_found_and_the_reverse(digits):
    softmax = stack(keras.layers.Dense(10, activation="softmax"))
    of_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    of_probabilities = keras.losses.SparseCategoricalCrossentropy()
    report = kexp.check(kexp.fit, softmax, digits, loss=of_logits)
    assert report["outputs"].status == "problem"
    assert "gives probabilities (softmax), the loss takes logits" in report["outputs"].message
    assert {report[name].status for name in ("data", "first loss", "gradients")} == {"ok"}
    report = kexp.check(kexp.fit, mlp(), digits, loss=of_probabilities)
    assert report["outputs"].status == "problem"
    assert "gives logits, the loss takes probabilities" in report["outputs"].message


def test_a_loss_that_cannot_compare_outputs_and_targets_is_said_to(digits):
    report = kexp.check(kexp.fit, mlp(), digits, loss="categorical_crossentropy")
    assert found(report) == {"loss": "problem"}
    assert "targets (batch) int32 with outputs (batch, 10) float32" in report["loss"].message
    assert report.cost is None


def test_a_start_far_from_knowing_nothing_is_found(digits):
    wild = keras.initializers.RandomNormal(stddev=100.0, seed=0)
    model = stack(keras.layers.Dense(10, kernel_initializer=wild))
    report = kexp.check(kexp.fit, model, digits, learning_rate=1.0)
    assert found(report) == {"first loss": "problem"}
    assert "ln 10 = 2.303" in report["first loss"].message


@keras.saving.register_keras_serializable(package="tests")
class Stopped(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.stop_gradient(inputs)


@keras.saving.register_keras_serializable(package="tests")
class Unused(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.forgotten = keras.layers.Dense(4, name="forgotten")

    def call(self, inputs):
        self.forgotten(inputs)
        return inputs


def test_weights_that_no_gradient_reaches_are_named(digits):
    low = keras.layers.Dense(32, activation="relu", name="low")
    model = stack(Unused(), low, Stopped(), keras.layers.Dense(10))
    report = kexp.check(kexp.fit, model, digits, learning_rate=0.01)
    assert found(report) == {"gradients": "problem"}
    for words in ("4 of 6", "forgotten/kernel", "forgotten/bias", "low/kernel", "low/bias"):
        assert words in report["gradients"].message
    never = keras.initializers.Constant(-10.0)
    dead = stack(
        keras.layers.Dense(32, activation="relu", bias_initializer=never, name="dead"), keras.layers.Dense(10)
    )
    report = kexp.check(kexp.fit, dead, digits)
    assert report["gradients"].status == "problem"
    assert "dead/kernel" in report["gradients"].message


def test_a_model_that_cannot_learn_one_batch_is_found(digits):
    blocked = stack(
        keras.layers.Dense(10), keras.layers.Dense(10, trainable=False), keras.layers.Activation("tanh")
    )
    blocked.layers[-2].set_weights([np.full((10, 10), 1e-6, "float32"), np.zeros(10, "float32")])
    report = kexp.check(kexp.fit, blocked, digits)
    assert found(report) == {"one batch": "problem"}
    frozen = mlp()
    frozen.trainable = False
    report = kexp.check(kexp.fit, frozen, digits)
    assert found(report) == {"gradients": "problem"}
    assert "no weight of the model is trainable" in report["gradients"].message


def test_a_learning_rate_that_learns_nothing_is_a_warning_with_one_that_learns(digits):
    report = kexp.check(kexp.fit, mlp(), digits, learning_rate=1e-7)
    assert found(report) == {"one batch": "warning"}
    assert "learning_rate=1e-07 learns little" in report["one batch"].message
    assert "learning_rate=0.001 learns the batch by heart" in report["one batch"].message


def test_a_regression_is_told_that_it_starts_far_from_the_mean_and_that_it_diverges():
    data = kexp.data.load("diabetes")
    preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    mean, deviation = data.train.targets.mean(), data.train.targets.std()

    def checked(**arguments):
        options = arguments.pop("options", {})
        keras.utils.set_random_seed(0)
        model = kexp.models.mlp(preprocessing.output_shape[1:], 1, hidden=(32,), **arguments)
        return kexp.check(kexp.fit, model, data, preprocessing=preprocessing, learning_rate=0.1, **options)

    report = checked(options={"optimizer": "sgd"})
    assert found(report) == {"first loss": "warning", "one batch": "problem"}
    assert f"at the mean {mean:.4g}" in report["first loss"].message
    assert "learning_rate=0.1 diverges" in report["one batch"].message
    assert "learning_rate=0.001 learns" in report["one batch"].message
    assert found(checked(output_scale=[float(deviation)], output_offset=[float(mean)])) == {}


def test_a_check_and_a_search_leave_model_optimizer_metrics_and_random_streams_as_they_were(digits, tmp_path):
    def model_and_augmentation():
        keras.utils.set_random_seed(1)
        layers = kexp.models.image_augmentation("uint8", shift=0.2, mixup=0.3)
        return kexp.models.mlp(
            (8, 8, 1), 10, hidden=(16,), dropout=0.3, normalization="batch", dtype="uint8"
        ), layers

    def state(model, layers, metric):
        variables = [*model.variables, *(v for layer in layers for v in layer.variables), *metric.variables]
        return [np.copy(variable.numpy()) for variable in variables]

    model, layers = model_and_augmentation()
    model.optimizer = optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    metric.update_state([1, 0], [[0.0, 1.0], [0.0, 1.0]])
    before, streams = state(model, layers, metric), (random.getstate(), np.random.get_state()[1].tolist())
    own = {"augmentation": layers, "metrics": [metric]}
    assert kexp.check(kexp.fit, model, digits, **own).cost is not None
    assert kexp.lr_find(kexp.fit, model, digits, **own).suggestion is not None
    for old, new in zip(before, state(model, layers, metric), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.optimizer is optimizer
    assert int(optimizer.iterations.numpy()) == 0
    assert (random.getstate(), np.random.get_state()[1].tolist()) == streams

    checked = kexp.fit(
        model, digits, augmentation=layers, epochs=1, quiet=True, run_dir=str(tmp_path / "checked")
    )
    model, layers = model_and_augmentation()
    alone = kexp.fit(
        model, digits, augmentation=layers, epochs=1, quiet=True, run_dir=str(tmp_path / "alone")
    )
    assert checked.history == alone.history
    for one, other in zip(checked.model.get_weights(), alone.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_figures_are_those_of_the_model(digits):
    model = stack(keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10))
    figures = kexp.check(kexp.fit, model, digits, epochs=3, batch_size=50).cost
    assert figures.parameters == figures.trainable_parameters == 64 * 32 + 32 + 32 * 10 + 10
    # Weights and the two slots of Adam; the rest is a few numbers.
    assert 0 <= figures.state_bytes - 3 * 4 * figures.parameters < 200
    outputs = 50 * 4 * (64 + 32 + 10)
    assert outputs < figures.activation_bytes < 4 * outputs
    images = len(digits.train) + len(digits.validation)
    assert figures.data_bytes == images * (64 + 4)


def test_what_cannot_be_called_is_an_input_error(digits):
    with pytest.raises(InputError, match="mlp_images has no argument epoch"):
        kexp.check(recipes.mlp_images, epoch=3)
    with pytest.raises(InputError, match="class_weight must have a weight for each of the 10 classes"):
        kexp.check(kexp.fit, mlp(), digits, class_weight=(1.0, 2.0))
