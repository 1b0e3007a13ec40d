"""Checks of a model, and of the predictions it is compared with, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.structures import packed
from kexp.data.dataset import DatasetSpec, Inputs, class_names, require_text
from kexp.export.serving_signatures import call
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

if TYPE_CHECKING:
    import keras


def check_expected(expected: Predictions, samples: Inputs, spec: DatasetSpec) -> None:
    """Check that there is an answer, of finite numbers, for each of the samples.

    Raises:
        InputError: There is not.
    """
    count = len(samples) if isinstance(samples, np.ndarray) else len(next(iter(samples.values())))
    task_named(spec.task).check_predictions(expected.named(), count, spec)
    numbers = [array for array in expected.named().values() if array.dtype.kind == "f"]
    if not all(np.isfinite(array).all() for array in numbers):
        raise InputError(
            "expected must hold finite numbers, received NaN or infinity: the model's training diverged; "
            "train it with a lower learning rate before the export."
        )


def check_license(license: object) -> str | None:
    """Return the licence of a model, which is a line of text, or None where it is not given.

    Raises:
        InputError: It is something else.

    Example:
        >>> check_license("")
        Traceback (most recent call last):
        kexp.InputError: license must be a line of text, such as 'apache-2.0', or left out; received ''.
    """
    if license is None:
        return None
    if not isinstance(license, str) or not license.strip() or not license.isprintable():
        raise InputError(
            f"license must be a line of text, such as 'apache-2.0', or left out; received {shown(license)}."
        )
    require_text("license", license)
    return license.strip()


def check_model(model: keras.Model, samples: Inputs | None, spec: DatasetSpec) -> None:
    """Check that `model` turns raw inputs into answers for the task, or makes samples.

    Raises:
        InputError: It does not.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise InputError(
            f"model must be a keras.Model, received a {type(model).__name__}; pass the trained model."
        )
    if not model.built:
        raise InputError(
            f"model must be built, but {model.name!r} has no weights yet; train it or call it first."
        )
    if samples is None:
        _check_sampler(model, spec)
    else:
        task_named(spec.task).check_model_outputs(_outputs(model, samples, spec), spec)


def _check_sampler(model: keras.Model, spec: DatasetSpec) -> None:
    names = getattr(model, "class_names", None)
    if names is None or not hasattr(model, "signatures") or "sample" not in model.signatures():
        raise InputError(
            f"model must make samples, and {model.name!r} has no signature of that name; pass a "
            "kexp.models.GAN or kexp.models.Diffusion."
        )
    if tuple(names) not in ((), class_names(spec)):
        raise InputError(
            f"model must have the classes of the data, {', '.join(class_names(spec)[:12])}, or none; it has "
            f"{', '.join(names[:12])}."
        )


def _outputs(model: keras.Model, samples: Inputs, spec: DatasetSpec) -> Any:
    try:
        return call(model, packed(spec.input_structure, _first_samples(samples, 2)))
    except Exception as error:  # whatever a layer raises, the cause is the model
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        raise InputError(
            f"model must take the raw inputs of the data ({_described(spec)}), but {model.name!r} raised "
            f"{type(error).__name__} on them ({reason}); put the preprocessing inside the model."
        ) from error


def _first_samples(samples: Inputs, count: int) -> Any:
    import tensorflow as tf

    if isinstance(samples, np.ndarray):
        return tf.constant(samples[:count])
    return {name: tf.constant(values[:count]) for name, values in samples.items()}


def _described(spec: DatasetSpec) -> str:
    if spec.kind == "arrays":
        return ", ".join(f"{one.name!r} {one.dtype} {one.shape}" for one in spec.inputs)
    if spec.kind == "table":
        return "a dict with the columns " + ", ".join(column.name for column in spec.columns)
    return f"{spec.dtype} of shape ({', '.join(map(str, ('samples', *spec.input_shape)))})"
