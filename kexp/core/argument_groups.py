"""Groups of arguments: one typed as a TypedDict stands for its keys, which are arguments of their own."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

Groups = Mapping[str, type]


def argument_groups(types_of_arguments: Mapping[str, Any]) -> dict[str, type]:
    """Return the TypedDicts among the types of arguments, by argument.

    Example:
        >>> from typing import TypedDict
        >>> class Files(TypedDict, total=False):
        ...     separator: str | None
        >>> list(argument_groups({"data": str, "files": Files}))
        ['files']
    """
    return {name: kind for name, kind in types_of_arguments.items() if is_typeddict(kind)}


def keys_of(group: type, own: Sequence[str]) -> dict[str, Any]:
    """Return the keys of a group with their types as options have them, but for arguments of the same name.

    Args:
        group: A TypedDict, of which every key may be None.
        own: Names of the function's own arguments.
    """
    hints = get_type_hints(group, include_extras=True)
    return {name: _option_type(kind) for name, kind in hints.items() if name not in own}


def flat_parameters(parameters: Sequence[inspect.Parameter], groups: Groups) -> list[inspect.Parameter]:
    """Return parameters with the keys of a group, None by default, in the place of each group."""
    own, found = [one.name for one in parameters], []
    for one in parameters:
        if one.name not in groups:
            found.append(one)
            continue
        for name, kind in keys_of(groups[one.name], own).items():
            found.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            )
    return found


def grouped(function: Callable[..., Any], groups: Groups, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as a function takes them: the keys of each group together.

    Args:
        function: That has groups among its parameters.
        groups: Those, by the names of the parameters.
        arguments: By name.

    Example:
        >>> from typing import TypedDict
        >>> class Files(TypedDict, total=False):
        ...     separator: str | None
        >>> def read(data, files): return data, files
        >>> grouped(read, {"files": Files}, {"data": "a.csv", "separator": ";"})
        {'data': 'a.csv', 'files': {'separator': ';'}}
    """
    own, left = list(inspect.signature(function).parameters), dict(arguments)
    for name, group in groups.items():
        left[name] = {key: left.pop(key) for key in keys_of(group, own) if key in left}
    return left


def _option_type(kind: Any) -> Any:
    """Return a type with tuples, which a command line and a record have, in the place of sequences."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Sequence:
        return tuple[parts[0], ...]  # type: ignore[valid-type]
    if origin in (Union, types.UnionType):
        return functools.reduce(lambda one, other: one | other, map(_option_type, parts))
    return kind
