"""What a step computes equals a reference in NumPy: clipping, accumulation, averages, sample weights."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data.order import epoch_order
from tests.train.iris_runs import Cut, CutAfter, assert_same, train, weights

SAMPLES, EPOCHS, RATE = 80, 4, 0.05
rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(SAMPLES, 5)).astype("float32")
TARGETS = (INPUTS @ rng.normal(size=5) + rng.normal(size=SAMPLES)).astype("float32")
SPEC = kexp.data.DatasetSpec("array", (5,), "float32", "regression", 1)


@pytest.fixture(scope="module")
def line():
    """Return 80 samples of a plane with noise: 20 steps of 16 in four epochs."""
    part = kexp.data.Split(INPUTS, TARGETS[:, None])
    return kexp.data.Dataset("line", part, None, None, SPEC, fingerprint="0" * 64)


def fitted(data, run_dir, **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    start = [np.array(weight) for weight in model.get_weights()]
    sample_weight = options.pop("sample_weight", None)
    options = {
        "epochs": EPOCHS,
        "batch_size": 16,
        "learning_rate": RATE,
        "optimizer": "sgd",
        "quiet": True,
        "seed": 3,
        **options,
    }
    result = kexp.fit(model, data, run_dir=str(run_dir), sample_weight=sample_weight, **options)
    return result, start


def reference(start, change=lambda gradients: gradients, sample_weight=None, batch_size=16):
    """Return the weights after each step of gradient descent in NumPy, `change` made to each gradient."""
    kernel, bias = (weight.astype("float64") for weight in start)
    sample_weight = np.ones(SAMPLES) if sample_weight is None else sample_weight
    trace = []
    for epoch in range(EPOCHS):
        order = epoch_order(SAMPLES, 3, epoch)
        for first in range(0, SAMPLES, batch_size):
            rows = order[first : first + batch_size]
            error = (INPUTS[rows] @ kernel + bias - TARGETS[rows, None]) * sample_weight[rows, None]
            gradients = [2 * INPUTS[rows].T @ error / len(rows), 2 * error.mean(axis=0)]
            kernel, bias = (w - RATE * g for w, g in zip((kernel, bias), change(gradients), strict=True))
            trace.append([kernel, bias])
    return trace


def assert_close(result, expected, tolerance=1e-6):
    for one, other in zip(weights(result), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


def by_global_norm(gradients, limit=0.5):
    norm = np.sqrt(sum(np.square(gradient).sum() for gradient in gradients))
    return [gradient * min(1.0, limit / norm) for gradient in gradients]


def by_value(gradients, limit=0.3):
    return [np.clip(gradient, -limit, limit) for gradient in gradients]


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({}, lambda gradients: gradients),
        ({"clip_norm": 0.5}, by_global_norm),
        ({"clip_value": 0.3}, by_value),
        ({"clip_norm": 0.5, "clip_value": 0.1}, lambda g: by_value(by_global_norm(g), 0.1)),
        ({"batch_size": 4, "accumulate": 4, "clip_norm": 0.5}, by_global_norm),
    ],
    ids=["plain", "clip_norm", "clip_value", "both", "accumulated, then clipped"],
)
def test_twenty_steps_equal_numpy(line, tmp_path, options, change):
    result, start = fitted(line, tmp_path / "run", **options)
    assert_close(result, reference(start, change)[-1])


def test_a_moving_average_equals_numpy_over_twenty_steps_and_is_what_is_kept(line, tmp_path):
    result, start = fitted(line, tmp_path / "run", ema=0.9)
    trace = reference(start)
    average = trace[0]
    for step in trace[1:]:
        average = [0.9 * a + 0.1 * w for a, w in zip(average, step, strict=True)]
    assert_close(result, average)


def test_the_mean_of_the_last_epochs_equals_numpy_and_is_what_is_kept(line, tmp_path):
    result, start = fitted(line, tmp_path / "run", swa=0.5)
    ends = reference(start)[4::5]
    assert_close(result, [np.mean(part, axis=0) for part in zip(*ends[2:], strict=True)])


def test_weights_of_samples_equal_numpy(line, tmp_path):
    weight = np.random.default_rng(5).uniform(0, 3, SAMPLES)
    result, start = fitted(line, tmp_path / "run", sample_weight=weight)
    assert_close(result, reference(start, sample_weight=weight)[-1])
    with pytest.raises(InputError, match="sample_weight must be 80 finite numbers"):
        fitted(line, tmp_path / "wrong", sample_weight=weight[:-1])


@pytest.mark.parametrize("options", [{}, {"optimizer": "adamw", "clip_norm": 0.1, "ema": 0.9}])
def test_four_batches_of_16_equal_one_of_64_with_an_uneven_last_step(tmp_path, options):
    # 1437 digits: the last step has 29 samples, in batches of 16 and 13.
    runs = [
        kexp.recipes.mlp_images(
            hidden=(32,),
            dropout=0.0,
            epochs=2,
            validation=0.0,
            quiet=True,
            run_dir=str(tmp_path / name),
            **options,
            **sizes,
        )
        for name, sizes in (("64", {"batch_size": 64}), ("4x16", {"batch_size": 16, "accumulate": 4}))
    ]
    for one, other in zip(*map(weights, runs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert runs[0].metrics == pytest.approx(runs[1].metrics, abs=1e-5)


def test_classes_are_weighted_as_samples_with_those_weights_would_be(iris, tmp_path):
    by_class = train(iris, tmp_path / "class", class_weight=(0.5, 1.0, 4.0))
    counts = np.bincount(iris.train.targets)
    balanced = train(iris, tmp_path / "balanced", class_weight="balanced")
    equal = train(iris, tmp_path / "given", class_weight=tuple(counts.sum() / (3.0 * counts)))
    assert balanced.history == equal.history
    assert by_class.history != balanced.history
    assert by_class.history["loss"][0] > 1.2 * balanced.history["loss"][0]
    with pytest.raises(InputError, match="class_weight must have a weight for each of the 3 classes"):
        train(iris, tmp_path / "wrong", class_weight=(1.0, 2.0))
    with pytest.raises(InputError, match="class_weight must have a number above 0, or nothing counts"):
        train(iris, tmp_path / "wrong", class_weight=(0.0, 0.0, 0.0))
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weights: weights * 0, "must have a number above 0, or nothing counts"),
        (lambda weights: weights * 1e-60, "must have a number above 0, or nothing counts"),
        (lambda weights: -weights, "finite numbers of 0 or more .in float32.; received -1.0 at 0"),
        (lambda weights: weights / np.where(np.arange(len(weights)) == 3, 0, 1), "received inf at 3"),
        (lambda weights: weights * 1e300, "received 1e.300 at 0"),
        (lambda weights: np.where(weights > 0, np.nan, 0), "received nan at 0"),
        (lambda weights: np.ma.array(weights, mask=np.arange(len(weights)) == 2), "masked at sample 2"),
        (lambda weights: weights * 1j, "received shape .* of complex128"),
        (lambda weights: weights.astype(str), "received shape .* of <U"),
        (lambda weights: weights[1:], "one for each training sample; received shape"),
        (lambda weights: [[1], [2, 3]], "differ in shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_weights_of_samples_by_which_nothing_could_be_learnt_are_refused(iris, tmp_path, change, said):
    weights = np.ones(len(iris.train))
    with pytest.raises(InputError, match=f"^sample_weight .*{said}"):
        train(iris, tmp_path / "wrong", sample_weight=change(weights))
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_layers_compute_in_half_precision_and_weights_and_answers_stay_float32(tmp_path, precision):
    result = kexp.recipes.mlp_images(
        epochs=5,
        learning_rate=0.01,
        precision=precision,
        quiet=True,
        run_dir=str(tmp_path / "run"),
        hidden=(32,),
    )
    assert {layer.compute_dtype for layer in result.model.layers} >= {precision}
    assert {str(weight.dtype) for weight in result.model.weights} == {"float32"}
    assert result.metrics["test_accuracy"] > 0.8
    assert keras.config.dtype_policy().name == "float32"


def test_augmented_batches_go_on_exactly_after_a_cut(tmp_path):
    def run(name, callbacks=()):
        keras.utils.set_random_seed(0)
        digits = kexp.data.load("digits")
        model = kexp.models.cnn((8, 8, 1), 10, filters=(4,), dropout=0.2)
        augmentation = kexp.models.image_augmentation("uint8", shift=0.1, erasing=0.5, mixup=0.3, seed=1)
        return kexp.fit(
            model,
            digits,
            augmentation=augmentation,
            callbacks=callbacks,
            epochs=2,
            batch_size=256,
            checkpoint_every="1 steps",
            quiet=True,
            run_dir=str(tmp_path / name),
        )

    alone = run("alone")
    with pytest.raises(Cut):
        run("cut", [CutAfter(6)])
    continued = run("cut")
    assert continued.history == alone.history
    assert_same(weights(continued), weights(alone))
