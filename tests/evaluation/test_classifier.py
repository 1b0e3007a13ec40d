"""The classifier of generated images is given, or trained beside a run without touching it."""

import contextlib
import io
import json
import random

import keras
import numpy as np
import pytest
from keras import layers

import kexp
from kexp import TrainOptions, Unpack, recipes
from kexp.core.errors import InputError
from kexp.core.signals import Stopped
from kexp.data import Dataset, DatasetSpec
from kexp.evaluation.classifier import classifier_features
from kexp.run.context import capture_training, run_context
from kexp.train.checkpoint.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kexp.evaluation.classifier.LEAST_STEPS", 40)
        yield


@pytest.fixture(scope="module")
def trained(digits, few_steps, tmp_path_factory):
    """Return the folder around a classifier, its files before first use, what was printed then, and it."""
    folder = tmp_path_factory.mktemp("outer")
    features = classifier_features(digits, None, str(folder))
    before = list(folder.iterdir())
    with contextlib.redirect_stdout(io.StringIO()) as told:
        features.labels(images(digits))
    return folder, before, told.getvalue(), features


def images(digits):
    return digits.validation.inputs[:50]


@kexp.recipe(epochs=2)
def measured(data: str = "digits", measure: bool = True, **train: Unpack[TrainOptions]) -> kexp.Result:
    """Train with dropout, the classifier's features being asked for at the end of each epoch."""
    dataset = kexp.data.load(data, validation=train["validation"], seed=train["seed"])
    features = classifier_features(dataset, None, train["run_dir"] or "", quiet=True)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dropout=0.3, dtype="uint8")

    def ask(epoch, logs):
        assert run_context().call.recipe == "measured"
        features.labels(dataset.validation.inputs[:20])
        logs["drawn"] = float(np.random.random() + random.random() + keras.random.uniform(()))

    asked = [keras.callbacks.LambdaCallback(on_epoch_end=ask)] if measure else []
    return kexp.fit(model, dataset, callbacks=asked, **train)


def test_a_classifier_of_our_own_is_trained_once_at_first_use_and_told_of_in_a_line(digits, trained, capsys):
    folder, before, told, features = trained
    assert (features.name, before) == ("cnn", [])
    assert told.startswith("features: cnn trained on digits, validation accuracy 0.")
    assert told.endswith(f", in {folder / 'classifier'}\n")
    assert told.count("\n") == 1
    assert not any(name.startswith("test_") for name in kexp.load(folder / "classifier").metrics)
    again = classifier_features(digits, None, str(folder))
    np.testing.assert_array_equal(again.features(images(digits)), features.features(images(digits)))
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_killed_classifier_goes_on_to_the_same_weights(digits, trained, tmp_path, monkeypatch):
    def killed(*checkpoint):
        save_checkpoint(*checkpoint)
        raise Stopped(15, 0)

    with monkeypatch.context() as patch:
        patch.setattr(
            "kexp.train.checkpoint.interval.CheckpointInterval.after_epoch", lambda due, epoch: epoch == 1
        )
        patch.setattr("kexp.train.checkpoint.run_checkpoints.save_checkpoint", killed)
        with pytest.raises(Stopped):
            classifier_features(digits, None, str(tmp_path), quiet=True).features(images(digits))
    assert not (tmp_path / "classifier" / "result.json").exists()
    again = classifier_features(digits, None, str(tmp_path), quiet=True)
    expected = trained[-1].features(images(digits))
    np.testing.assert_array_equal(again.features(images(digits)), expected)


@pytest.mark.slow
def test_training_around_it_is_bit_identical_whether_it_is_trained_or_loaded_or_not_there(tmp_path):
    def weights(name, **arguments):
        result = measured(run_dir=str(tmp_path / name), quiet=True, **arguments)
        return result, result.model.get_weights()

    trained, first = weights("trained")
    (tmp_path / "loaded").mkdir()
    (tmp_path / "trained" / "classifier").rename(tmp_path / "classifier")
    assert json.loads((tmp_path / "trained" / "config.json").read_text())["recipe"] == "measured"
    assert json.loads((tmp_path / "classifier" / "config.json").read_text())["recipe"] == "fit"

    def put(folder, environment, create=kexp.run.folder.RunFolder.create):
        create(folder, environment)
        (tmp_path / "classifier").rename(folder.path / "classifier")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kexp.run.folder.RunFolder, "create", put)
        loaded, second = weights("loaded")
    without, third = weights("without", measure=False)
    assert loaded.history == trained.history
    assert loaded.history["val_loss"] == without.history["val_loss"]
    for one, other, another in zip(first, second, third, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, another)


@pytest.mark.slow
def test_it_trains_also_where_a_recipe_is_only_looked_at_and_under_another_precision(digits, tmp_path):
    def look(training):
        features = classifier_features(digits, None, str(tmp_path), quiet=True)
        return features.features(images(digits)), run_context().call.recipe

    given, outer = capture_training(look, recipes.mlp_images, precision="bfloat16", quiet=True)
    assert (given.shape, outer) == ((50, 128), "mlp_images")
    assert kexp.load(tmp_path / "classifier").model.layers[2].compute_dtype == "float32"


@pytest.mark.slow
def test_few_colour_images_are_enough_to_train_one(tmp_path):
    random = np.random.default_rng(0)
    x = random.integers(0, 100, (40, 5, 9, 3)).astype("uint8")
    y = np.arange(40) % 2
    x[y == 1] += 100
    np.savez(tmp_path / "few.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])
    data = kexp.data.load(str(tmp_path / "few.npz"), validation=0.0)
    labels = classifier_features(data, None, str(tmp_path / "run"), quiet=True).labels(data.train.inputs)
    assert np.mean(labels == data.train.targets) > 0.9


def test_a_finished_run_gives_features_named_after_its_recipe(digits, digits_run, tmp_path):
    features = classifier_features(digits, str(digits_run), str(tmp_path / "unused"))
    assert features.name == "mlp_images"
    random.seed(1)
    expected = random.random()
    random.seed(1)
    labels = features.labels(images(digits))
    assert random.random() == expected
    answers = kexp.load(digits_run).predict(images(digits)).probabilities
    np.testing.assert_array_equal(labels, answers.argmax(axis=1))
    assert not (tmp_path / "unused").exists()


def test_a_run_of_fit_is_named_after_its_model(digits, trained):
    assert classifier_features(digits, str(trained[0] / "classifier"), "unused").name == "cnn"


@pytest.mark.parametrize(
    ("last", "classes"),
    [
        (layers.Dense(10), 10),
        (layers.Dense(3, activation="softmax"), 3),
        (layers.Dense(1), None),
        (layers.Dense(10, activation="relu"), None),
        (layers.Flatten(), None),
    ],
)
def test_the_head_of_a_users_network_is_known_from_its_last_layer(digits, tmp_path, last, classes):
    inputs = keras.Input((None, None, 1), dtype="uint8")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(layers.Rescaling(1 / 255)(inputs)))
    inner = keras.Model(inputs, last(x))
    outer = keras.Input((8, 8, 1), dtype="uint8")
    for number, model in enumerate(
        [inner, keras.Model(outer, inner(outer)), keras.Sequential([outer, inner])]
    ):
        model.save(tmp_path / f"Net-{number}.keras")
        features = classifier_features(digits, str(tmp_path / f"Net-{number}.keras"), "unused")
        assert features.name == f"net_{number}"
        given, labels = features.both(images(digits))
        assert features.classes == classes
        if classes is None:
            np.testing.assert_allclose(given, model(images(digits)), rtol=1e-5)
        else:
            assert given.shape == (50, 6)
            np.testing.assert_array_equal(labels, np.argmax(model(images(digits)), axis=1))


def test_a_classifier_that_cannot_be_used_is_refused_at_once_in_one_sentence(digits, digits_run, tmp_path):
    iris = kexp.data.load("iris")
    fashion = kexp.data.load("fashion_mnist_small")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text("{}")
    (tmp_path / "bad.keras").write_text("no zip file")
    inputs = keras.Input((28, 28, 3), dtype="uint8")
    keras.Model(inputs, layers.Flatten()(inputs)).save(tmp_path / "large.keras")
    masks = Dataset(
        "masks", None, None, None, DatasetSpec("image", (8, 8, 1), "uint8", "segmentation", 2), ""
    )
    cases = [
        (digits, tmp_path / "nothing", "finished run, or a .keras file; .*nothing holds no run"),
        (digits, tmp_path / "begun", "begun holds an unfinished run"),
        (digits, tmp_path / "bad.keras", "bad.keras: cannot be read as a saved Keras model"),
        (digits, tmp_path / "absent.keras", "absent.keras: expected a saved Keras model"),
        (
            digits,
            tmp_path / "large.keras",
            r"take images of \(8, 8, 1\) .* takes \(28, 28, 3\), so put layers",
        ),
        (
            fashion,
            digits_run,
            r"of \(28, 28, 1\) uint8 images as fashion_mnist_small has; .* \(8, 8, 1\) uint8",
        ),
        (iris, None, "classifier must be given .* iris is of kind table, for classification"),
        (masks, None, "classifier must be given .* masks is of kind image, for segmentation with 2"),
    ]
    for data, classifier, words in cases:
        with pytest.raises(InputError, match=words) as refused:
            classifier_features(data, classifier and str(classifier), str(tmp_path / "run"))
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()
