"""What a model was compiled with: what its outputs stand for, and what of `kexp.fit` contradicts it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kexp.core.errors import InputError
from kexp.core.keras_private import takes_logits
from kexp.core.options import TrainOptions
from kexp.core.structures import Structure, flat, is_nested, leaves, packed, structure_of
from kexp.core.trainer_private import compiled_with, losses_by_path, overrides
from kexp.core.types import Nest
from kexp.data.array_specs import Head
from kexp.run.fit_plan import EpochOptions, FitPlan
from kexp.run.recorded_objects import recorded

# Options that say what a compiled model has been told already.
_COMPILED = (
    "optimizer",
    "learning_rate",
    "momentum",
    "weight_decay",
    "schedule",
    "warmup",
    "ema",
    "label_smoothing",
)
# What a step of the model's own does itself, or leaves out.
_OWN_STEP = ("accumulate", "clip_norm", "clip_value", "spike")
_CLASSES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
)
_YES_OR_NO = ("binary_crossentropy", "binary_focal_crossentropy")
_QUANTITIES = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "huber",
    "log_cosh",
    "poisson",
)


def refuse_contradictions(plan: FitPlan, given: Collection[str]) -> None:
    """Refuse what contradicts the way that a plan's model was compiled.

    Args:
        plan: What is trained, and on what.
        given: Names of the training options that the caller gave.

    Raises:
        InputError: Something does.
    """
    model = plan.model
    named = [name for name in _COMPILED if name in given]
    for name in ("optimizer", "learning_rate", "loss", "metrics"):
        if getattr(plan, name) is not None:
            named.append(name)
    if named:
        raise InputError(
            f"{named[0]} must be left out for model {model.name}, which is compiled and trains with what it "
            "was compiled with; leave it out, or give the model uncompiled."
        )


def refuse_for_own_step(
    model: keras.Model, options: TrainOptions, defaults: TrainOptions, replicas: int
) -> None:
    """Refuse options that a `train_step` of the model's own could not obey.

    Raises:
        InputError: One is given.
    """
    if not overrides(model, "train_step"):
        return
    changed = [name for name in _OWN_STEP if options[name] != defaults[name]]  # type: ignore[literal-required]
    if options["on_nan"] == "rollback":
        changed.append("on_nan='rollback'")
    if options["batch_size"] == "auto":
        changed.append("batch_size='auto'")
    if changed:
        raise InputError(
            f"{changed[0]} must be left out for model {model.name}, which has a train_step of its own that "
            "takes the whole step; do it there."
        )
    if replicas > 1:
        raise InputError(
            f"strategy must be one device for model {model.name}, whose own train_step says nothing of what "
            "replicas share; give strategy='cpu' or 'gpu', or override compute_loss in its place."
        )


def recorded_arguments(plan: FitPlan) -> dict[str, Any]:
    """Return what config.json has of a plan beside its training options."""
    objects = ("optimizer", "learning_rate", "class_weight")
    found = {name: recorded(getattr(plan, name)) for name in objects if getattr(plan, name) is not None}
    found.update(loss=recorded(plan.loss), metrics=recorded(plan.metrics))
    if plan.as_compiled:
        found["compiled"] = {
            name: recorded(value) for name, value in compiled_with(plan.model).items() if value is not None
        }
    standard = EpochOptions()
    for name, value in vars(plan.epochs).items():
        if value != getattr(standard, name):
            found[f"epochs_{name}"] = recorded(value)
    if plan.phases:
        found["phases"] = [phase.to_json() for phase in plan.phases]
    if plan.given is not None and plan.given.validation_split:
        found["validation_split"] = plan.given.validation_split
    return found


@contextmanager
def compiled_for_run(plan: FitPlan) -> Iterator[None]:
    """Have a model that is not compiled be so for its run, where a loss says what its outputs are.

    Its optimizer is that of the training options, which the run makes.
    """
    model = plan.model
    if model.compiled or plan.given is None or plan.given.by_task or plan.loss is None:
        yield
        return
    try:
        model.compile(optimizer=None, loss=plan.loss, metrics=plan.metrics)
        yield
    finally:
        model.compiled = False


def restore_weights(model: keras.Model, trained: keras.Model) -> None:
    """Give a model the weights of one that was trained before, where they are those of the same layers."""
    weights = trained.get_weights()
    if [weight.shape for weight in weights] == [tuple(weight.shape) for weight in model.weights]:
        model.set_weights(weights)


def summary(model: keras.Model) -> str:
    """Return in a line what a model trains with, for people."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    parts = [] if overrides(model, "train_step") else [f"optimizer {type(optimizer).__name__}"]
    losses = [entry.name if entry.path else _loss_name(entry.loss) for entry in losses_by_path(model)]
    parts += [f"loss {', '.join(losses)}"] if losses else []
    methods = ("train_step", "test_step", "compute_loss", "compute_metrics")
    own = [method for method in methods if overrides(model, method)]
    parts += [f"its own {', '.join(own)}"] if own else []
    parts += ["XLA"] if model.jit_compile else []
    parts += ["operation by operation"] if model.run_eagerly else []
    return f"model {model.name} trains as compiled: {'; '.join(parts)}"


@dataclass(frozen=True)
class Answers:
    """What the outputs of a model stand for.

    Attributes:
        structure: The nest in which it gives them, with their names.
        heads: Each of them.
    """

    structure: Structure
    heads: tuple[Head, ...]

    @property
    def several(self) -> bool:
        """Whether outputs have names, rather than be one array."""
        return is_nested(self.structure)


def answers_of(model: keras.Model, outputs: Nest, targets: Nest, target_structure: Structure) -> Answers:
    """Return what the outputs of a compiled model stand for, by its losses.

    Args:
        model: Compiled and built.
        outputs: What it gives for a few samples, a nest of arrays.
        targets: Those of all training samples, by name or single.
        target_structure: The nest of their names, or None.
    """
    names = tuple(getattr(model, "output_names", None) or ())
    structure = structure_of(outputs, names, stem="output")
    given = None if target_structure is None else packed(target_structure, targets)
    if not is_nested(structure):
        loss = next((entry.loss for entry in losses_by_path(model)), None)
        return Answers(structure, (_head(structure, loss, outputs, given),))
    losses = {_at(structure, entry.path): entry.loss for entry in losses_by_path(model)}
    arrays: dict[str, Any] = flat(structure, outputs)
    truths = {} if given is None else _matched(structure, given)
    heads = [_head(name, losses.get(name), array, truths.get(name)) for name, array in arrays.items()]
    return Answers(structure, tuple(heads))


def _matched(structure: Structure, given: Nest) -> dict[str, Any]:
    """Return targets by the names of the outputs that they are for, as far as that can be told."""
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    names = leaves(structure)
    values = leaves(given) if isinstance(given, list) else [given]
    return dict(zip(names, values, strict=False)) if len(names) == len(values) else {}


def _at(structure: Structure, path: Sequence[Any]) -> Any:
    """Return the name at a path of a structure; Keras's path may be by output name."""
    place = structure
    for key in path:
        try:
            place = place[key]
        except (KeyError, IndexError, TypeError):
            return key
    return place if isinstance(place, str) else None


def _loss_name(loss: Any) -> str:
    function = getattr(loss, "fn", loss)
    return getattr(function, "__name__", type(loss).__name__)


def _head(name: str, loss: Any, outputs: Nest, targets: Nest) -> Head:
    """Return what one output stands for, by its loss and its shape."""
    kind, outputs = _loss_name(loss), np.asarray(outputs)
    logits = bool(takes_logits(loss)) if loss is not None else False
    width = outputs.shape[1] if outputs.ndim == 2 else 0
    if kind in _CLASSES and width > 1:
        return Head(name, "classification", width, from_logits=logits)
    if kind in _YES_OR_NO and width and _is_binary(targets):
        if width == 1:
            return Head(name, "classification", 2, from_logits=logits)
        if np.shape(targets)[1:] == (width,):
            return Head(name, "multilabel", width, from_logits=logits)
    if kind in _QUANTITIES and width and targets is not None:
        return Head(name, "regression", width)
    return Head(name, "outputs", width, from_logits=False)


def _is_binary(targets: Nest) -> bool:
    array = np.asarray(targets) if targets is not None else np.array([2])
    return array.dtype.kind in "biuf" and bool(np.isin(array, (0, 1)).all())
