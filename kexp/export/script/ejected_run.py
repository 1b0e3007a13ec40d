"""Runs that can leave kexp as a plain Keras script, and what others are refused for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS
from kexp.export.script.script_parts import OPTIMIZERS
from kexp.run.record import RunRecord

if TYPE_CHECKING:
    from kexp.run.training_setup import TrainingSetup

SCHEDULES = ("constant", "cosine")  # one_cycle moves the momentum too
# Options that a script has as they are by default, or not at all.
_AS_DEFAULT = (
    *("accumulate", "clip_value", "ema", "swa", "label_smoothing", "class_weight"),
    *("precision", "early_stop", "monitor", "on_nan", "strategy", "devices", "scale_by_replicas"),
    *("overfit_batches", "fast_dev_run"),
)
_COMPUTATION = {"fused_updates": True, "counter_random": True, "jit": False}


def check_recorded(record: RunRecord) -> None:
    """Refuse a run for what its folder says of it, before TensorFlow is imported.

    Raises:
        InputError: An option is one that scripts do not have, or the run was computed in another way.
    """
    arguments: Mapping[str, Any] = record.config["arguments"]
    defaults: Mapping[str, Any] = dict(DEFAULTS)
    for name in _AS_DEFAULT:
        if arguments.get(name, defaults[name]) != defaults[name]:
            raise InputError(
                f"{name} must be {defaults[name]!r} for a run to become a plain script; the run has "
                f"{arguments[name]!r}."
            )
    for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        if arguments.get(name, defaults[name]) not in known:
            raise InputError(
                f"{name} must be one of {', '.join(known)} for a run to become a plain script; the run has "
                f"{arguments.get(name, defaults[name])!r}."
            )
    if arguments.get("warmup", 0.0) and arguments.get("schedule", defaults["schedule"]) == "constant":
        raise InputError(
            "warmup must be 0.0 where the schedule is constant for a run to become a plain script; the run "
            f"has {arguments['warmup']!r}."
        )
    if arguments.get("batch_size") == "auto":
        raise InputError(
            "batch_size must be a number for a run to become a plain script; the run has 'auto'."
        )
    computed = record.environment.get("computation", {})
    for name, wanted in _COMPUTATION.items():
        if computed.get(name) != wanted:
            raise InputError(
                f"run_dir must be a run whose steps were computed with {name} {wanted}, which plain scripts "
                f"repeat; {record.run_dir} has {computed.get(name, 'no word of it')}, so train it anew."
            )
    devices = record.environment.get("hardware", {}).get("devices")
    if devices != ["CPU"]:
        raise InputError(
            f"run_dir must be a run on one CPU, whose bits plain scripts repeat; {record.run_dir} is one on "
            f"{', '.join(devices or ('unknown devices',))}."
        )


def check_setup(setup: TrainingSetup, record: RunRecord) -> None:
    """Refuse a run for what it is trained with.

    Raises:
        InputError: The data are others than they were, or a script has no such part.
    """
    if setup.raw.fingerprint != record.environment["data"]["fingerprint"]:
        raise InputError(
            f"data {setup.raw.name!r} must be what the run was trained on; they have changed since, so put "
            "the old ones back."
        )
    unknown = {
        "augmentation": setup.augmentation,
        "sample_weight": setup.sample_weight,
        "phases": setup.phases,
        "callbacks": setup.callbacks,
        "inference_model": setup.inference_model,
        "optimizer": setup.optimizer,
        "learning_rate": setup.learning_rate,
    }
    for name, given in unknown.items():
        if given is not None and given != ():
            raise InputError(f"{name} of a recipe's fit is not among what a plain script has; leave it out.")
    monitor = monitor_of(setup)
    if setup.monitor.name not in (None, monitor):
        raise InputError(
            f"monitor must be {monitor} for a run to become a plain script; the run has {setup.monitor.name}."
        )
    arrays = (setup.data.train.inputs, setup.data.train.targets)
    if not all(isinstance(one, np.ndarray) and one.dtype.kind in "fiu" for one in arrays):
        raise InputError(
            f"data {setup.raw.name!r} must be arrays in memory for a run to become a plain script; received "
            "several inputs, texts, or data that are read while they are trained on."
        )


def monitor_of(setup: TrainingSetup) -> str:
    """Return what the best epoch of a script is chosen by.

    Raises:
        InputError: The run is trained by another loss than cross-entropy of class indices and logits, of
            samples or of pixels, or squared errors.
    """
    from keras.losses import MeanSquaredError

    from kexp.metrics.training.crossentropy import Crossentropy
    from kexp.train.objectives.supervised import Supervised

    objective, axes = setup.objective, np.ndim(setup.data.train.targets)
    loss = getattr(objective, "loss", None)
    kind = type(loss) if type(objective) is Supervised else None
    if kind is MeanSquaredError and axes == 2:
        return "val_loss"
    if kind is Crossentropy and objective.from_logits and setup.model.output_shape[-1] > 1 and axes in (1, 3):
        return "val_accuracy" if axes == 1 else "val_mean_iou"
    raise InputError(
        "run_dir must be a run of a classifier with a logit for each class, of samples or of pixels, or of a "
        f"regression by squared errors, which plain scripts are written for; received {setup.data.spec.task} "
        f"by {type(loss or objective).__name__}."
    )
