"""Matching of detections with true objects, as COCO's evaluation has it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kexp.metrics.box_overlap import box_areas, box_iou

# Least overlap for a hit: 0.5, 0.55, … 0.95.
THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST_DETECTIONS = 100  # of an image and a class that count, those with the highest scores
# Areas in square pixels, both ends in it.
SIZES = {"": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
_RANGES = np.array(list(SIZES.values()))  # (sizes, 2)
_MOST_OVERLAP = 1 - 1e-10  # asked for, as pycocotools asks


class ClassMatches(NamedTuple):
    """What became of the detections and the objects of one class.

    Attributes:
        scores: (detections,) descending within an image, image after image.
        hits: (sizes, thresholds, detections) bool, whether each found an object that counts.
        ignored: (sizes, thresholds, detections) bool, whether it is neither a hit nor a false alarm.
        objects: (sizes,) how many objects count.
        places: (detections, 2) the image of each, and its place among the detections of the image.
    """

    scores: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray
    places: np.ndarray


def class_matches(
    targets: np.ndarray, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray, index: int
) -> ClassMatches:
    """Match the detections of a class with its objects, image by image, the highest scores first.

    Args:
        targets: (images, objects, 6): x_min, y_min, x_max, y_max, class index (-1: padding), 1 for a crowd.
        boxes: (images, detections, 4).
        classes: (images, detections) class indices, -1 for padding.
        scores: (images, detections).
        index: Of the class.
    """
    true = targets[..., 4] == index
    given = classes == index
    found, counted = [], np.zeros(len(_RANGES), np.int64)
    for image in np.flatnonzero(true.any(axis=1) | given.any(axis=1)):
        places = np.flatnonzero(given[image])
        places = places[np.argsort(-scores[image, places], kind="stable")][:MOST_DETECTIONS]
        own = targets[image, true[image]]
        ignored = _ignored(own)
        counted += (~ignored).sum(axis=1)
        hits, dropped = image_matches(own, ignored, boxes[image, places])
        of_image = np.stack([np.full(len(places), image), places], axis=1)
        found.append((scores[image, places], hits, dropped, of_image))
    if not found:
        none = np.zeros((len(_RANGES), len(THRESHOLDS), 0), bool)
        return ClassMatches(np.zeros(0), none, none, counted, np.zeros((0, 2), np.int64))
    joined = [
        np.concatenate(parts, axis=axis)
        for parts, axis in zip(zip(*found, strict=True), (0, 2, 2, 0), strict=True)
    ]
    return ClassMatches(joined[0], joined[1], joined[2], counted, joined[3])


def image_matches(
    objects: np.ndarray, ignored: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which detections of an image are hits, and which count for nothing.

    Each takes the object that it overlaps most and that no better one has; where it reaches none that counts,
    one that does not, such as a crowd, which any number of them may take.

    Args:
        objects: (n, 6) of one class in the image.
        ignored: (sizes, n) those that do not count.
        boxes: (detections, 4) of the class, those of the highest scores first.

    Returns:
        Two arrays (sizes, thresholds, detections) of bool.
    """
    shape = (len(_RANGES), len(THRESHOLDS), len(boxes))
    hits, matched = np.zeros(shape, bool), np.zeros(shape, bool)
    crowd = objects[:, 5] > 0
    overlaps = box_iou(boxes, objects[:, :4], crowd)  # (detections, n)
    least = np.minimum(THRESHOLDS, _MOST_OVERLAP)[None, :, None]
    taken = np.zeros((*shape[:2], len(objects)), bool)
    for number, overlap in enumerate(overlaps if len(objects) else ()):
        if overlap.max() < THRESHOLDS[0]:
            continue
        free = (overlap >= least) & (~taken | crowd)  # (sizes, thresholds, n)
        counts = free & ~ignored[:, None]
        best = counts.any(axis=-1)
        choice = np.where(best[..., None], counts, free)
        # The last of those that overlap equally, which is what COCO's takes.
        last = np.where(choice, overlap, -1.0)[..., ::-1].argmax(axis=-1)
        chosen = len(objects) - 1 - last
        reached = choice.any(axis=-1)
        matched[..., number], hits[..., number] = reached, best
        sizes, thresholds = np.nonzero(reached)
        taken[sizes, thresholds, chosen[sizes, thresholds]] = True
    outside = _outside(box_areas(boxes))  # (sizes, detections)
    return hits, np.where(matched, ~hits, outside[:, None])


def _ignored(objects: np.ndarray) -> np.ndarray:
    """Return (sizes, n) bool: crowds, and objects of another size."""
    return (objects[:, 5] > 0) | _outside(box_areas(objects[:, :4]))


def _outside(areas: np.ndarray) -> np.ndarray:
    return (areas < _RANGES[:, :1]) | (areas > _RANGES[:, 1:])
