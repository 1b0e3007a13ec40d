"""Intersection over union equals hand counts, in graphs and under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kexp.core.errors import InputError
from kexp.metrics.training.iou import iou_metrics

NAMES = ("background", "cat", "dog", "fish")
TRUE = np.array([[[0, 0, 1], [1, 1, 2]]], np.int32)
ANSWER = np.array([[[0, 1, 1], [1, 0, 0]]], np.int32)
# background: 1 found, 2 own, 3 taken for it; cat: 2 found, 3 own, 3 taken for it; dog: 0 of 1; fish: nowhere
EXPECTED = {"iou_background": 1 / 4, "iou_cat": 2 / 4, "iou_dog": 0.0, "iou_fish": 0.0, "mean_iou": 0.25}


def logits(answer, classes=4):
    noise = np.random.default_rng(0).uniform(-1, 1, (*answer.shape, classes))
    return (noise + 5.0 * np.eye(classes)[answer]).astype("float32")


def figures(metrics):
    return {metric.name: float(metric.result()) for metric in metrics}


@pytest.mark.parametrize("probabilities", [False, True])
def test_figures_equal_a_hand_count_and_a_class_that_is_nowhere_is_not_in_the_mean(probabilities):
    metrics = iou_metrics(NAMES)
    outputs = logits(ANSWER)
    for metric in metrics:
        metric.update_state(TRUE, keras.ops.softmax(outputs) if probabilities else outputs)
    assert figures(metrics) == pytest.approx(EXPECTED, abs=1e-6)


def test_a_perfect_answer_is_1_and_a_class_that_is_only_predicted_counts_as_0():
    metrics = iou_metrics(NAMES)
    for metric in metrics:
        metric.update_state(TRUE, logits(TRUE))
    assert figures(metrics)["mean_iou"] == pytest.approx(1.0, abs=1e-6)
    for metric in metrics:
        metric.update_state(TRUE, logits(np.full_like(TRUE, 3)))
    assert figures(metrics)["iou_fish"] == 0.0
    assert figures(metrics)["mean_iou"] == pytest.approx((2 / 4 + 3 / 6 + 1 / 2 + 0) / 4, abs=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_batches_in_a_compiled_function_add_up_to_all_pixels_together(jit):
    generator = np.random.default_rng(1)
    true, answer = generator.integers(0, 4, (2, 10, 5, 7)).astype("int32")
    metrics = iou_metrics(NAMES)

    @tf.function(jit_compile=jit, autograph=False)
    def update(targets, outputs):
        for metric in metrics:
            metric.update_state(targets, outputs)

    for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):
        update(tf.constant(true[rows]), tf.constant(logits(answer)[rows]))
    expected = [
        np.sum((true == index) & (answer == index)) / np.sum((true == index) | (answer == index))
        for index in range(4)
    ]
    assert list(figures(metrics).values()) == pytest.approx([np.mean(expected), *expected], abs=1e-6)


def test_counts_do_not_overflow_with_as_many_pixels_as_large_data_have():
    assert {metric.total_cm.dtype for metric in iou_metrics(NAMES)} == {"int64"}


def test_they_work_in_kerass_own_fit():
    model = keras.Sequential([keras.Input((2, 3, 1)), keras.layers.Conv2D(4, 1)])
    model.compile(
        "sgd",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(iou_metrics(NAMES)),
    )
    history = model.fit(np.ones((1, 2, 3, 1), "float32"), TRUE, verbose=0).history
    assert set(EXPECTED) <= set(history)


def test_names_are_safe_and_differ():
    names = [
        metric.name for metric in iou_metrics(("Ankle boot", "ankle-boot", "été/Hiver", "猫", "?!", "?"))
    ]
    assert names[1:] == ["iou_ankle_boot_0", "iou_ankle_boot_1", "iou_été_hiver", "iou_猫", "iou_4", "iou_5"]


def test_one_class_is_refused():
    with pytest.raises(InputError, match="two classes or more"):
        iou_metrics(("cat",))
