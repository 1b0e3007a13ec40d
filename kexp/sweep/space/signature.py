"""The dimensions of one argument of a recipe: by its own type and default, or by what a caller writes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from kexp.core.constraints import Between, check_value, ranges_of
from kexp.core.errors import InputError
from kexp.core.options import option_types
from kexp.core.search import Dimension, DimensionKind
from kexp.data.memory_forms import form_of
from kexp.run.recipe_call import argument_value
from kexp.sweep.space.overrides import When, parse

Condition: TypeAlias = tuple[str, tuple[Any, ...]] | None


def overridden_dimensions(parameter: inspect.Parameter, given: Any) -> tuple[list[Dimension], Any]:
    """Return the dimensions that an override spans, or none and the value that it fixes."""
    name, annotation = parameter.name, parameter.annotation
    condition = _declared_condition(parameter)
    while isinstance(given, When):
        if given.space is None:
            raise InputError(
                f"space: {name} must say what it is searched over, as the last of When's arguments."
            )
        condition, given = (given.argument, given.values), given.space
    if name == "data" and _is_not_a_name(given):
        return [], argument_value(name, given, annotation)
    given = parse(name, given, annotation)
    if isinstance(given, Between):
        low, high = (check_value(f"{name} in space", end, float) for end in (given.low, given.high))
        return _ranged(parameter, Between(low, high, bool(given.log)), condition), None
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


def _is_not_a_name(data: Any) -> bool:
    """Return whether data are a path or in memory, and one: a list is of choices, which are names."""
    if not isinstance(data, list):
        return isinstance(data, os.PathLike) or form_of(data) is not None
    if any(form_of(choice) is not None for choice in data):
        raise InputError(
            "space: data in memory must be the same for all trials; received a list, which is of choices, so "
            "give a tuple (x, y), a DataFrame or a Dataset."
        )
    return False


def own_dimensions(parameter: inspect.Parameter) -> list[Dimension]:
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


def _ranged(parameter: inspect.Parameter, limits: Between, condition: Condition) -> list[Dimension]:
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


def _number_kind(parameter: inspect.Parameter) -> DimensionKind:
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


def _declared_condition(parameter: inspect.Parameter) -> Condition:
    """Return the condition that a recipe states by `Annotated[…, When(argument, values)]`."""
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return next(((part.argument, part.values) for part in metadata if isinstance(part, When)), None)
