"""What is checked of a model, its data and options before a run begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kexp.core.errors import InputError
from kexp.core.options import TrainOptions
from kexp.core.trainer_private import overrides
from kexp.data import Dataset, Stream
from kexp.data.dataset import require_text
from kexp.data.plain_arrays import plain_array
from kexp.engine.engine_choice import backend
from kexp.tasks import task_named
from kexp.train.epoch_plan import EpochPlan
from kexp.train.objectives import Objective


def check_stream(
    train: Stream, options: TrainOptions, preprocessing: Any, sample_weight: Any, batch_size: int
) -> None:
    """Refuse what a stream cannot have."""
    given = {
        "preprocessing": preprocessing is not None,
        "sample_weight": sample_weight is not None,
        "batch_size='auto'": options["batch_size"] == "auto",
    }
    for name, present in given.items():
        if present:
            raise InputError(f"{name} is for data in memory; do it in the dataset of the stream instead.")
    per_step = batch_size * options["accumulate"]
    if per_step > len(train):
        raise InputError(
            f"epoch_samples must be at least the {per_step} samples of a step; received {len(train)}."
        )


def check_model(model: keras.Model, options: TrainOptions) -> None:
    """Refuse a model that this run's step could not train."""
    if overrides(model, "train_step") and not model.compiled:
        raise InputError(
            f"model {model.name} must be compiled, since it has a train_step of its own, which takes the "
            "whole step; call model.compile first."
        )
    wanted = options["precision"]
    if (
        wanted != "float32"
        and model.layers
        and not any(layer.compute_dtype == wanted for layer in model.layers)
    ):
        raise InputError(
            f"precision must be that of the model, which does not compute in {wanted}; build it with "
            f"keras.config.set_dtype_policy('mixed_{wanted}') set, as recipes do."
        )
    scope = backend().misplaced_for(model, options)
    if scope is not None:
        raise InputError(
            "model must be built in the scope of the strategy that it is trained with; build it and call fit "
            f"inside `with kexp.scope({scope}):`, as recipes do."
        )


def check_replicas(options: TrainOptions) -> None:
    """Refuse what several replicas, or the processes that they are in, cannot have."""
    if options["batch_size"] == "auto" and (backend().workers().count > 1 or options["scale_by_replicas"]):
        raise InputError(
            "batch_size must be a number for several workers, of which one may run out of memory alone, and "
            "for scale_by_replicas; received 'auto'."
        )


def check_texts(data: Dataset, target_preprocessing: Any, augmentation: Sequence[Any]) -> None:
    """Check what only some kinds of targets can have."""
    task = task_named(data.spec.task)
    if task.has_text_targets != (target_preprocessing is not None):
        wanted, advice = "None", "leave it out"
        if task.has_text_targets:
            wanted, advice = "a model from texts to tokens", "make it with kexp.models.tokenizer"
        raise InputError(
            f"target_preprocessing must be {wanted} for the targets of {data.name}, which are for "
            f"{task.name}; {advice}."
        )
    if augmentation and not task.can_augment:
        raise InputError(
            f"augmentation must be () for {task.name}, where it would have to change the targets alike; "
            "leave it out."
        )


def check_first_epoch(first: int, epochs: int) -> None:
    """Refuse to begin where a run would have ended."""
    if first >= epochs:
        raise InputError(
            f"initial_epoch must be below epochs, {epochs}, which counts all from 0; received {first}."
        )


def check_epoch_length(plan: EpochPlan, options: TrainOptions, *, schedules: bool) -> None:
    """Refuse data of unknown size where something has to know how many steps there will be.

    Args:
        plan: Of the epochs.
        options: Complete training options.
        schedules: Whether the learning rate is that of the options.
    """
    if plan.samples is not None or plan.steps is not None:
        return
    if schedules and (options["schedule"] not in ("constant", "plateau") or options["warmup"]):
        raise InputError(
            "steps_per_epoch must be given for a schedule or warmup, which go by the steps of the whole run, "
            "with data that do not say how many batches they have."
        )
    if backend().replicas() > 1:
        raise InputError(
            "steps_per_epoch must be given on several replicas for data that do not say how many batches "
            "they have."
        )


def check_metric_names(metrics: Iterable[object], others: Iterable[str]) -> None:
    """Refuse names of metrics that no export could hold."""
    for name in (*(getattr(metric, "name", metric) for metric in metrics), *others):
        require_text("metrics, final_metrics and baselines", name)


def check_inference_model(
    data: Dataset, inference_model: keras.Model | None, final_metrics: Mapping[str, Any]
) -> None:
    """Check that there is an inference model where one is needed."""
    if task_named(data.spec.task).has_text_targets and inference_model is None:
        raise InputError(
            "inference_model must be a model from inputs to texts where the targets are texts; make it with "
            "kexp.models.transcriber, kexp.models.sound_transcriber or kexp.models.LanguageModel."
        )
    if final_metrics and inference_model is None:
        raise InputError(
            f"final_metrics need inference_model, the model that {', '.join(final_metrics)} are measured by; "
            "give it, or leave them out."
        )


def check_objective(
    objective: Objective, model: keras.Model, data: Dataset, options: TrainOptions, loss: Any, metrics: Any
) -> None:
    """Check an objective of the user's against everything else."""
    if not isinstance(objective, Objective):
        raise InputError(
            f"objective must be one of kexp.objectives, such as kexp.objectives.reconstruction(); received "
            f"{objective!r}."
        )
    if loss is not None or metrics is not None:
        raise InputError("loss and metrics are parts of the objective; give that, or them, but not both.")
    for name, unused in (("label_smoothing", 0.0), ("class_weight", None)):
        if options[name] != unused and not objective.has_label_options:  # type: ignore[literal-required]
            raise InputError(f"{name} is for models that are trained to give labels; leave it out.")
    if isinstance(data.train, Stream) and len(objective.players(model)) > 1:
        raise InputError("data of an objective with several players must be in memory, not a stream.")
    objective.check(model, data)


def checked_weights(weights: Any, options: TrainOptions, data: Dataset) -> np.ndarray | None:
    """Return the weights of the samples as float32, checked; None where the data alone say them."""
    own = getattr(data.train, "sample_weight", None) is not None
    if own and (weights is not None or options["class_weight"] is not None):
        given = "class_weight" if weights is None else "sample_weight"
        raise InputError(f"{given} must be left out for data whose rows have weights already; leave one out.")
    if weights is None:
        return None
    if options["class_weight"] is not None:
        raise InputError("sample_weight and class_weight exclude each other; give one of them.")
    weights = plain_array("sample_weight", weights)
    if weights.shape != (len(data.train),) or weights.dtype.kind not in "biuf":
        raise InputError(
            f"sample_weight must be {len(data.train)} finite numbers of 0 or more, one for each training "
            f"sample; received shape {weights.shape} of {weights.dtype}."
        )
    return require_weights("sample_weight", weights)


def require_weights(name: str, weights: np.ndarray) -> np.ndarray:
    """Return weights of a loss as float32, of which each is 0 or more, and one at least is more.

    Args:
        name: The argument, for messages.
        weights: (n,) numbers.

    Raises:
        InputError: One is negative or not finite, or all are 0, by which nothing could be learnt.

    Example:
        >>> require_weights("class_weight", np.array([0.0, 0.0]))
        Traceback (most recent call last):
        ...
        kexp.InputError: class_weight must have a number above 0, or nothing counts; received 0 everywhere.
    """
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its place
        numbers = weights.astype(np.float32)
    fits = np.isfinite(numbers) & (numbers >= 0)
    if not fits.all():
        wrong = int(fits.argmin())
        raise InputError(
            f"{name} must be finite numbers of 0 or more (in float32); received {weights[wrong]} at {wrong}."
        )
    if not numbers.any():
        raise InputError(f"{name} must have a number above 0, or nothing counts; received 0 everywhere.")
    return numbers


def check_outputs(model: keras.Model, data: Dataset, received: tuple[int, ...]) -> None:
    """Check the shape of one sample's outputs."""
    task_named(data.spec.task).check_training_outputs(model.name, data.spec, data.train.targets, received)
