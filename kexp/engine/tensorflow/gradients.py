"""What becomes of a gradient between where it is taken and where it is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kexp.core.options import TrainOptions


def whole(gradient: Any, weight: Any) -> tf.Tensor:
    """Return the gradient of a weight as a tensor whose shape is known, zero where there is none."""
    if gradient is None:
        return tf.zeros(weight.shape, weight.dtype)
    return tf.ensure_shape(tf.convert_to_tensor(gradient), weight.shape)


def clipped(
    gradients: Sequence[Any],
    optimizer: keras.optimizers.Optimizer,
    options: TrainOptions,
    global_norm: Callable[[Sequence[Any]], tf.Tensor] = tf.linalg.global_norm,
) -> tuple[list[Any], tf.Tensor]:
    """Return the gradient of a whole step as the options limit it, and its norm before.

    Args:
        gradients: Of each weight.
        optimizer: That will apply them; where it scales the loss for float16, they are of the scaled loss.
        options: With `clip_norm` and `clip_value`.
        global_norm: Takes the norm, default by TensorFlow's kernel.
    """
    scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # An infinite gradient of a scaled loss is the optimizer's business: it takes a smaller scale.
    norm = tf.zeros(()) if scales_loss else global_norm(gradients)
    limited = list(gradients)
    if options["clip_norm"] is not None:
        # Gradients of a scaled loss are clipped at a limit that is scaled alike.
        limit = optimizer.scale_loss(tf.constant(options["clip_norm"]))
        limited, _ = tf.clip_by_global_norm(limited, limit, use_norm=None if scales_loss else norm)
    if options["clip_value"] is not None:
        limit = optimizer.scale_loss(tf.constant(options["clip_value"]))
        # What is not finite stays so, for the optimizer to notice.
        limited = [
            tf.where(tf.math.is_finite(gradient), tf.clip_by_value(gradient, -limit, limit), gradient)
            for gradient in map(tf.convert_to_tensor, limited)
        ]
    return limited, norm
