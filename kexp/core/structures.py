"""Structures: nests of lists, tuples and dicts, and the flat names of what is in them.

Keras models take and give any nest of arrays. kexp keeps arrays by name, and beside them the nest with the
names in the places of the arrays, which JSON can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kexp.core.errors import InputError
from kexp.core.types import Nest

Structure = Any  # a name, None, or lists and dicts of these


def is_nested(value: object) -> bool:
    """Return whether a value is a list, a tuple or a mapping, rather than one thing.

    Example:
        >>> is_nested([1]), is_nested({"a": 1}), is_nested("a")
        (True, True, False)
    """
    return isinstance(value, list | tuple | Mapping)


def structure_of(nest: Nest, names: Sequence[str] = (), *, stem: str = "input") -> Structure:
    """Return a nest with a name in the place of each leaf, and None where there is nothing.

    Args:
        nest: Lists, tuples and mappings of leaves; None is no leaf.
        names: Names of the leaves of a list, in order, where they are known and as many. Default, and of
            mappings: the keys that lead to a leaf, joined by "_", or the stem with a number.
        stem: What the names of leaves without a key begin with; default "input".

    Raises:
        InputError: Two leaves would have one name.

    Example:
        >>> structure_of({"image": 0, "numbers": [1, 2]})
        {'image': 'image', 'numbers': ['numbers_0', 'numbers_1']}
        >>> structure_of([7, None, 8]), structure_of([7, 8], ("left", "right"))
        (['input_0', None, 'input_2'], ['left', 'right'])
    """
    made = _named(nest, "", stem)
    found = leaves(made)
    if isinstance(nest, list | tuple) and len(names) == len(found) and len(set(names)) == len(names):
        made = mapped(dict(zip(found, names, strict=True)).get, made)
    twice = sorted(name for name in set(leaves(made)) if leaves(made).count(name) > 1)
    if twice:
        raise InputError(f"{stem}s must have different names; received {twice[0]!r} twice, so rename one.")
    return made


def _named(nest: Nest, name: str, stem: str) -> Structure:
    if nest is None:
        return None
    if isinstance(nest, Mapping):
        return {
            key: _named(value, f"{name}_{key}" if name else str(key), stem) for key, value in nest.items()
        }
    if isinstance(nest, list | tuple):
        return [_named(value, f"{name or stem}_{number}", stem) for number, value in enumerate(nest)]
    return name or stem


def leaves(nest: Nest) -> list[Any]:
    """Return what is in a nest, in order, without None.

    Example:
        >>> leaves({"b": 1, "a": [2, None, (3,)]})
        [1, 2, 3]
    """
    if nest is None:
        return []
    if not is_nested(nest):
        return [nest]
    return [leaf for part in (nest.values() if isinstance(nest, Mapping) else nest) for leaf in leaves(part)]


def mapped(function: Callable[[Any], Any], nest: Nest) -> Any:
    """Return a nest with what a function gives in the place of each leaf; tuples become lists.

    Example:
        >>> mapped(str, {"a": (1, None)})
        {'a': ['1', None]}
    """
    if nest is None:
        return None
    if isinstance(nest, Mapping):
        return {key: mapped(function, value) for key, value in nest.items()}
    if isinstance(nest, list | tuple):
        return [mapped(function, value) for value in nest]
    return function(nest)


def packed(structure: Structure, flat: Any) -> Any:
    """Return the nest of arrays that a structure of names stands for.

    Args:
        structure: From `structure_of`; a single name is the array itself.
        flat: The arrays by name, or one array where there is only one.

    Example:
        >>> packed(["left", {"r": "right"}], {"left": 1, "right": 2}), packed("input", 7)
        ([1, {'r': 2}], 7)
    """
    if not is_nested(structure):
        return flat
    return mapped(lambda name: flat[name], structure)


def flat(structure: Structure, nest: Nest) -> Any:
    """Return the arrays of a nest by the names of its structure, or the one array of a single name.

    Raises:
        InputError: The nest has another structure.

    Example:
        >>> flat(["left", "right"], (1, 2)), flat("input", 7)
        ({'left': 1, 'right': 2}, 7)
    """
    if not is_nested(structure):
        if is_nested(nest):
            raise InputError(
                f"data must be one array in every part, as in training; received a {type(nest).__name__}."
            )
        return nest
    found: dict[str, Any] = {}
    _collect(structure, nest, found)
    return found


def _collect(structure: Structure, nest: Nest, found: dict[str, Any]) -> None:
    if structure is None:
        if nest is not None:
            raise InputError("data must have the same structure in every part; received more in one of them.")
    elif isinstance(structure, Mapping):
        if not isinstance(nest, Mapping) or nest.keys() != structure.keys():
            received = sorted(map(str, nest)) if isinstance(nest, Mapping) else type(nest).__name__
            raise InputError(f"data must have the keys {sorted(map(str, structure))}; received {received}.")
        for key, part in structure.items():
            _collect(part, nest[key], found)
    elif isinstance(structure, list):
        if not isinstance(nest, list | tuple) or len(nest) != len(structure):
            received = f"{len(nest)}" if isinstance(nest, list | tuple) else f"a {type(nest).__name__}"
            raise InputError(f"data must be a list of {len(structure)}; received {received}.")
        for part, value in zip(structure, nest, strict=True):
            _collect(part, value, found)
    else:
        found[structure] = nest
