"""Metrics of detections: COCO's average precision, by overlap, by size and by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kexp.metrics.class_suffixes import class_suffixes
from kexp.metrics.detection_matching import SIZES, ClassMatches, class_matches

__all__ = ["PrecisionRecall", "detection_metrics", "precision_recall"]

HIGHER_IS_BETTER = ("map", "ap50", "ap75")
KNOWN_HIGHER = ("ap50", "ap75", "ap", "mar")
SHARES = ("ap50", "ap75", "ap", "mar")
NAMES = ("map", "ap50", "ap75", "map_small", "map_medium", "map_large", "mar")
_RECALLS = np.linspace(0.0, 1.0, 101)
_TINY = np.spacing(1)  # that COCO's divides by where there is nothing


class PrecisionRecall(NamedTuple):
    """The precision and recall of a class as the least score of a detection goes down, at one overlap.

    Attributes:
        scores: (detections,) descending.
        precision: (detections,) share of hits among the detections so far.
        recall: (detections,) share of the objects that are found so far.
        objects: How many objects there are.
    """

    scores: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    objects: int


def detection_metrics(
    targets: np.ndarray,
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str],
) -> dict[str, float]:
    """Return COCO's average precision of detections, equal to what pycocotools computes.

    The precision at 101 recalls from 0 to 1, where it is the highest at that recall or above, in the mean
    over these, over the classes that have objects, and over ten overlaps for a hit, 0.5 to 0.95. Of an image
    the 100 detections of each class with the highest scores count.

    Args:
        targets: (images, objects, 5 or 6): x_min, y_min, x_max, y_max in pixels, class index (-1: padding)
            and, where there are six, 1 for a crowd, an area that is neither to be found nor a false alarm.
        boxes: (images, detections, 4) likewise.
        classes: (images, detections) class indices, -1 for padding.
        scores: (images, detections), higher for what is surer.
        class_names: In the order of the class indices.

    Returns:
        `map`; `ap50` and `ap75`, at one overlap; `map_small`, `map_medium` and `map_large` of objects of up
        to 32², up to 96² and more square pixels; `mar`, the mean of the highest recall; and `ap_NAME` of each
        class. Those without objects are left out; all are where a number is not finite.

    Source:
        Lin et al. 2014, "Microsoft COCO: common objects in context"; cocodataset.org, "Detection evaluation".

    Example:
        >>> targets = np.array([[[0, 0, 10, 10, 0], [20, 20, 30, 30, 1]]], float)
        >>> boxes = np.array([[[0, 0, 10, 9], [20, 20, 30, 30], [5, 5, 15, 15]]], float)
        >>> found = detection_metrics(
        ...     targets, boxes, np.array([[0, 1, 1]]), np.array([[0.9, 0.8, 0.7]]), ("cat", "dog")
        ... )
        >>> {name: round(value, 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'map': 0.95, 'ap50': 1.0, 'ap75': 1.0, 'map_small': 0.95, 'mar': 0.95, 'ap_cat': 0.9, 'ap_dog': 1.0}
    """
    targets = with_crowds(targets)
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        return {}
    each = [
        _average_precision(class_matches(targets, boxes, classes, scores, index))
        for index in range(len(class_names))
    ]
    precision = np.array([one[0] for one in each])  # (classes, sizes, thresholds), NaN without objects
    recall = np.array([one[1] for one in each])
    found = {"map": precision[:, 0]}
    for name, threshold in (("ap50", 0), ("ap75", 5)):
        found[name] = precision[:, 0, threshold]
    found |= {f"map_{size}": precision[:, place] for place, size in enumerate(SIZES) if size}
    found["mar"] = recall[:, 0]
    for suffix, own in zip(class_suffixes(class_names), precision[:, 0], strict=True):
        found[f"ap_{suffix}"] = own
    return {name: float(np.nanmean(one)) for name, one in found.items() if not np.isnan(one).all()}


def detection_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all that `detection_metrics` may give.

    Example:
        >>> detection_names(("cat",))[-2:]
        ('mar', 'ap_cat')
    """
    return (*NAMES, *class_metric_names(class_names))


def class_metric_names(class_names: Sequence[str]) -> Mapping[str, str]:
    """Return the names of the classes by those of their average precision.

    Example:
        >>> class_metric_names(("T-shirt/top",))
        {'ap_t_shirt_top': 'T-shirt/top'}
    """
    return {
        f"ap_{suffix}": name for suffix, name in zip(class_suffixes(class_names), class_names, strict=True)
    }


def precision_recall(
    targets: np.ndarray, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray, index: int
) -> PrecisionRecall:
    """Return precision and recall of a class at an overlap of 0.5, score by score.

    Args:
        targets: As of `detection_metrics`.
        boxes: (images, detections, 4).
        classes: (images, detections) class indices, -1 for padding.
        scores: (images, detections).
        index: Of the class.

    Example:
        >>> targets, boxes = np.array([[[0, 0, 9, 9, 0.0]]]), np.array([[[0, 0, 9, 9], [20, 0, 29, 9.0]]])
        >>> found = precision_recall(targets, boxes, np.array([[0, 0]]), np.array([[0.9, 0.4]]), 0)
        >>> found.precision.tolist(), found.recall.tolist(), found.objects
        ([1.0, 0.5], [1.0, 1.0], 1)
    """
    matches = class_matches(with_crowds(targets), boxes, classes, scores, index)
    order = np.argsort(-matches.scores, kind="stable")
    order = order[~matches.ignored[0, 0, order]]
    hits = np.cumsum(matches.hits[0, 0, order])
    objects = int(matches.objects[0])
    precision = hits / np.arange(1, len(order) + 1)
    return PrecisionRecall(matches.scores[order], precision, hits / max(objects, 1), objects)


def best_scores(
    targets: np.ndarray, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray, count: int
) -> tuple[float, ...]:
    """Return for each class the least score at which the F1 of its detections at an overlap of 0.5 is best.

    Args:
        targets: As of `detection_metrics`.
        boxes: (images, detections, 4).
        classes: (images, detections) class indices, -1 for padding.
        scores: (images, detections) from 0 to 1.
        count: Of the classes.

    Returns:
        A score in the middle between two, or 0.5 for a class of which nothing is found.

    Example:
        >>> targets, boxes = np.array([[[0, 0, 9, 9, 0.0]]]), np.array([[[0, 0, 9, 9], [20, 0, 29, 9.0]]])
        >>> best_scores(targets, boxes, np.array([[0, 0]]), np.array([[0.75, 0.25]]), 1)
        (0.5,)
    """
    found = []
    for index in range(count):
        curve = precision_recall(targets, boxes, classes, scores, index)
        total = curve.precision + curve.recall
        f1 = np.divide(2 * curve.precision * curve.recall, total, out=np.zeros_like(total), where=total > 0)
        if not f1.any() or not np.isfinite(curve.scores).all():
            found.append(0.5)
            continue
        best = int(f1.argmax())
        below = curve.scores[best + 1] if best + 1 < len(curve.scores) else 0.0
        found.append(float(np.float32((curve.scores[best] + below) / 2)))
    return tuple(found)


def with_crowds(targets: np.ndarray) -> np.ndarray:
    """Return (images, objects, 6) float64 targets, no crowd among those that do not say.

    Example:
        >>> with_crowds(np.zeros((1, 1, 5))).shape
        (1, 1, 6)
    """
    targets = np.asarray(targets, np.float64)
    if targets.shape[-1] == 6:
        return targets
    return np.concatenate([targets, np.zeros((*targets.shape[:-1], 1))], axis=-1)


def _average_precision(matches: ClassMatches) -> tuple[np.ndarray, np.ndarray]:
    """Return the average precision and the highest recall, (sizes, thresholds) each; NaN without objects."""
    shape = matches.hits.shape[:2]
    objects = matches.objects[:, None, None]  # (sizes, 1, 1)
    if not matches.objects.any():
        return np.full(shape, np.nan), np.full(shape, np.nan)
    order = np.argsort(-matches.scores, kind="stable")
    hits, ignored = matches.hits[..., order], matches.ignored[..., order]
    true = np.cumsum(hits & ~ignored, axis=-1, dtype=np.float64)
    false = np.cumsum(~hits & ~ignored, axis=-1, dtype=np.float64)
    recall = true / np.maximum(objects, 1)
    precision = true / (false + true + _TINY)
    best = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]  # at that recall or above
    found = np.zeros(shape)
    for place in np.ndindex(shape):
        at = np.searchsorted(recall[place], _RECALLS, side="left")
        at = at[at < len(order)]
        found[place] = best[place][at].sum() / len(_RECALLS)
    highest = recall[..., -1] if len(order) else np.zeros(shape)
    counted = np.broadcast_to(objects[..., 0] > 0, shape)
    return np.where(counted, found, np.nan), np.where(counted, highest, np.nan)
