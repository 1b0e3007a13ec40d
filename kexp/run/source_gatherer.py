"""A recipe of a script or notebook as a module of its own: its source, and that of whatever it refers to.

Followed are the names that functions and classes use: modules are imported; functions and classes come with
their source, or are imported where another process can; simple values are written down. What is none of these
is named.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import hashlib
import inspect
import pathlib
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from kexp.core.constraints import plain
from kexp.core.errors import InputError
from kexp.run.source_lookup import (
    CannotBeCarried,
    attribute_path,
    definition_of,
    import_in_sources,
    names_used,
)

_LONGEST = 100_000  # characters of a value: more is data
_OF_THE_MODULE = ("__builtins__", "__doc__", "__loader__", "__name__", "__package__", "__spec__")
_HEADER = "# The recipe {name} and what it refers to, gathered by kexp for its workers.\n"
_FUTURE = "from __future__ import annotations\n"
_SIMPLE = (type(None), bool, int, float, complex, str, bytes, type(...))
_BRACKETS: dict[type, str] = {list: "[{}]", set: "{{{}}}", tuple: "({})", frozenset: "frozenset([{}])"}


@dataclasses.dataclass(frozen=True)
class Gathered:
    """A module with a recipe.

    Attributes:
        text: Its source.
        digest: Of the recipe and what it refers to, comments and layout aside.
    """

    text: str

    @property
    def digest(self) -> str:
        """Short digest of the source."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def gather(recipe: Callable[..., Any], *, leave: bool = False, script: bool = False) -> Gathered:
    """Return the source of a recipe with that of what it refers to.

    Args:
        recipe: A recipe, or any function.
        leave: Leave out what cannot be carried, as where the text is no more than looked at; default False.
        script: Whether it is in a script, for what the message advises.

    Raises:
        InputError: It refers to something that cannot be carried.
    """
    try:
        definition_of(recipe)
    except CannotBeCarried:
        raise InputError(
            f"recipe {recipe.__name__} must have a source that can be read, for other processes; put it "
            "into a file."
        ) from None
    gatherer = _Gatherer()
    gatherer.define(recipe.__name__, recipe)
    if gatherer.left and not leave:
        where = 'put what the script does once under `if __name__ == "__main__":`, or ' if script else ""
        raise InputError(
            f"recipe {recipe.__name__} refers to {' and '.join(gatherer.left)}, which cannot be carried to "
            f"other processes; hand data in as data=, make the rest within the recipe, {where}put the recipe "
            "into a module of its own."
        )
    function = inspect.unwrap(recipe)
    future = _FUTURE if function.__code__.co_flags & annotations.compiler_flag else ""
    text = _HEADER.format(name=recipe.__name__) + future + "".join(f"{one}\n" for one in gatherer.statements)
    return Gathered(text)


class _Gatherer:
    """Collects statements that define names, each after those that it needs."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.left: list[str] = []
        self._defined: dict[str, Any] = {}

    def define(self, name: str, value: object) -> None:
        """Add what gives a name its value, unless it has it."""
        if name in self._defined:
            if self._defined[name] is not value:
                self._leave(f"two things named {name}")
            return
        self._defined[name] = value
        statement: str | None
        try:
            statement = self._statement(name, value)
        except CannotBeCarried:
            statement = import_in_sources(name, value)
            if statement is None:
                kind = type(value).__name__
                self._leave(f"{name} ({'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind})")
                return
        if statement not in self.statements:
            self.statements.append(statement)

    def _leave(self, what: str) -> None:
        if what not in self.left:
            self.left.append(what)

    def _statement(self, name: str, value: object) -> str:
        if isinstance(value, types.ModuleType):
            return _import_of(name, value)
        imported = _import_by_name(name, value)
        if imported is not None:
            return imported
        if isinstance(value, type) or _is_function(value):
            node = definition_of(value)
            if not isinstance(node, ast.Lambda) and node.name != name:
                return f"{name} = {self._reference(value)}"
            text = f"{name} = {ast.unparse(node)}" if isinstance(node, ast.Lambda) else ast.unparse(node)
            self._follow(text, value)
            return text
        text = f"{name} = {self._expression(value)}"
        if len(text) > _LONGEST:
            raise CannotBeCarried
        return text

    def _follow(self, text: str, owner: type | Callable[..., Any]) -> None:
        """Define the names that a function or class uses, by what they mean to it."""
        known = _namespace(owner)
        tree = ast.parse(text)
        at_once, later = names_used(text)
        for name in sorted(at_once | later):
            if name == getattr(owner, "__name__", None) or name in _OF_THE_MODULE:
                continue
            if name in known:
                value = known[name]
                if isinstance(value, types.ModuleType):
                    self._import_submodules(name, value, tree)
                self.define(name, value)
            elif not hasattr(builtins, name) and name in at_once:
                self._leave(f"{name} (of the function around it)")

    def _import_submodules(self, name: str, module: types.ModuleType, tree: ast.AST) -> None:
        """Import what an attribute of a module, such as scipy.stats, needs an import of its own for."""
        for node in ast.walk(tree):
            path = attribute_path(node)
            if path[:1] != [name]:
                continue
            dotted = module.__name__
            for part in path[1:]:
                dotted = f"{dotted}.{part}"
                if isinstance(sys.modules.get(dotted), types.ModuleType):
                    statement = f"import {dotted}"
                    if statement not in self.statements:
                        self.statements.append(statement)

    def _expression(self, value: object) -> str:
        """Return source that makes a value."""
        if type(value) in _SIMPLE:
            odd = isinstance(value, float) and (value != value or value in (np.inf, -np.inf))
            return f"float({str(value)!r})" if odd else repr(value)
        if isinstance(value, list | tuple | set | frozenset) and type(value) in _BRACKETS:
            parts = [self._expression(entry) for entry in value]
            inner = ", ".join(sorted(parts) if isinstance(value, set | frozenset) else parts)
            if isinstance(value, tuple) and len(value) == 1:
                inner += ","
            return _BRACKETS[type(value)].format(inner) if value or not isinstance(value, set) else "set()"
        if type(value) is dict:
            pairs = (f"{self._expression(key)}: {self._expression(entry)}" for key, entry in value.items())
            return f"{{{', '.join(pairs)}}}"
        if type(value) in (range, slice):
            return repr(value)
        if isinstance(value, np.generic):
            return f"{self._reference(type(value))}({self._expression(plain(value))})"
        if isinstance(value, pathlib.PurePath):
            return f"{self._reference(Path)}({str(value)!r})"
        if isinstance(value, enum.Enum):
            return f"{self._reference(type(value))}[{value.name!r}]"
        if isinstance(value, type) or _is_function(value):
            return self._reference(value)
        if dataclasses.is_dataclass(value):
            return self._dataclass(value)
        return self._annotation(value)

    def _dataclass(self, value: Any) -> str:
        fields = dataclasses.fields(value)
        if not all(field.init for field in fields):
            raise CannotBeCarried
        given = (f"{field.name}={self._expression(getattr(value, field.name))}" for field in fields)
        return f"{self._reference(type(value))}({', '.join(given)})"

    def _annotation(self, value: object) -> str:
        """Return the source of a type such as `Annotated[int, Between(1, 9)]`."""
        name = repr(value).removeprefix("typing.")
        if value is getattr(typing, name, None):
            return f"{self._typing()}.{name}"
        origin, inner = typing.get_origin(value), typing.get_args(value)
        if origin is None:
            raise CannotBeCarried
        parts = ", ".join(self._expression(part) for part in inner)
        if origin is typing.Annotated:
            return f"{self._typing()}.Annotated[{parts}]"
        if origin is typing.Literal:
            return f"{self._typing()}.Literal[{parts}]"
        if origin in (typing.Union, types.UnionType):
            return f"{self._typing()}.Union[{parts}]"
        return f"{self._reference(origin)}[{parts}]"

    def _typing(self) -> str:
        self.define("_typing", typing)
        return "_typing"

    def _reference(self, value: type | Callable[..., Any]) -> str:
        """Return the name of a function or class, which is defined by it."""
        name = str(getattr(value, "__name__", value))
        if getattr(builtins, name, None) is not value:
            self.define(name, value)
        return name


def _is_function(value: object) -> TypeGuard[Callable[..., Any]]:
    return callable(value) and inspect.isfunction(inspect.unwrap(value))


def _namespace(owner: type | Callable[..., Any]) -> dict[str, Any]:
    """Return what names mean to a function: its closure's before those of its module."""
    if isinstance(owner, type):
        methods = [inspect.unwrap(method) for method in vars(owner).values() if callable(method)]
        known = dict(vars(sys.modules[owner.__module__]))
        for method in methods:
            known |= _closure(method) if inspect.isfunction(method) else {}
        return known
    function = inspect.unwrap(owner)
    return {**function.__globals__, **_closure(function)}


def _closure(function: types.FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = {}
    for name, cell in cells:
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not given a value yet
            continue
    found.pop("__class__", None)
    return found


def _is_importable(module: types.ModuleType | None) -> bool:
    if module is None or module.__name__ == "__main__" or sys.modules.get(module.__name__) is not module:
        return False
    return getattr(module, "__spec__", None) is not None


def _import_of(name: str, module: types.ModuleType) -> str:
    if not _is_importable(module):
        raise CannotBeCarried
    return f"import {name}" if module.__name__ == name else f"import {module.__name__} as {name}"


def _import_by_name(name: str, value: object) -> str | None:
    """Return the import of a function or class by the module and the name that it says it has."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    own = getattr(value, "__qualname__", None)
    if not isinstance(own, str) or not _is_importable(module) or getattr(module, own, None) is not value:
        return None
    assert module is not None
    return f"from {module.__name__} import {own}" + ("" if own == name else f" as {name}")
