"""`kexp.fit` in the place of `model.fit`: compiled models, arrays, and batches and steps of one's own."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kexp
from kexp.core.errors import InputError
from kexp.data.order import epoch_order
from tests.api.small_fits import (
    BATCH,
    EPOCHS,
    SAMPLES,
    Cut,
    X,
    Y,
    Z,
    assert_same_weights,
    compiled,
    fit,
    layers,
)


def two_heads(**options):
    model = layers(("kind", 2, "softmax"), ("size", 1, None))
    model.compile(
        keras.optimizers.Adam(0.01),
        loss={"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"]},
        weighted_metrics={"size": ["mae"]},
        **options,
    )
    return model


def train_plainly(model, y, weights=None):
    for epoch in range(EPOCHS):
        order = epoch_order(SAMPLES, 0, epoch)
        for first in range(0, SAMPLES, BATCH):
            rows = order[first : first + BATCH]
            picked = keras.tree.map_structure(lambda array, rows=rows: array[rows], (y, weights or {}))
            model.train_on_batch(X[rows], picked[0], sample_weight=picked[1] or None)
    return model


def test_a_compiled_model_trains_to_the_weights_of_plain_keras_and_its_record_says_how(tmp_path):
    result = fit(model := compiled(), X, Y, run_dir=tmp_path / "run")
    assert_same_weights(model, train_plainly(compiled(), Y), 0)
    recorded = json.loads((tmp_path / "run/config.json").read_text())["arguments"]["compiled"]
    assert recorded["loss"] == "sparse_categorical_crossentropy"
    assert recorded["optimizer"]["config"]["learning_rate"]["class_name"] == "ExponentialDecay"
    assert model.compiled
    assert set(result.metrics) >= {"loss", "accuracy"}
    assert kexp.load(result.run_dir).predict(X[:3]).labels.tolist() == result.predict(X[:3]).labels.tolist()

    fresh = compiled()
    fresh.set_weights([weight * 0 for weight in fresh.get_weights()])
    fit(fresh, X, Y, run_dir=tmp_path / "run")  # finished: the model gets what was trained
    assert_same_weights(fresh, model, 0)
    with pytest.raises(InputError, match="holds a run on other data"):
        fit(compiled(), X + 1, Y, run_dir=tmp_path / "run")
    other = compiled()
    other.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with pytest.raises(InputError, match="holds a run with other arguments: compiled was"):
        fit(other, X, Y, run_dir=tmp_path / "run")


def test_several_outputs_train_as_in_keras_and_are_predicted_and_exported_by_name(tmp_path):
    targets, balance = {"kind": Y, "size": Z}, np.where(Y == 1, 3.0, 1.0).astype("float32")
    model = two_heads()
    result = fit(
        model,
        X,
        targets,
        class_weight={"kind": {1: 3.0}},
        run_dir=tmp_path / "run",
    )
    weights = {"kind": balance, "size": np.ones(SAMPLES, "float32")}
    assert_same_weights(model, train_plainly(two_heads(), targets, weights))
    assert set(result.metrics) >= {"loss", "kind_loss", "kind_accuracy", "size_mae"}
    answers = result.predict(X[:3])
    assert answers.outputs["kind"].labels.shape == (3,)
    np.testing.assert_allclose(
        answers.outputs["size"].values, model.predict(X[:3], verbose=0)["size"], atol=1e-6
    )
    result.export(tmp_path / "served")
    served = kexp.load_exported(tmp_path / "served").predict(X[:3])
    np.testing.assert_allclose(served.outputs["size"].values, answers.outputs["size"].values, atol=1e-5)
    frame = served.to_frame(result.spec)
    assert list(frame.columns) == ["kind label", "kind 0", "kind 1", "size"]
    assert result.report().stat().st_size > 1000


CONTRADICTIONS = {
    "optimizer": {"optimizer": "adam"},
    "an optimizer object": {"optimizer": keras.optimizers.SGD(0.1)},
    "learning_rate": {"learning_rate": 0.1},
    "loss": {"loss": "mse"},
    "metrics": {"metrics": ["accuracy"]},
    "label_smoothing": {"label_smoothing": 0.1},
    "schedule": {"schedule": "cosine"},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_the_way_a_model_was_compiled_is_refused_by_name(tmp_path, name):
    options = CONTRADICTIONS[name]
    with pytest.raises(
        InputError, match=f"^{next(iter(options))} must be left out for model .*, which is compiled"
    ):
        fit(compiled(), X, Y, run_dir=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


MISTAKES = {
    "too few targets": (lambda: (X, Y[:5]), {}, "y must have as many samples as x, 40; received 5"),
    "a share of one and a half": (lambda: (X, Y), {"validation_split": 1.5}, "validation_split must be"),
    "no share left": (lambda: (X, Y), {"validation_split": 0.999}, "validation_split must leave samples"),
    "weights of words": (lambda: (X, Y), {"class_weight": {0: "a"}}, "class_weight must be numbers"),
    "weights of nothing": (lambda: (X, Y), {"class_weight": {0: 0, 1: 0}}, "class_weight must have a number"),
    "weights by an output": (
        lambda: (X, Y),
        {"class_weight": {"a": {0: 1}}},
        "class_weight must be a weight by",
    ),
    "both kinds of weights": (
        lambda: (X, Y),
        {"class_weight": {0: 1}, "sample_weight": np.ones(SAMPLES)},
        "exclude each other",
    ),
    "validation of another width": (
        lambda: (X, Y),
        {"validation_data": (X[:, :3], Y)},
        "loss or metrics of model .* do not fit|cannot take",
    ),
    "validation without targets": (lambda: (X, Y), {"validation_data": (X,)}, "validation_data"),
    "one-hot targets of a sparse loss": (
        lambda: (X, np.eye(2)[Y]),
        {},
        "loss or metrics of model .* do not fit",
    ),
    "an object": (lambda: (object(), Y), {}, "x must be an array with a row for each sample"),
    "nothing": (lambda: (None, Y), {}, "x must be data to train on"),
    "texts": (lambda: (np.array([["a"] * 4] * SAMPLES), Y), {}, "cannot take the inputs|loss or metrics"),
    "a dict of other keys": (
        lambda: (X, Y),
        {"validation_data": ({"a": X}, Y)},
        "x|structure",
    ),
    "one number": (lambda: (3, Y), {}, "x must be an array with a row for each sample; received 3"),
    "one target": (lambda: (X, "kind"), {}, "y must be an array with a row for each sample; received 'kind'"),
    "one weight": (lambda: (X, Y), {"sample_weight": 5}, "sample_weight must be an array with a row"),
    "weights of letters": (
        lambda: (X, Y),
        {"sample_weight": ["a"] * SAMPLES},
        "sample_weight must be numbers; received 'a'",
    ),
    "an epoch after the last": (
        lambda: (X, Y),
        {"initial_epoch": 7},
        "initial_epoch must be below epochs, .*received 7",
    ),
    "no steps": (lambda: (X, Y), {"steps_per_epoch": 0}, "steps_per_epoch must be"),
    "no frequency": (lambda: (X, Y), {"validation_freq": 0}, "validation_freq must be"),
    "a generator of numbers": (lambda: (iter(int, 1),), {}, "x: a batch must be an array with a row for"),
    "an empty generator": (lambda: (iter([]),), {}, "x must have batches; received an empty generator"),
    "an endless dataset": (
        lambda: (tf.data.Dataset.from_tensors((X, Y)).repeat(),),
        {},
        "steps_per_epoch must be given for a tf.data.Dataset",
    ),
    "targets beside batches": (
        lambda: (tf.data.Dataset.from_tensors((X, Y)), Y),
        {},
        "y must be left out for a tf.data.Dataset",
    ),
    "no array": (lambda: (X, Y), {"validation_data": 3}, "validation_data must be"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_does_not_fit_is_one_sentence_before_anything_is_written(tmp_path, name):
    data, options, words = MISTAKES[name]
    with pytest.raises(InputError, match=words) as error:
        fit(compiled(), *data(), run_dir=tmp_path / "run", **options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("loss", [None, "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("metrics", ["accuracy", 5, b"AUC", True, [5], {"kind": 2}, keras.metrics.AUC()])
def test_metrics_that_are_no_list_of_metrics_are_one_sentence(tmp_path, metrics, loss):
    model = layers(("kind", 2, "softmax"))
    with pytest.raises(
        InputError, match=r"metrics must be a list of Keras metrics such as keras\.metrics\.AUC"
    ):
        fit(model, X, Y, loss=loss, metrics=metrics, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Adversaries(keras.Model):
    """A GAN with a step, two optimizers, random numbers and a counter of its own."""

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
        self.judge = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
        )
        self.noise = keras.random.SeedGenerator(1)
        self.count = tf.Variable(0, trainable=False)

    def compile(self, **options):
        super().compile(**options)
        self.loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.judging, self.making = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
        self.judged, self.made = keras.metrics.Mean(name="judged"), keras.metrics.Mean(name="made")

    @property
    def metrics(self):
        return [self.judged, self.made]

    def train_step(self, data):
        (real,) = data
        samples = ops.shape(real)[0]
        drawn = keras.random.normal((samples, 2), seed=self.noise)
        truth = ops.concatenate([ops.zeros((samples, 1)), ops.ones((samples, 1))], axis=0)
        with tf.GradientTape() as tape:
            both = ops.concatenate([self.generator(drawn), real], axis=0)
            judged = self.loss(truth, self.judge(both))
        weights = self.judge.trainable_weights
        self.judging.apply_gradients(zip(tape.gradient(judged, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            made = self.loss(ops.ones((samples, 1)), self.judge(self.generator(drawn)))
        weights = self.generator.trainable_weights
        self.making.apply_gradients(zip(tape.gradient(made, weights), weights, strict=True))
        self.count.assign_add(1)
        self.judged.update_state(judged)
        self.made.update_state(made)
        return {"judged": self.judged.result(), "made": self.made.result()}


def adversaries():
    keras.utils.set_random_seed(2)
    model = Adversaries()
    model.compile()
    return model


def test_a_step_of_the_models_own_goes_on_with_every_variable_that_it_touches(tmp_path):
    every = {"checkpoint_every": "1 steps"}
    whole = adversaries()
    result = fit(whole, X, run_dir=tmp_path / "whole", **every)
    with pytest.raises(SystemExit):
        fit(adversaries(), X, run_dir=tmp_path / "cut", callbacks=[Cut(4)], **every)
    resumed = adversaries()
    again = fit(resumed, X, run_dir=tmp_path / "cut", callbacks=[Cut(99)], **every)
    assert_same_weights(resumed, whole, 0)
    assert int(resumed.count) == int(whole.count) == 6
    assert again.history == result.history
    assert set(result.history) == {"judged", "made"}
    with pytest.raises(InputError, match=r"clip_norm must be left out for model .* train_step of its own"):
        fit(adversaries(), X, run_dir=tmp_path / "clipped", clip_norm=1.0)


def test_epochs_are_as_long_begin_and_are_validated_as_keras_would(tmp_path):
    seen = []
    epochs = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    result = fit(
        compiled(),
        X,
        Y,
        validation_split=0.2,
        epochs=5,
        initial_epoch=2,
        steps_per_epoch=1,
        validation_freq=2,
        callbacks=[epochs],
        run_dir=tmp_path / "run",
    )
    assert seen == [2, 3, 4]
    assert np.isnan(result.history["val_loss"]).tolist() == [True, False, True]


def test_a_model_that_is_not_compiled_takes_keras_objects_names_and_functions(tmp_path):
    def distance(targets, outputs):
        return ops.mean(ops.square(ops.cast(targets, "float32") - outputs), axis=-1)

    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model = layers(("size", 1, None))
    result = fit(
        model, X, Z, loss=distance, metrics=["mae"], learning_rate=schedule, run_dir=tmp_path / "run"
    )
    assert not model.compiled
    assert set(result.metrics) >= {"loss", "mae"}
    arguments = json.loads((tmp_path / "run/config.json").read_text())["arguments"]
    assert arguments["loss"]["name"].endswith("distance")
    assert len(arguments["loss"]["source_sha256"]) == 64
    assert arguments["learning_rate"]["class_name"] == "CosineDecay"
    other = fit(layers(("kind", 2, None)), X, Y, optimizer="nadam", run_dir=tmp_path / "other")
    assert other.spec.task == "classification"
    with pytest.raises(InputError, match="momentum must be left out beside the SGD"):
        fit(
            layers(("kind", 2, None)),
            X,
            Y,
            optimizer=keras.optimizers.SGD(),
            momentum=0.5,
            run_dir=tmp_path / "no",
        )


def test_a_model_with_a_step_alone_cannot_be_validated(tmp_path):
    given = {"validation_split": 0.25, "run_dir": tmp_path / "run"}
    with pytest.raises(
        InputError, match=r"validation needs a model with a call .* adversaries\w* has a train_step"
    ):
        fit(adversaries(), X, **given)
    assert not (tmp_path / "run").exists()
