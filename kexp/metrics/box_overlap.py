"""Overlap of boxes: intersection over union, of every box with every other one."""

from __future__ import annotations

import numpy as np

__all__ = ["box_iou"]


def box_iou(first: np.ndarray, second: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """Return the intersection over union of each box with each of others.

    Args:
        first: (n, 4) of x_min, y_min, x_max, y_max, in any unit.
        second: (m, 4) likewise.
        crowd: (m,) whether the second are areas with several objects, whose overlap is the share of the first
            box that lies in them, as COCO has it; default None: none is.

    Returns:
        (n, m) float64 from 0 to 1; 0 of boxes without area.

    Source:
        Everingham et al. 2010, "The PASCAL visual object classes challenge";
        Lin et al. 2014, "Microsoft COCO".

    Example:
        >>> box_iou(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [0, 0, 4, 4]])).round(3).tolist()
        [[0.333, 0.25]]
        >>> box_iou(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 4, 4]]), np.array([True])).tolist()
        [[1.0]]
    """
    one, other = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    shared = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    intersection = np.prod(np.maximum(shared, 0.0), axis=-1)  # (n, m)
    area, areas = box_areas(one), box_areas(other)
    union = area + areas - intersection
    if crowd is not None:
        union = np.where(np.asarray(crowd, bool)[None], area, union)
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Return (...,) float64 areas of (..., 4) boxes, 0 of those that are turned inside out.

    Example:
        >>> box_areas(np.array([[0, 0, 2, 3], [1, 1, 0, 0]])).tolist()
        [6.0, 0.0]
    """
    boxes = np.asarray(boxes, np.float64)
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
