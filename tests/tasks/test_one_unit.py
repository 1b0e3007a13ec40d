"""Two classes by one unit, a logit or a probability: trained, told, exported, evaluated and checked."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import kexp
from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.run.context import capture_training
from kexp.train.objectives import supervised

RNG = np.random.default_rng(0)
X = RNG.normal(size=(403, 4)).astype("float32")
Y = np.where(X[:, 0] + RNG.normal(size=403) > 1, "yes", "no")


@pytest.fixture(scope="module")
def data():
    return kexp.data.load((X, Y))


def layers(units=1, activation=None):
    keras.utils.set_random_seed(1)
    return [keras.Input((4,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(units, activation)]


def fit(model, data, run_dir, **options):
    return kexp.fit(model, data, **{"epochs": 1, "quiet": True, "run_dir": str(run_dir), **options})


OPTIONS = {"learning_rate": 0.05, "class_weight": "balanced"}


@pytest.fixture(scope="module")
def logit(data, tmp_path_factory):
    return fit(keras.Sequential(layers()), data, tmp_path_factory.mktemp("logit") / "run", **OPTIONS)


@pytest.fixture(scope="module")
def probability(data, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("probability") / "run"
    return fit(keras.Sequential(layers(1, "sigmoid")), data, run_dir, **OPTIONS)


def test_a_logit_and_a_probability_train_to_the_same(logit, probability):
    assert (logit.from_logits, probability.from_logits) == (True, False)
    assert logit.metrics == pytest.approx(probability.metrics, abs=1e-5)
    assert logit.spec.outputs == 2


@pytest.mark.parametrize("name", ["logit", "probability"])
def test_predictions_and_metrics_are_of_both_classes(name, data, request):
    result = request.getfixturevalue(name)
    found, targets = result.predict(data.test.inputs), data.test.targets
    assert found.probabilities.shape == (len(targets), 2)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)
    assert found.labels.tolist() == [("no", "yes")[int(share > 0.5)] for share in found.probabilities[:, 1]]
    assert result.metrics["test_auroc"] == sk.roc_auc_score(targets, found.probabilities[:, 1])
    assert result.metrics["test_loss"] == pytest.approx(result.metrics["test_log_loss"], abs=1e-5)
    assert kexp.load(result.run_dir).evaluate(data)["f1"] == result.metrics["test_f1"]


def test_an_export_gives_the_probabilities_of_both_classes(logit, data, tmp_path):
    exported = kexp.export.load_exported(logit.export(tmp_path / "served"))
    found, expected = exported.predict(data.test.inputs), logit.predict(data.test.inputs)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
    assert found.labels.tolist() == expected.labels.tolist()
    assert exported.spec.class_names == ("no", "yes")


def test_a_page_and_a_check_know_of_one_unit(probability, data):
    assert "Confusion matrix" in probability.report(data=data).read_text()
    report = kexp.check(kexp.fit, keras.Sequential(layers(1, "sigmoid")), data)
    assert "ln 2 = 0.6931" in report["first loss"].message
    assert report["outputs"].message == "(batch, 1) probabilities, as the loss takes them."
    wrong = keras.losses.BinaryCrossentropy(from_logits=True)
    report = kexp.check(kexp.fit, keras.Sequential(layers(1, "sigmoid")), data, loss=wrong)
    assert report["outputs"].status == "problem"


@keras.saving.register_keras_serializable("tests")
class Unit(keras.Model):
    """One number between 0 and 1 while it is untrained, whatever it stands for."""

    def __init__(self, **options):
        super().__init__(**options)
        bias = keras.initializers.Constant(0.4)
        self.dense = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=bias)

    def call(self, inputs):
        return self.dense(inputs)


def nested(activation):
    inner = keras.Sequential(layers(1, activation))
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Reshape((1,))(inner(inputs)))


@pytest.mark.parametrize(
    ("model", "options", "logits", "words"),
    [
        (lambda: nested(None), {}, True, "a logit: its last layer is linear"),
        (lambda: nested("sigmoid"), {}, False, "a probability: its last layer is sigmoid"),
        (lambda: keras.Sequential([*layers(), keras.layers.Activation("sigmoid")]), {}, False, "is sigmoid"),
        (Unit, {"loss": keras.losses.BinaryCrossentropy(from_logits=True)}, True, "the loss takes logits"),
        (Unit, {"loss": "binary_crossentropy"}, False, "the loss takes probabilities"),
        (Unit, {}, False, "290 of them are all between 0 and 1"),
    ],
    ids=["nested", "nested sigmoid", "activation", "loss of logits", "loss of probabilities", "values"],
)
def test_what_makes_the_unit_decides_and_is_said(model, options, logits, words, data):
    setup = capture_training(lambda setup: setup, kexp.fit, model(), data, **options)
    assert setup.objective.from_logits is logits
    assert words in setup.notes[0]


def test_a_function_as_loss_gets_a_target_for_each_unit():
    def absolute(targets, outputs):
        return keras.ops.mean(keras.ops.abs(targets - outputs), axis=-1)

    spec = DatasetSpec("array", (4,), "float32", "classification", 2)
    targets, outputs = np.array([0, 1, 1]), np.array([[0.5], [0.5], [1.0]], "float32")
    objective = supervised(spec, from_logits=False, loss=absolute)
    np.testing.assert_allclose(objective.compared(targets, outputs), [0.5, 0.5, 0.0])


def test_the_loss_of_one_unit_is_that_of_two_also_of_labels_that_were_smoothed_or_mixed():
    spec = DatasetSpec("array", (4,), "float32", "classification", 2)
    logits = RNG.normal(size=(9, 1)).astype("float32")
    two = np.concatenate([np.zeros_like(logits), logits], axis=1)
    mixed = RNG.random((9, 1)).astype("float32")
    for targets in (RNG.integers(0, 2, 9), np.concatenate([1 - mixed, mixed], axis=1)):
        objective = supervised(spec, label_smoothing=0.1)
        one, both = (np.asarray(objective.compared(targets, outputs)) for outputs in (logits, two))
        np.testing.assert_allclose(one, both, rtol=1e-5)


def test_arrays_in_memory_are_validated_on_the_part_that_the_call_names(tmp_path):
    model = keras.Sequential(layers(1, "sigmoid"))
    options = {"validation_split": 0.2, "metrics": ["AUC"], "epochs": 1, "quiet": True}
    result = kexp.fit(model, X[:400], Y[:400], run_dir=str(tmp_path / "run"), **options)
    shares = result.predict(X[320:400]).probabilities[:, 1]
    assert result.metrics["val_auroc"] == pytest.approx(sk.roc_auc_score(Y[320:400] == "yes", shares))
    assert result.metrics["val_AUC"] == pytest.approx(result.metrics["val_auroc"], abs=0.01)


def test_masks_of_two_classes_by_one_unit(tmp_path):
    images = RNG.integers(0, 256, (40, 8, 8, 1)).astype("uint8")
    data = kexp.data.load((images, (images[..., 0] > 127).astype(int)))
    convolution = keras.layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), convolution])
    result = fit(
        model, data, tmp_path / "run", batch_size=29, metrics=["accuracy", keras.metrics.BinaryIoU()]
    )
    found = result.predict(images[:3])
    assert (found.masks.shape, found.probabilities.shape) == ((3, 8, 8), (3, 8, 8, 2))
    np.testing.assert_array_equal(found.masks, found.probabilities[..., 1] > 0.5)


def test_one_unit_for_more_classes_is_refused(tmp_path):
    data = kexp.data.load((X, np.arange(403) % 3))
    with pytest.raises(InputError, match=r"outputs of shape \(batch, 3\) for the data's 3 classes"):
        fit(keras.Sequential(layers()), data, tmp_path / "run")
