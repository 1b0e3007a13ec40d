"""`kexp.fit` trains any Keras model, and says beforehand what it cannot train."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import kexp
from kexp.core.errors import InputError
from kexp.export import predict_file


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


def fit(model, data, run_dir, **options):
    return kexp.fit(model, data, **{"epochs": 1, "quiet": True, "run_dir": str(run_dir), **options})


def test_a_sequential_model_with_a_softmax_is_trained_on_probabilities(digits, tmp_path):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    result = fit(model, digits, tmp_path / "run", epochs=3, learning_rate=0.01)
    assert result.metrics["test_accuracy"] > 0.8
    assert not result.from_logits
    outputs = model(digits.test.inputs[:3])
    np.testing.assert_allclose(result.predict(digits.test.inputs[:3]).probabilities, outputs, atol=1e-6)


def test_a_subclassed_model_that_was_never_called_is_built_and_trained(digits, tmp_path):
    @keras.saving.register_keras_serializable(package="tests")
    class Linear(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.flat, self.dense = keras.layers.Flatten(), keras.layers.Dense(10)

        def call(self, images):
            return self.dense(self.flat(keras.ops.cast(images, "float32") / 255))

    result = fit(Linear(), digits, tmp_path / "run")
    loaded = kexp.load(tmp_path / "run")
    images = digits.test.inputs[:5]
    np.testing.assert_array_equal(loaded.predict(images).probabilities, result.predict(images).probabilities)


@pytest.mark.slow
def test_a_folder_of_images_is_trained_on_and_new_files_are_answered(tmp_path):
    images = kexp.data.load("digits", validation=0)
    for number, (pixels, label) in enumerate(zip(images.train.inputs, images.train.targets, strict=True)):
        if label < 2:
            folder = tmp_path / "digits" / ["zero", "one"][label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[:, :, 0]).save(folder / f"{number}.png")
    data = kexp.data.load(tmp_path / "digits")
    assert data.spec.class_names == ("one", "zero")
    model = kexp.models.cnn(data.spec.input_shape, data.spec.outputs, filters=(8, 16))
    result = fit(
        model, data, tmp_path / "run", epochs=8, optimizer="adamw", schedule="one_cycle", learning_rate=0.01
    )
    assert result.metrics["test_accuracy"] > 0.95
    result.export(tmp_path / "served")
    path = next((tmp_path / "digits" / "zero").iterdir())
    assert predict_file(tmp_path / "served", path).labels.tolist() == ["zero"]


def test_ones_own_loss_and_metrics_are_used_and_the_best_epoch_follows_the_loss(digits, tmp_path):
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dtype="uint8")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)
    metric = keras.metrics.SparseTopKCategoricalAccuracy(3, name="top_3")
    result = fit(model, digits, tmp_path / "run", loss=loss, metrics=[metric], epochs=2)
    own = {"loss", "top_3", "val_loss", "val_top_3", "test_loss", "test_top_3"}
    exact = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss")
    assert result.metrics.keys() == own | {f"{part}_{name}" for part in ("val", "test") for name in exact}
    assert result.history.keys() == {"loss", "top_3", "val_loss", "val_top_3"}
    assert result.metrics["val_loss"] == min(result.history["val_loss"])


def test_penalties_of_layers_are_part_of_the_loss(digits, tmp_path):
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    penalty = keras.regularizers.L2(100.0)
    model = keras.Model(inputs, keras.layers.Dense(10, kernel_regularizer=penalty)(flat))
    result = fit(model, digits, tmp_path / "run", learning_rate=1e-6)
    kernel = result.model.layers[-1].kernel.numpy()
    assert result.metrics["test_loss"] > 100 * np.square(kernel).sum()


def test_label_smoothing_raises_the_loss_by_the_closed_form(digits, tmp_path):
    def loss(smoothing):
        keras.utils.set_random_seed(0)
        model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
        name = f"run {smoothing}"
        result = fit(model, digits, tmp_path / name, learning_rate=1e-7, label_smoothing=smoothing)
        return result.metrics["test_loss"], result.predict(digits.test.inputs).probabilities

    plain, _ = loss(0.0)
    smoothed, probabilities = loss(0.2)
    spread = float(np.mean(-np.log(probabilities)))
    assert smoothed == pytest.approx(0.8 * plain + 0.2 * spread, rel=1e-3)


def test_without_validation_the_last_weights_are_kept(tmp_path):
    data = kexp.data.load("digits", validation=0)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dtype="uint8")
    result = fit(model, data, tmp_path / "run", epochs=2)
    exact = {"test_balanced_accuracy", "test_macro_f1", "test_auroc", "test_log_loss"}
    assert result.metrics.keys() == {"loss", "accuracy", "test_loss", "test_accuracy"} | exact
    assert json.loads((tmp_path / "run" / "result.json").read_text())["best_epoch"] is None


def test_fast_dev_run_takes_the_whole_path_on_three_batches(digits, tmp_path):
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dtype="uint8")
    result = fit(model, digits, tmp_path / "run", epochs=50, batch_size=8, fast_dev_run=True)
    assert len(result.history["loss"]) == 1
    assert result.metrics["test_accuracy"] * 24 == pytest.approx(round(result.metrics["test_accuracy"] * 24))


def test_a_batch_larger_than_the_data_is_the_data_and_said_so(tmp_path, capsys):
    rng = np.random.default_rng(0)
    few = kexp.data.load((rng.random((46, 4)), np.arange(46) % 2), validation=0, test=0)

    def weights(name, **options):
        keras.utils.set_random_seed(0)
        model = kexp.models.mlp((4,), 2, hidden=(4,))
        kexp.fit(model, few, epochs=1, run_dir=str(tmp_path / name), **options)
        return model.get_weights(), capsys.readouterr().out

    larger, said = weights("larger")
    assert "a batch is all 46 training samples, which are fewer than 64\n" in said
    same, said = weights("same", batch_size=46)
    assert "a batch is" not in said
    for one, other in zip(larger, same, strict=True):
        np.testing.assert_array_equal(one, other)
    assert weights("quiet", batch_size=10**9, quiet=True)[1] == ""


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return {}


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (
            lambda: kexp.models.mlp((8, 8, 1), 9, dtype="uint8"),
            {},
            r"outputs of shape \(batch, 10\) for the data's 10 classes; received \(batch, 9\)",
        ),
        (
            lambda: OwnStep([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]),
            {},
            "own_step must be compiled, since it has a train_step of its own",
        ),
        (
            lambda: kexp.models.mlp((8, 8, 1), 10, dtype="uint8"),
            {"metrics": ["acuracy"]},
            r"metrics must be Keras metrics, their names or functions; received 'acuracy' \(did you mean",
        ),
        (
            lambda: kexp.models.mlp((8, 8, 1), 10, dtype="uint8"),
            {"epochs": 0},
            "epochs must be a whole number",
        ),
        (
            lambda: kexp.models.mlp((8, 8, 1), 10, dtype="uint8"),
            {"epoch": 1},
            "epoch is not a training option",
        ),
        (
            lambda: kexp.models.mlp((4, 4, 1), 10, dtype="uint8"),
            {},
            r"cannot take the inputs of digits, \(8, 8, 1\) uint8 each: .* expected shape=\(None, 4, 4",
        ),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_written(digits, tmp_path, model, options, words):
    with pytest.raises(InputError, match=words):
        fit(model(), digits, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
