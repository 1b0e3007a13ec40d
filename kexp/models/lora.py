"""Low-rank adaptation (LoRA): small matrices beside large ones, which alone are trained."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

import keras

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError, nearest, shown
from kexp.core.keras_private import all_layers, without_lora

__all__ = ["enable_lora", "merge_lora"]


def enable_lora(
    model: keras.Model, rank: int, layers: Sequence[str] | None = None, alpha: float | None = None
) -> list[str]:
    """Add matrices of low rank to layers of a model, in place of whose own they are trained from now on.

    A layer computes with `W + (alpha / rank) A B`, where `W` stays as it is and `B` begins with zeros, so
    that the model computes at first what it did before. What is trained beside them, a phase says
    (`kexp.Phase(trainable=…)`). A run of `kexp.fit` records and exports the sum, without a trace of them.

    Args:
        model: Built; it is changed.
        rank: Of the matrices, 1 or more.
        layers: Names of layers, of which * stands for any letters; None (default): all that can have it, also
            in models inside: Dense, EinsumDense, Embedding and convolutions that are not depthwise.
        alpha: What the product is multiplied by, in parts of the rank; None (default): the rank.

    Returns:
        The names of the layers that have them now.

    Raises:
        InputError: A name is not that of a layer that can have it, or one has it already.

    Source:
        Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models".

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="body")])
        >>> enable_lora(model, rank=2, layers=["body"])
        ['body']
        >>> [variable.name for variable in model.trainable_variables]
        ['bias', 'lora_kernel_a', 'lora_kernel_b']
    """
    rank = check_value("rank", rank, Annotated[int, AtLeast(1)])
    chosen = _chosen(model, layers)
    for layer in chosen:
        if layer.lora_enabled:
            raise InputError(f"layers must not have LoRA already; {layer.name} of {model.name} has.")
        layer.enable_lora(rank, lora_alpha=alpha)
    return [layer.name for layer in chosen]


def merge_lora(model: keras.Model) -> list[str]:
    """Add the matrices that LoRA has trained to those of the layers, which are then as without it.

    Args:
        model: It is changed.

    Returns:
        The names of these layers; the model computes what it did, up to rounding.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> enable_lora(model, rank=2) == merge_lora(model), model.count_params()
        (True, 36)
    """
    merged = [layer for layer in all_layers(model) if getattr(layer, "lora_enabled", False)]
    for layer in merged:
        without_lora(layer)
    return [layer.name for layer in merged]


def _chosen(model: keras.Model, patterns: Sequence[str] | None) -> list[Any]:
    able = [layer for layer in all_layers(model) if hasattr(layer, "enable_lora")]
    if patterns is None:
        return able
    chosen = {}
    for pattern in patterns:
        named = [layer for layer in able if fnmatchcase(layer.name, pattern)]
        if not named:
            raise InputError(
                f"layers must name layers of {model.name} that LoRA can be added to; received "
                f"{shown(pattern)}{nearest(pattern, [layer.name for layer in able])}."
            )
        chosen.update({id(layer): layer for layer in named})
    return list(chosen.values())
