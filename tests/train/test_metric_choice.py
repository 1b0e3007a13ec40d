"""Keras's metrics get what each of them takes, and end with scikit-learn's values."""

import keras
import numpy as np
import pytest
from keras import metrics as km
from sklearn import metrics as sk

from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.engine.engine_choice import backend
from kexp.tasks import task_named
from kexp.train.objectives import supervised
from kexp.train.objectives.metric_choice import as_metrics

RNG = np.random.default_rng(0)
LOGIT = RNG.normal(size=300)
TARGETS = (RNG.random(300) < 1 / (1 + np.exp(1 - LOGIT))).astype("int32")
SHARE = 1 / (1 + np.exp(-LOGIT))
ANSWERS = SHARE > 0.5
OUTPUTS = {
    "two logits": (np.stack([0.3 * LOGIT, 1.3 * LOGIT], axis=1), True),
    "two probabilities": (np.stack([1 - SHARE, SHARE], axis=1), False),
    "one logit": (LOGIT[:, None], True),
    "one probability": (SHARE[:, None], False),
}
IOU = np.mean([sk.jaccard_score(TARGETS, ANSWERS, pos_label=label) for label in (0, 1)])
ACCURACY, LOSS = sk.accuracy_score(TARGETS, ANSWERS), sk.log_loss(TARGETS, SHARE)
EXPECTED = {
    "accuracy": ("accuracy", ACCURACY),
    "a": (lambda: km.Accuracy(name="a"), ACCURACY),
    "binary_accuracy": ("binary_accuracy", ACCURACY),
    "c": (lambda: km.CategoricalAccuracy(name="c"), ACCURACY),
    "top_1": (lambda: km.SparseTopKCategoricalAccuracy(1, name="top_1"), ACCURACY),
    "binary_crossentropy": (keras.losses.binary_crossentropy, LOSS),
    "cce": (lambda: km.CategoricalCrossentropy(name="cce"), LOSS),
    "scce": (lambda: km.SparseCategoricalCrossentropy(name="scce"), LOSS),
    "logit_loss": (lambda: km.SparseCategoricalCrossentropy(from_logits=True, name="logit_loss"), LOSS),
    "p": (lambda: km.Precision(name="p"), sk.precision_score(TARGETS, ANSWERS)),
    "r": (lambda: km.Recall(name="r"), sk.recall_score(TARGETS, ANSWERS)),
    "r_no": (lambda: km.Recall(class_id=0, name="r_no"), sk.recall_score(1 - TARGETS, ~ANSWERS)),
    "tp": (lambda: km.TruePositives(name="tp"), float((ANSWERS & (TARGETS == 1)).sum())),
    "f1": (lambda: km.F1Score(name="f1"), sk.f1_score(TARGETS, ANSWERS)),
    "f_half": (lambda: km.F1Score(threshold=0.5, name="f_half"), sk.f1_score(TARGETS, ANSWERS)),
    "macro": (lambda: km.F1Score("macro", name="macro"), sk.f1_score(TARGETS, ANSWERS, average="macro")),
    "mse": (lambda: km.MeanSquaredError(name="mse"), sk.brier_score_loss(TARGETS, SHARE)),
    "r2": (lambda: km.R2Score(name="r2"), sk.r2_score(TARGETS, SHARE)),
    "iou": (lambda: km.MeanIoU(2, name="iou"), IOU),
    "binary_iou": (lambda: km.BinaryIoU(name="binary_iou"), IOU),
}


def measured(chosen, targets, outputs, *, from_logits, task="classification", names=("no", "yes")):
    spec = DatasetSpec("array", (3,), "float32", task, len(names), names)
    objective = supervised(spec, from_logits=from_logits, metrics=chosen)
    found = backend().measure_outputs(objective, targets, outputs.astype("float32"))
    assert found.keys() == objective.metric_directions().keys() - {"loss"}
    return found


@pytest.mark.parametrize("form", OUTPUTS)
def test_metrics_of_two_classes_are_those_of_the_second(form):
    outputs, from_logits = OUTPUTS[form]
    by_name = ("accuracy", "binary_accuracy", "binary_crossentropy")
    chosen = [made if name in by_name else made() for name, (made, _) in EXPECTED.items()]
    thresholds = [
        km.AUC(name="auc"),
        km.AUC(curve="PR", name="pr"),
        km.AUC(from_logits=True, name="auc_logits"),
    ]
    several = km.Precision(thresholds=[0.3, 0.7], name="at")
    found = measured([*chosen, *thresholds, several], TARGETS, outputs, from_logits=from_logits)
    for name in ("auc", "auc_logits"):
        assert found.pop(name) == pytest.approx(sk.roc_auc_score(TARGETS, SHARE), abs=0.005)
    assert found.pop("pr") == pytest.approx(sk.average_precision_score(TARGETS, SHARE), abs=0.02)
    for index, threshold in enumerate((0.3, 0.7)):
        assert found.pop(f"at_{index}") == pytest.approx(sk.precision_score(TARGETS, threshold < SHARE))
    assert found == pytest.approx({name: value for name, (_, value) in EXPECTED.items()}, abs=1e-5)


@pytest.mark.parametrize("from_logits", [True, False])
def test_metrics_of_more_classes_get_one_hot_targets_and_one_value_for_each_class(from_logits):
    logits = RNG.normal(size=(300, 3)).astype("float32")
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets, answers = RNG.integers(0, 3, 300).astype("int32"), shares.argmax(axis=1)
    chosen = ["acc", "AUC", km.F1Score(name="f1"), km.F1Score("macro", name="macro"), km.Recall(class_id=2)]
    outputs = logits if from_logits else shares
    names = ("Cat", "dog", "fox/hound")
    found = measured(chosen, targets, outputs, from_logits=from_logits, names=names)
    each = sk.f1_score(targets, answers, average=None)
    assert found["acc"] == pytest.approx(sk.accuracy_score(targets, answers))
    assert [found[f"f1_{name}"] for name in ("cat", "dog", "fox_hound")] == pytest.approx(each, abs=1e-6)
    assert found["macro"] == pytest.approx(each.mean(), abs=1e-6)
    micro = sk.roc_auc_score(np.eye(3)[targets].ravel(), shares.ravel())
    assert found["AUC"] == pytest.approx(micro, abs=0.005)


@pytest.mark.parametrize("from_logits", [True, False])
def test_metrics_of_labels_get_probabilities_of_each(from_logits):
    logits = RNG.normal(size=(200, 3)).astype("float32")
    targets = (RNG.random((200, 3)) < 0.4).astype("float32")
    outputs = logits if from_logits else 1 / (1 + np.exp(-logits))
    chosen = [
        "accuracy",
        km.AUC(multi_label=True, num_labels=3, name="auc"),
        km.F1Score(threshold=0.5, name="f1"),
    ]
    names = ("a", "b", "c")
    found = measured(chosen, targets, outputs, from_logits=from_logits, task="multilabel", names=names)
    each = sk.f1_score(targets, logits > 0, average=None)
    assert [found[f"f1_{name}"] for name in names] == pytest.approx(each, abs=1e-6)
    assert found["accuracy"] == pytest.approx(((logits > 0) == (targets > 0)).mean())
    assert found["auc"] == pytest.approx(sk.roc_auc_score(targets, logits), abs=0.01)


def test_a_metric_of_ones_own_gets_what_there_is():
    class OfLogits(km.AUC):
        def update_state(self, targets, outputs, sample_weight=None):
            assert targets.shape == (300,)
            super().update_state(targets, keras.ops.softmax(outputs)[:, 1])

    def largest(targets, outputs):
        assert targets.shape == (300,)
        return keras.ops.max(outputs, axis=-1)

    outputs, _ = OUTPUTS["two logits"]
    found = measured([OfLogits(name="own"), largest], TARGETS, outputs, from_logits=True)
    assert found["own"] == pytest.approx(sk.roc_auc_score(TARGETS, SHARE), abs=0.005)
    assert found["largest"] == pytest.approx(outputs.max(axis=1).mean(), abs=1e-5)


@pytest.mark.parametrize(
    ("task", "chosen", "message"),
    [
        ("classification", ["acuracy"], r"received 'acuracy' \(did you mean 'accuracy'"),
        ("classification", [3], "Keras metrics, their names or functions; received 3"),
        ("classification", [keras.losses.Huber()], "received <LossFunctionWrapper|received <"),
        ("classification", ["auc", km.AUC(name="auc")], "'auc' is taken"),
        ("classification", [km.Mean(name="loss")], "'loss' is taken"),
        ("regression", ["accuracy"], "regression, which has no accuracy"),
    ],
)
def test_what_is_no_metric_is_refused(task, chosen, message):
    with pytest.raises(InputError, match=message):
        as_metrics(chosen, task_named(task))
