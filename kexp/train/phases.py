"""Phases of a training: which layers each of them trains, for how long and at which rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Annotated, Any

import keras

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError, nearest, shown
from kexp.core.keras_private import layers_in_order, own_variables
from kexp.core.options import TrainOptions, option_types
from kexp.engine.base import ParameterGroup

__all__ = ["Phase", "TrainedLayers", "finetune_phases", "phase_options", "trained_layers"]

# What a phase may say in the place of the training option of the name.
_OPTIONS = ("learning_rate", "schedule", "warmup", "early_stop")


@dataclass(frozen=True)
class Phase:
    """A phase of a training, with an optimizer and a schedule of its own.

    A layer that is not trained keeps its weights to the bit; batch normalisation among them takes its
    statistics as they are.

    Attributes:
        epochs: Epochs of the phase at most, 1 or more.
        trainable: What is trained: a share of the layers with weights but batch normalisation, from the last
            one down, above 0 to 1 (default: all of them), or names of layers, of which * stands for any
            letters. The layers inside of a layer that is named are meant too, by path, such as
            "encoder/block_3/*". None: what the model trains.
        learning_rate: Highest learning rate of the phase; None (default): that of the training.
        depth_decay: What the rate is multiplied by from one trained layer with a matrix to the one before it,
            above 0 to 1; default 1: all layers have the same rate.
        schedule: Decay of the rate over the phase; None (default): that of the training.
        warmup: Share of the phase in which the rate rises; None (default): that of the training.
        early_stop: Epochs without a better validation metric after which the phase ends, 0 for never; None
            (default): that of the training.
        batch_norm: Whether batch normalisation in the trained part is trained too, statistics included.
            None (default): unless an earlier phase left it as it was, for small batches spoil its statistics.

    Raises:
        InputError: A value does not fit.

    Source:
        Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification" (phases, and
        rates that fall by depth).

    Example:
        >>> Phase(epochs=2, trainable=["head"]).trainable
        ('head',)
        >>> Phase(epochs=2, trainable=0.3, learning_rate=1e-4, depth_decay=0.9).depth_decay
        0.9
        >>> Phase(epochs=0)
        Traceback (most recent call last):
        ...
        kexp.InputError: epochs of a phase must be a whole number, 1 or more; received 0.
    """

    epochs: int
    trainable: float | Sequence[str] | None = 1.0
    learning_rate: float | None = None
    depth_decay: float = 1.0
    schedule: str | None = None
    warmup: float | None = None
    early_stop: int | None = None
    batch_norm: bool | None = None

    def __post_init__(self) -> None:
        types: dict[str, Any] = {
            "epochs": Annotated[int, AtLeast(1)],
            "depth_decay": Annotated[float, Between(0.01, 1.0)],
            "batch_norm": bool | None,
            **{name: option_types()[name] | None for name in _OPTIONS},
        }
        if isinstance(self.trainable, Sequence) and not isinstance(self.trainable, str):
            object.__setattr__(self, "trainable", tuple(self.trainable))
            types["trainable"] = tuple[str, ...]
        else:
            types["trainable"] = Annotated[float, Between(0.001, 1.0)] | None
        for name, kind in types.items():
            value = check_value(f"{name} of a phase", getattr(self, name), kind)
            object.__setattr__(self, name, value)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as they are recorded."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def finetune_phases(
    train: TrainOptions,
    *,
    head_epochs: int,
    head: Sequence[str],
    unfreeze: float | Sequence[str] = 0.3,
    rate: float = 0.1,
    depth_decay: float = 1.0,
) -> list[Phase]:
    """Return the phases of fine-tuning: the head alone, then the top of the network too, at smaller rates.

    Batch normalisation of the network stays as it was trained.

    Args:
        train: Training options, in a recipe all of them; their epochs are those of both phases together.
        head_epochs: Epochs of the head alone, 0 or more; the second phase has those that are left.
        head: Names of the layers that are new, such as `kexp.models.head_layers` gives.
        unfreeze: What the second phase trains: a share of the layers from the last one down, default 0.3, or
            names of layers; 0 leaves all epochs to the head.
        rate: What the learning rate is multiplied by in the second phase, default 0.1.
        depth_decay: What it is multiplied by from layer to layer towards the input, default 1.

    Returns:
        One or two phases.

    Source:
        Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification".

    Example:
        >>> from kexp.core.options import complete
        >>> phases = finetune_phases(complete({"epochs": 5}), head_epochs=2, head=["head_1"])
        >>> [phase.epochs for phase in phases]
        [2, 3]
    """
    epochs, learning_rate = train["epochs"], train["learning_rate"]
    of_head = min(head_epochs, epochs) if unfreeze else epochs
    phases = []
    if of_head:
        phases.append(Phase(of_head, head))
    if of_head < epochs:
        # What the first phase left as it was stays so; without one, all of it does.
        frozen = None if of_head else False
        rates = learning_rate * rate, depth_decay
        phases.append(Phase(epochs - of_head, unfreeze, *rates, batch_norm=frozen))
    return phases


def phase_options(phase: Phase, options: TrainOptions) -> TrainOptions:
    """Return the options of a training as they are in one of its phases.

    Example:
        >>> from kexp.core.options import complete
        >>> options = phase_options(Phase(epochs=2, warmup=0.5), complete({"learning_rate": 0.1}))
        >>> options["epochs"], options["warmup"], options["learning_rate"]
        (2, 0.5, 0.1)
    """
    own = {name: getattr(phase, name) for name in _OPTIONS if getattr(phase, name) is not None}
    return {**options, **own, "epochs": phase.epochs}  # type: ignore[typeddict-item]


@dataclass(frozen=True, eq=False)
class TrainedLayers:
    """The layers of a model that a phase trains.

    Attributes:
        model: Whose they are.
        layers: Those layers, from the input on.
        groups: Their weights, by the rate that they are trained at.
        all_layers: How many layers have weights that could be trained.
        kept: Weights that are not trained although their layers are, such as those that LoRA adds to.
    """

    model: keras.Model
    layers: tuple[keras.layers.Layer, ...]
    groups: tuple[ParameterGroup, ...]
    all_layers: int
    kept: tuple[keras.Variable, ...]

    def enter(self) -> None:
        """Have the model train these layers alone."""
        self.model.trainable = True
        trained = {id(layer) for layer in self.layers}
        for layer, _ in _layers_with_weights(self.model):
            for variable in own_variables(layer):
                variable.trainable = id(layer) in trained
            if not any(inner.weights for inner in layers_in_order(layer)):
                layer.trainable = id(layer) in trained
        for variable in self.kept:
            variable.trainable = False

    @property
    def weights(self) -> int:
        """How many numbers are trained."""
        return sum(int(keras.ops.size(weight)) for group in self.groups for weight in group.weights)


def trained_layers(model: keras.Model, phases: Sequence[Phase]) -> list[TrainedLayers]:
    """Return what each phase of a training trains.

    Args:
        model: Built.
        phases: In their order.

    Raises:
        InputError: A phase names layers that the model does not have, or none that has weights.

    Example:
        >>> layers = [keras.layers.Dense(4, name="body"), keras.layers.Dense(1, name="head")]
        >>> model = keras.Sequential([keras.Input((2,)), *layers])
        >>> first, second = trained_layers(model, [Phase(1, ["head"]), Phase(1, depth_decay=0.5)])
        >>> first.weights, [group.learning_rate for group in second.groups]
        (5, [1.0, 0.5])
    """
    found = _layers_with_weights(model)
    # What a layer keeps to itself while it is trained, it always does.
    kept = tuple(
        variable
        for layer, _ in found
        if layer.trainable
        for variable in own_variables(layer)
        if not variable.trainable
    )
    fixed = {id(variable) for variable in kept}
    choices, frozen = [], set[int]()
    for phase in phases:
        chosen = _chosen(model, found, phase.trainable)
        layers = [one for one in chosen if not _is_batch_norm(one) or _normalizes(phase, id(one) in frozen)]
        left = {id(layer) for layer, _ in found} - {id(layer) for layer in layers}
        frozen |= left
        groups = _groups(layers, phase.depth_decay, fixed)
        if not groups:
            raise InputError(
                f"trainable of a phase must take a layer with weights of {model.name}; received "
                f"{shown(phase.trainable)}, which trains nothing."
            )
        choices.append(TrainedLayers(model, tuple(layers), groups, len(found), kept))
    return choices


def _normalizes(phase: Phase, was_frozen: bool) -> bool:
    return not was_frozen if phase.batch_norm is None else phase.batch_norm


def _is_batch_norm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _layers_with_weights(model: keras.Model) -> list[tuple[keras.layers.Layer, str]]:
    """Return the layers that have weights of their own to train, from the input on, each with its path."""
    found: list[tuple[keras.layers.Layer, str]] = []
    seen: set[int] = set()

    def add(layer: Any, path: str) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        if own_variables(layer):
            found.append((layer, path))
        for inner in layers_in_order(layer):
            add(inner, f"{path}/{inner.name}" if path else inner.name)

    add(model, "")
    return found


def _chosen(
    model: keras.Model, found: Sequence[tuple[keras.layers.Layer, str]], trainable: Any
) -> list[keras.layers.Layer]:
    if trainable is None:
        return [layer for layer, _ in found if layer.trainable]
    if isinstance(trainable, float | int):
        counted = [number for number, (layer, _) in enumerate(found) if not _is_batch_norm(layer)]
        if not counted:
            return [layer for layer, _ in found]
        first = 0 if trainable == 1 else counted[-max(1, round(trainable * len(counted)))]
        return [layer for layer, _ in found[first:]]
    chosen: set[int] = set()
    for pattern in trainable:
        named = {id(layer) for layer, path in found if _is_named(path, pattern)}
        if not named:
            names = dict.fromkeys(part for _, path in found for part in path.split("/"))
            raise InputError(
                f"trainable of a phase must name layers with weights of {model.name}; received "
                f"{shown(pattern)}{nearest(pattern, names)}."
            )
        chosen |= named
    return [layer for layer, _ in found if id(layer) in chosen]


def _is_named(path: str, pattern: str) -> bool:
    """Return whether a pattern is that of a layer, or of one that it is inside of."""
    parts = path.split("/")
    places = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatchcase(name, pattern) for name in (*places, parts[-1]))


def _groups(
    layers: Sequence[keras.layers.Layer], depth_decay: float, fixed: set[int]
) -> tuple[ParameterGroup, ...]:
    """Return the weights of layers by their rates: the last layer's first."""
    weights: dict[int, list[Any]] = {}
    depth = 0
    for layer in reversed(layers):
        own = [variable for variable in own_variables(layer) if id(variable) not in fixed]
        weights.setdefault(depth, []).extend(own)
        # A bias or the scale of a normalisation goes with the matrix that stands before it.
        depth += any(len(variable.shape) > 1 for variable in own)
    return tuple(
        ParameterGroup(tuple(group), depth_decay**number) for number, group in weights.items() if group
    )
