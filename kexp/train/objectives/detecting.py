"""The objective of detectors: which location answers for which object, and how well its box fits."""

from __future__ import annotations

from dataclasses import replace

from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.metrics.training.detection_loss import DetectionLoss
from kexp.tasks import task_named
from kexp.train.objectives.supervised import Supervised, per_sample, supervised


def detection(spec: DatasetSpec, *, box_weight: float = 2.0, candidates: int = 10) -> Supervised:
    """Return the objective of a detector: quality focal loss of classes, generalised IoU loss of boxes.

    It is that of data for detection where none is given, with the values below. The best epoch is the one
    with the highest `val_map`.

    Args:
        spec: What the data is: boxes of images.
        box_weight: Of the loss of boxes beside that of classes, default 2, above 0.
        candidates: Locations that stand for an object, default 10, 1 or more.

    Raises:
        InputError: A value is out of range, or the data are not for detection.

    Source:
        Feng et al. 2021, "TOOD: Task-aligned One-stage Object Detection"; Li et al. 2020, "Generalized Focal
        Loss"; Rezatofighi et al. 2019, "Generalized Intersection over Union".

    Example:
        >>> detection(DatasetSpec("image", (64, 64, 1), "uint8", "detection", 3), box_weight=1.0).monitor
        'val_map'
    """
    own = DetectionLoss(box_weight, candidates)
    default = task_named(spec.task).loss_of(spec, from_logits=True, label_smoothing=0.0)
    if not isinstance(default, DetectionLoss):
        raise InputError(f"spec must be of data for detection, boxes of images; received {spec.task}.")
    return replace(supervised(spec), loss=per_sample(own))
