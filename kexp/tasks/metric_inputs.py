"""Metric inputs: targets and outputs in the form that each of Keras's own metrics takes.

Keras's metrics take class indices, one-hot vectors, probabilities of one class or of all, or labels, and few
say so before they are computed. A metric of a user's own takes targets as the data has them and outputs as
the model gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kexp.core.keras_private import takes_logits
from kexp.core.types import Tensor

if TYPE_CHECKING:
    import keras

_SPARSE = (
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
)
_ONE_HOT = (
    *("CategoricalAccuracy", "CategoricalCrossentropy", "TopKCategoricalAccuracy", "CategoricalHinge"),
    *("F1Score", "FBetaScore", "KLDivergence", "CosineSimilarity"),
)
_OF_LOGITS = ("Hinge", "SquaredHinge", "CategoricalHinge")
_IOU = ("IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU")
_OF_ANYTHING = ("Metric", "Mean", "Sum", "MeanMetricWrapper")  # which say nothing of what they take


def choice_inputs(
    metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
) -> tuple[Any, Any]:
    """Return targets and outputs of a choice among exclusive classes as a metric takes them.

    Args:
        metric: A Keras metric.
        targets: (batch, ...) class indices.
        outputs: (batch, ..., classes) logits or probabilities; of two classes also (batch, 1), of the second.
        from_logits: They are logits.

    Example:
        >>> import keras, numpy as np
        >>> targets, outputs = np.array([0, 1]), np.array([[0.0], [2.0]], "float32")
        >>> pair = choice_inputs(keras.metrics.F1Score(), targets, outputs, from_logits=True)
        >>> [tuple(part.shape) for part in pair]
        [(2, 2), (2, 2)]
    """
    name = _keras_name(metric)
    if name is None:
        return targets, outputs
    units, wants_logits = outputs.shape[-1], _wants_logits(metric, name)
    classes = max(units, 2)
    if name in _SPARSE:
        agnostic = units > 1 and (name != "SparseCategoricalCrossentropy" or wants_logits == from_logits)
        return targets, outputs if agnostic else _scores(outputs, from_logits, wants_logits)
    if name == "Accuracy":
        return targets, _labels(outputs, from_logits)
    if name in _IOU:
        true = targets if metric.sparse_y_true else _one_hot(targets, classes)
        sparse = metric.sparse_y_pred
        return true, _labels(outputs, from_logits) if sparse else _all_classes(outputs, from_logits)
    if name in _ONE_HOT or classes > 2 or _needs_every_class(metric):
        scores = _scores(outputs, from_logits, wants_logits)
        return _rows(_one_hot(targets, classes)), _rows(scores)
    return _rows(_expanded(targets)), _rows(_positive(outputs, from_logits, wants_logits))


def label_inputs(
    metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
) -> tuple[Any, Any]:
    """Return targets and outputs of any number of labels as a metric takes them.

    Args:
        metric: A Keras metric.
        targets: (batch, labels), 1 where a sample has a label and 0 where not.
        outputs: (batch, labels) logits or probabilities.
        from_logits: They are logits.
    """
    from keras import ops

    name = _keras_name(metric)
    if name is None:
        return targets, outputs
    if name == "Accuracy":
        return targets, ops.cast(outputs > (0.0 if from_logits else 0.5), "float32")
    wants_logits = _wants_logits(metric, name)
    if wants_logits == from_logits:
        return targets, outputs
    return targets, ops.sigmoid(outputs) if from_logits else _logit(outputs)


def is_f_score(metric: keras.metrics.Metric) -> bool:
    """Return whether a metric is an F-score of Keras's, which may have a value for each class."""
    return _keras_name(metric) in ("F1Score", "FBetaScore")


def _keras_name(metric: keras.metrics.Metric) -> str | None:
    """Return the name of Keras's class that computes a metric, None if it says nothing of its inputs."""
    own: Any = type(metric)
    kind: Any = next(one for one in own.__mro__ if one.__module__.startswith("keras."))
    if own.update_state is not kind.update_state or kind.__name__ in _OF_ANYTHING:
        return None
    return kind.__name__


def _wants_logits(metric: keras.metrics.Metric, name: str) -> bool:
    return name in _OF_LOGITS or bool(takes_logits(metric))


def _needs_every_class(metric: keras.metrics.Metric) -> bool:
    """Return whether a metric of one class's probability was made to look at several."""
    own = ("class_id", "top_k", "label_weights")
    return getattr(metric, "multi_label", False) or any(getattr(metric, one, None) is not None for one in own)


def _scores(outputs: Tensor, from_logits: bool, wants_logits: bool) -> Any:  # (batch, ..., classes)
    """Return the logits or probabilities of all classes."""
    from keras import ops

    outputs = _all_classes(outputs, from_logits)
    if from_logits == wants_logits:
        return outputs
    return ops.softmax(outputs) if from_logits else ops.log(ops.maximum(outputs, 1e-7))


def _all_classes(outputs: Tensor, from_logits: bool) -> Any:
    """Return outputs with a place for each class, also where one unit stands for two."""
    from keras import ops

    if outputs.shape[-1] > 1:
        return outputs
    return ops.concatenate([ops.zeros_like(outputs) if from_logits else 1.0 - outputs, outputs], axis=-1)


def _positive(outputs: Tensor, from_logits: bool, wants_logits: bool) -> Any:  # (batch, ..., 1)
    """Return the logit or the probability of the second of two classes."""
    from keras import ops

    if outputs.shape[-1] == 1:
        score = outputs
    elif from_logits:
        score = outputs[..., 1:] - outputs[..., :1]
    else:
        score = outputs[..., 1:]
    if from_logits == wants_logits:
        return score
    return ops.sigmoid(score) if from_logits else _logit(score)


def _logit(shares: Tensor) -> Any:
    from keras import ops

    shares = ops.clip(shares, 1e-7, 1.0 - 1e-7)
    return ops.log(shares) - ops.log(1.0 - shares)


def _labels(outputs: Tensor, from_logits: bool) -> Any:  # (batch, ...) int32
    from keras import ops

    return ops.argmax(_all_classes(outputs, from_logits), axis=-1)


def _expanded(targets: Tensor) -> Any:
    from keras import ops

    return ops.expand_dims(ops.cast(targets, "float32"), -1)


def _one_hot(targets: Tensor, classes: int) -> Any:
    from keras import ops

    return ops.one_hot(ops.cast(targets, "int32"), classes)


def _rows(values: Tensor) -> Any:
    """Return (batch, ..., classes) with a row for each choice: some metrics take no more axes than two."""
    from keras import ops

    return values if len(values.shape) == 2 else ops.reshape(values, (-1, values.shape[-1]))
