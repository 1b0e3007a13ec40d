"""Compiled models have exact figures too, for each of their outputs, and a monitor may be one."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import kexp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype("float32")
KIND, SIZE, TAGS = (X[:, 0] > 0.5).astype(int), X[:, 1:2] * 2, (X[:, 1:] > 0.3).astype("float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(8, "relu")(inputs)
    units = {"kind": (1, "sigmoid"), "size": (1, None), "tags": (3, None)}
    outputs = {name: keras.layers.Dense(*of, name=name)(hidden) for name, of in units.items()}
    model = keras.Model(inputs, outputs)
    of_tags = keras.losses.BinaryCrossentropy(from_logits=True)
    losses = {"kind": "binary_crossentropy", "size": "mse", "tags": of_tags}
    model.compile(keras.optimizers.Adam(0.02), loss=losses, metrics={"kind": ["accuracy"]})
    restores = keras.callbacks.EarlyStopping("val_kind_auroc", restore_best_weights=True, patience=9)
    run_dir = tmp_path_factory.mktemp("compiled") / "run"
    options = {"validation_split": 0.2, "epochs": 3, "callbacks": [restores], "quiet": True}
    return kexp.fit(model, X, {"kind": KIND, "size": SIZE, "tags": TAGS}, run_dir=str(run_dir), **options)


def test_every_output_has_the_figures_of_its_task(run):
    found, part = run.model.predict(X[240:], verbose=0), slice(240, None)
    given = 1 / (1 + np.exp(-found["tags"])) > np.float32(run.spec.heads[2].thresholds)
    expected = {
        "val_kind_auroc": sk.roc_auc_score(KIND[part], found["kind"][:, 0]),
        "val_kind_brier": sk.brier_score_loss(KIND[part], found["kind"][:, 0].astype("float64")),
        "val_size_r2": sk.r2_score(SIZE[part], found["size"]),
        "val_tags_map": sk.average_precision_score(TAGS[part], found["tags"]),
        "val_tags_macro_f1": sk.f1_score(TAGS[part], given, average="macro"),
    }
    assert {name: run.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_early_stopping_goes_by_an_exact_figure_of_one_output(run):
    history = run.history["val_kind_auroc"]
    assert run.metrics["val_kind_auroc"] == max(history) == history[run.best_epoch - 1]


def test_predictions_have_the_labels_above_their_thresholds(run):
    found = run.predict(X[:50]).to_frame(run.spec)
    shares = found[["tags 0", "tags 1", "tags 2"]].to_numpy()
    names = np.array(["0", "1", "2"])
    expected = [";".join(names[row]) for row in shares > np.float32(run.spec.heads[2].thresholds)]
    assert found["tags labels"].tolist() == expected
