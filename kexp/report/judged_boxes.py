"""Detections compared with true objects, image by image: hits, misses and false alarms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kexp.data.dataset import DatasetSpec, class_names
from kexp.metrics.box_overlap import box_iou
from kexp.tasks.detection import objects_of
from kexp.tasks.predictions import Predictions

_OVERLAP = 0.5  # of a hit


class JudgedImage(NamedTuple):
    """What was found on an image, and what was there.

    Attributes:
        boxes: (detections, 4) of those that are sure enough, the surest first.
        labels: Name of the class of each.
        scores: (detections,).
        hits: (detections,) bool.
        ignored: (detections,) bool, those within a crowd, which are neither hits nor false alarms.
        objects: (objects, 4) that were to be found.
        names: Name of the class of each.
        missed: (objects,) bool.
    """

    boxes: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray
    names: tuple[str, ...]
    missed: np.ndarray

    @property
    def false_alarms(self) -> np.ndarray:
        """(detections,) bool, those of nothing that is there."""
        return ~(self.hits | self.ignored)


def judge_images(targets: np.ndarray, predictions: Predictions, spec: DatasetSpec) -> list[JudgedImage]:
    """Return the outcome of each image, at an overlap of 0.5 and the scores that were chosen for the classes.

    Args:
        targets: (images, objects, 6).
        predictions: For these images.
        spec: With the least score of each class.
    """
    named, names = predictions.named(), class_names(spec)
    judged = []
    for image, rows in enumerate(targets):
        found = objects_of(named, image, spec)
        boxes = np.array([one["box"] for one in found], np.float64).reshape(-1, 4)
        labels = tuple(one["label"] for one in found)
        there, crowds = (
            rows[(rows[:, 4] >= 0) & (rows[:, 5] <= 0)],
            rows[(rows[:, 4] >= 0) & (rows[:, 5] > 0)],
        )
        own = tuple(names[int(index)] for index in there[:, 4])
        hits, missed = _matched(boxes, labels, there[:, :4], own)
        in_crowd = box_iou(boxes, crowds[:, :4], np.ones(len(crowds), bool)) >= _OVERLAP
        alike = np.array([[one == names[int(row[4])] for row in crowds] for one in labels], bool)
        ignored = (in_crowd & alike.reshape(in_crowd.shape)).any(axis=1) & ~hits
        scores = np.array([one["score"] for one in found], np.float64)
        judged.append(JudgedImage(boxes, labels, scores, hits, ignored, there[:, :4], own, missed))
    return judged


def worst_images(judged: list[JudgedImage], count: int) -> list[int]:
    """Return the places of the images with most misses and false alarms, and among equals with the surest.

    Example:
        >>> nothing = np.zeros((0, 4))
        >>> empty, none = np.zeros(0), np.zeros(0, bool)
        >>> right = JudgedImage(nothing, (), empty, none, none, nothing, (), none)
        >>> wrong = right._replace(objects=np.ones((1, 4)), names=("cat",), missed=np.array([True]))
        >>> worst_images([right, wrong], 2)
        [1, 0]
    """
    faults = [
        (int(one.missed.sum() + one.false_alarms.sum()), float(one.scores[one.false_alarms].max(initial=0.0)))
        for one in judged
    ]
    return sorted(range(len(judged)), key=lambda place: (*(-fault for fault in faults[place]), place))[:count]


def _matched(
    boxes: np.ndarray, labels: tuple[str, ...], objects: np.ndarray, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which detections are hits, the surest first, and which objects none of them hits."""
    overlaps = box_iou(boxes, objects)
    hits, missed = np.zeros(len(boxes), bool), np.ones(len(objects), bool)
    for number, label in enumerate(labels):
        fits = missed & np.array([name == label for name in names], bool)
        rivals = np.where(fits, overlaps[number], 0.0)
        if rivals.size and rivals.max() >= _OVERLAP:
            hits[number] = True
            missed[rivals.argmax()] = False
    return hits, missed
