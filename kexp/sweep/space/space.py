"""The search space: what a recipe's signature spans, narrowed, widened and fixed by the caller."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kexp.core.constraints import check_value
from kexp.core.errors import InputError, nearest, shown
from kexp.core.search import Dimension
from kexp.data.memory_content import Content
from kexp.data.memory_forms import form_of
from kexp.run.recipe_call import bind, refuse_callbacks
from kexp.sweep.space.signature import overridden_dimensions, own_dimensions


@dataclass(frozen=True)
class Space:
    """What a sweep searches, and what it keeps fixed.

    Attributes:
        dimensions: What is searched, every condition's own dimension before it.
        fixed: Arguments that every trial gets.
    """

    dimensions: tuple[Dimension, ...]
    fixed: dict[str, Any]

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments of the recipe for values by dimension; absent ones are not passed.

        Example:
            >>> entries = (Dimension("hidden[0]", "int", 8, 64), Dimension("hidden[1]", "int", 8, 64))
            >>> space = Space(entries, {})
            >>> space.arguments({"hidden[0]": 16, "hidden[1]": 8})
            {'hidden': (16, 8)}
        """
        arguments = dict(self.fixed)
        for dimension in self.dimensions:
            if dimension.name not in values:
                continue
            value = values[dimension.name]
            entry = dimension.name != dimension.argument
            arguments[dimension.argument] = (
                (*arguments.get(dimension.argument, ()), value) if entry else _as_tuple(value)
            )
        return arguments

    def active(self, values: Mapping[str, Any]) -> list[Dimension]:
        """Return the dimensions that count with these values."""
        return [
            dimension
            for dimension in self.dimensions
            if dimension.condition is None or values.get(dimension.condition[0]) in dimension.condition[1]
        ]

    def to_json(self) -> dict[str, Any]:
        """Return a description that two equal spaces share, in JSON types."""
        return {
            "searched": {dimension.name: str(dimension) for dimension in self.dimensions},
            "fixed": {name: _plain(value) for name, value in self.fixed.items()},
        }


def checked_mapping(space: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what a caller says of the space, nothing for None.

    Raises:
        InputError: It is no mapping from names of arguments.
    """
    space = {} if space is None else space
    if not isinstance(space, Mapping) or not all(isinstance(name, str) for name in space):
        raise InputError(f"space must be a mapping from arguments to what is tried; received {shown(space)}.")
    return space


def space_of(recipe: Callable[..., Any], overrides: Mapping[str, Any] | None = None) -> Space:
    """Return the search space of a recipe, all of it checked.

    Searched are the recipe's own arguments with a `Between`, the `Literal`s of more than one choice and the
    bools; the learning rate from a tenth to ten times its default; and the batch size, in powers of two from
    a quarter to twice its default. A tuple with a range is searched entry by entry.

    Args:
        recipe: A recipe.
        overrides: By argument: `Between(low, high)` or a tuple of two numbers is a range, a list is choices,
            `When(argument, values, …)` is any of these where another argument has one of these values, and
            anything else is fixed. Strings may read "1e-4..1e-2" and "adam,adamw".

    Raises:
        InputError: An argument is unknown, or a value of the space does not fit.

    Example:
        >>> from kexp.recipes import mlp_images
        >>> given = {"hidden": (64,), "dropout": (0, 0.2), "optimizer": "adam,sgd"}
        >>> space = space_of(mlp_images, given)
        >>> for dimension in space.dimensions:
        ...     print(dimension.name, "is", dimension)
        activation is one of relu, gelu, tanh, sigmoid, swish
        normalization is one of none, batch, layer
        dropout is 0 to 0.2
        batch_size is one of 16, 32, 64, 128
        learning_rate is 0.0001 to 0.01, log
        optimizer is one of adam, sgd
        >>> space.fixed
        {'hidden': (64,)}
    """
    overrides = overrides or {}
    refuse_callbacks(overrides)
    parameters = dict(inspect.signature(recipe).parameters)
    for name in overrides:
        if name in ("run_dir", "track", "quiet"):
            raise InputError(f"space must not have {name}, which the sweep itself gives to every trial.")
        if name == "checkpoint_dir":
            raise InputError(
                "space must not have checkpoint_dir, which all trials would share; leave it out, and each "
                "keeps its checkpoints in its own folder."
            )
        if name not in parameters:
            raise InputError(f"space: {recipe.__name__} has no argument {name}{nearest(name, parameters)}.")
    dimensions: list[Dimension] = []
    fixed: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in overrides:
            found, value = overridden_dimensions(parameter, overrides[name])
        else:
            found, value = own_dimensions(parameter), None
        dimensions += found
        if name in overrides and not found:
            fixed[name] = value
    space = _with_conditions_settled(Space(tuple(dimensions), fixed), parameters)
    _check(space, recipe)
    return space


def _with_conditions_settled(space: Space, parameters: Mapping[str, inspect.Parameter]) -> Space:
    """Keep conditions on searched choices, settle those on fixed arguments, and put parents first."""
    pending = list(space.dimensions)
    placed: dict[str, Dimension] = {}
    while pending:
        names = {dimension.argument for dimension in pending}
        ready = [one for one in pending if one.condition is None or one.condition[0] not in names]
        if not ready:
            raise InputError(f"space: {pending[0].name} depends on itself, by {pending[0].condition}.")
        for dimension in ready:
            pending.remove(dimension)
            settled = _settled(dimension, placed, space.fixed, parameters)
            if settled is not None:
                placed[dimension.name] = settled
    return Space(tuple(placed.values()), space.fixed)


def _settled(
    dimension: Dimension,
    placed: Mapping[str, Dimension],
    fixed: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
) -> Dimension | None:
    """Return a dimension with what is left of its condition, or None when it never counts."""
    if dimension.condition is None:
        return dimension
    parent, values = dimension.condition
    if parent not in parameters:
        hint = nearest(parent, parameters)
        raise InputError(f"space: {dimension.name} depends on {parent}, which is no argument{hint}.")
    kind = parameters[parent].annotation
    values = tuple(check_value(f"{parent} in space", value, kind) for value in values)
    searched = [other for other in placed.values() if other.argument == parent]
    if any(other.kind != "choice" for other in searched):
        raise InputError(f"space: {dimension.name} must depend on a choice; {parent} has a range.")
    if searched:
        return replace(dimension, condition=(parent, values))
    holds = fixed.get(parent, parameters[parent].default) in values
    return replace(dimension, condition=None) if holds else None


def _check(space: Space, recipe: Callable[..., Any]) -> None:
    """Bind the recipe with both ends of every range and every choice, one at a time."""
    bind(recipe, **space.fixed)
    siblings = {dimension.name: dimension for dimension in space.dimensions}
    for dimension in space.dimensions:
        for value in dimension.points(2):
            values = {
                other.name: value if other is dimension else other.points(2)[0]
                for other in siblings.values()
                if other.argument == dimension.argument
            }
            try:
                bind(recipe, **space.arguments(values))
            except InputError as error:
                raise InputError(
                    f"space: {str(error).rstrip('.')}, in what {dimension.argument} is searched over."
                ) from None


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def without_content(space: Space) -> tuple[Space, Content | None]:
    """Return the space with no more than a fingerprint of data in memory, and their content."""
    if form_of(space.fixed.get("data")) is None:
        return space, None
    content = Content.of(space.fixed["data"])
    return replace(space, fixed={**space.fixed, "data": content.described}), content
