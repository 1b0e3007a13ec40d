"""The search space: what a recipe's signature spans, narrowed, widened and fixed by the caller."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin

from kexp.core.constraints import Between, check_value, ranges_of
from kexp.core.errors import InputError, nearest
from kexp.core.options import option_types
from kexp.run.recipe import bind
from kexp.sweep.override import When, parse

Kind = Literal["float", "int", "choice"]


@dataclass(frozen=True)
class Dimension:
    """One searched number or choice.

    Attributes:
        name: The argument, or `argument[0]` for an entry of a tuple.
        kind: "float" and "int" have a range, "choice" has choices.
        low: Smallest number, included.
        high: Largest number, included.
        log: Whether a range is searched on a log scale.
        choices: Values to choose from.
        condition: Another dimension and the values of it with which this one counts; None for always.
    """

    name: str
    kind: Kind
    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Any, ...] = ()
    condition: tuple[str, tuple[Any, ...]] | None = None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Dimension:
        """Return what `dataclasses.asdict` has made of a dimension, after it went through JSON."""
        choices = tuple(tuple(one) if isinstance(one, list) else one for one in fields["choices"])
        condition = fields["condition"] and (fields["condition"][0], tuple(fields["condition"][1]))
        return cls(**{**fields, "choices": choices, "condition": condition})

    def __str__(self) -> str:
        if self.kind == "choice":
            text = "one of " + ", ".join(map(str, self.choices))
        else:
            text = f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"
        when = (
            f", with {self.condition[0]} {' or '.join(map(str, self.condition[1]))}" if self.condition else ""
        )
        return text + when

    @property
    def argument(self) -> str:
        """The recipe's argument that this is, or is an entry of."""
        return self.name.partition("[")[0]

    def points(self, most: int) -> tuple[Any, ...]:
        """Return all choices, or up to `most` numbers spread evenly over the range, both ends included."""
        if self.kind == "choice":
            return self.choices
        scale: Callable[[float], float] = math.log if self.log else float
        back: Callable[[float], float] = math.exp if self.log else float
        low, high = scale(self.low), scale(self.high)
        steps = [back(low + (high - low) * step / (most - 1)) for step in range(1, most - 1)]
        between = [round(number) for number in steps] if self.kind == "int" else steps
        return tuple(dict.fromkeys((self.low, *between, self.high)))


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
    parameters = dict(inspect.signature(recipe).parameters)
    for name in overrides:
        if name in ("run_dir", "quiet"):
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
            found, value = _overridden(parameter, overrides[name])
        else:
            found, value = _by_itself(parameter), None
        dimensions += found
        if name in overrides and not found:
            fixed[name] = value
    space = _with_conditions_settled(Space(tuple(dimensions), fixed), parameters)
    _check(space, recipe)
    return space


def _overridden(parameter: inspect.Parameter, given: Any) -> tuple[list[Dimension], Any]:
    """Return the dimensions that an override spans, or none and the value that it fixes."""
    name, annotation = parameter.name, parameter.annotation
    condition = _declared_condition(parameter)
    while isinstance(given, When):
        if given.space is None:
            raise InputError(
                f"space: {name} must say what it is searched over, as the last of When's arguments."
            )
        condition, given = (given.argument, given.values), given.space
    given = parse(name, given, annotation)
    if isinstance(given, Between):
        return _ranged(parameter, given, condition), None
    if isinstance(given, list):
        if not given:
            raise InputError(f"space: {name} must have at least one choice; received an empty list.")
        choices = tuple(
            dict.fromkeys(check_value(f"{name} in space", choice, annotation) for choice in given)
        )
        return [Dimension(name, "choice", choices=choices, condition=condition)], None
    value = check_value(name, given, annotation)
    return (
        ([Dimension(name, "choice", choices=(value,), condition=condition)], None)
        if condition
        else ([], value)
    )


def _by_itself(parameter: inspect.Parameter) -> list[Dimension]:
    """Return what is searched of an argument that the caller says nothing about."""
    name, annotation, default = parameter.name, parameter.annotation, parameter.default
    condition = _declared_condition(parameter)
    if name == "learning_rate":
        limits = next(limit for limit in ranges_of(annotation) if isinstance(limit, Between))
        return [Dimension(name, "float", max(default / 10, limits.low), min(default * 10, limits.high), True)]
    if name == "batch_size":
        sizes = [default // 4, default // 2, default, default * 2]
        return [Dimension(name, "choice", choices=tuple(size for size in sizes if size >= 1))]
    if name in option_types() or default is inspect.Parameter.empty:
        return []
    inner = _inner(annotation)
    if inner is bool:
        return [Dimension(name, "choice", choices=(False, True), condition=condition)]
    if get_origin(inner) is Literal:
        choices = get_args(inner)
        return [Dimension(name, "choice", choices=choices, condition=condition)] if len(choices) > 1 else []
    ranges = [limit for limit in ranges_of(annotation) if isinstance(limit, Between)]
    # A tuple that is None by default has no length to search over.
    if ranges and (default is not None or tuple not in _scalars(annotation)):
        return _ranged(parameter, ranges[0], condition)
    return []


def _ranged(
    parameter: inspect.Parameter, limits: Between, condition: tuple[str, tuple[Any, ...]] | None
) -> list[Dimension]:
    name, default = parameter.name, parameter.default
    kind = _number_kind(parameter)
    if not limits.low < limits.high or (limits.log and limits.low <= 0):
        wanted = "above 0 and below the high one" if limits.log else "below the high one"
        raise InputError(f"space: {name} must have a low end {wanted}; received {limits}.")
    if kind == "int" and not (float(limits.low).is_integer() and float(limits.high).is_integer()):
        raise InputError(
            f"space: {name} is a whole number and needs a range of whole numbers; received {limits}."
        )
    number: Callable[[float], float] = int if kind == "int" else float
    dimension = Dimension(
        name, kind, number(limits.low), number(limits.high), limits.log, condition=condition
    )
    if not isinstance(default, tuple):
        return [dimension]
    return [replace(dimension, name=f"{name}[{entry}]") for entry in range(len(default))]


def _number_kind(parameter: inspect.Parameter) -> Kind:
    kinds = _scalars(parameter.annotation)
    if not kinds & {int, float}:
        raise InputError(f"space: {parameter.name} is not a number and has no range; give a list of choices.")
    if tuple in kinds and not isinstance(parameter.default, tuple):
        raise InputError(
            f"space: {parameter.name} has no default length to search over; give a list of tuples."
        )
    return "float" if float in kinds else "int"


def _scalars(annotation: Any) -> set[Any]:
    if get_origin(annotation) is Literal:
        return set()
    parts = get_args(annotation)
    own = {tuple} if get_origin(annotation) is tuple else {annotation} - {type(None)}
    if not parts:
        return own if isinstance(annotation, type) else set()
    inner = set().union(
        *(_scalars(part) for part in (parts[:1] if get_origin(annotation) is Annotated else parts))
    )
    return inner | (own & {tuple})


def _inner(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _declared_condition(parameter: inspect.Parameter) -> tuple[str, tuple[Any, ...]] | None:
    """Return the condition that a recipe states by `Annotated[…, When(argument, values)]`."""
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return next(((part.argument, part.values) for part in metadata if isinstance(part, When)), None)


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
