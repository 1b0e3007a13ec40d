"""Intersection over union: how well masks cover what they are to cover."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kexp.core.errors import InputError
from kexp.metrics.class_suffixes import class_suffixes

HIGHER_IS_BETTER = ("iou",)
KNOWN_HIGHER = ("iou",)


def iou_metrics(class_names: Sequence[str]) -> tuple[keras.metrics.Metric, ...]:
    """Return the metrics of a segmentation: `mean_iou`, and `iou_NAME` of each class.

    The pixels of a class that are found, over those that are its own or are taken for its own, counted over
    all images together (Everingham et al. 2010, "The PASCAL visual object classes challenge"). A class that
    neither occurs nor is predicted is left out of the mean; its own metric is 0.

    Args:
        class_names: In the order of the class indices, the background among them; 2 or more. In a metric's
            name they are in lower case, with "_" for what is no letter or digit, and with their index where
            two would be the same.

    Returns:
        Metrics of targets (batch, height, width) class indices and outputs (batch, height, width, classes)
        logits or probabilities.

    Raises:
        InputError: There are fewer than two classes.

    Example:
        >>> metrics = iou_metrics(("background", "T-shirt/top"))
        >>> [metric.name for metric in metrics]
        ['mean_iou', 'iou_background', 'iou_t_shirt_top']
    """
    if len(class_names) < 2:
        raise InputError(
            f"class_names={tuple(class_names)!r}: expected two classes or more; name the background too."
        )
    count = len(class_names)
    mean = keras.metrics.MeanIoU(count, name="mean_iou", sparse_y_pred=False)
    each = [
        keras.metrics.IoU(count, [index], name=name, sparse_y_pred=False)
        for index, name in enumerate(metric_names(class_names))
    ]
    return mean, *each


def metric_names(class_names: Sequence[str]) -> list[str]:
    """Return the names of the metrics of the classes, in their order.

    Example:
        >>> metric_names(["Cat", "cat!", "?"])
        ['iou_cat_0', 'iou_cat_1', 'iou_2']
    """
    return [f"iou_{suffix}" for suffix in class_suffixes(class_names)]
