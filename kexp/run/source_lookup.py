"""The source of what is in memory: found in scripts and cells of notebooks, and the names that it uses."""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import os
import symtable
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class CannotBeCarried(Exception):
    """A value has no source and cannot be written down."""


def names_used(text: str) -> tuple[set[str], set[str]]:
    """Return the names of others that source uses when it is run, and when what it defines is.

    Example:
        >>> names_used("def f(x=a): return x + b")
        ({'a'}, {'b'})
    """
    at_once: set[str] = set()
    later: set[str] = set()

    def look(table: symtable.SymbolTable, names: set[str], *, top: bool) -> None:
        for symbol in table.get_symbols():
            foreign = symbol.is_referenced() and not symbol.is_assigned() if top else symbol.is_global()
            if foreign:
                names.add(symbol.get_name())
        for inner in table.get_children():
            look(inner, at_once if inner.get_type() == "class" else later, top=False)

    look(symtable.symtable(text, "<carried>", "exec"), at_once, top=True)
    return at_once, later | set(_annotated_names(ast.parse(text)))


def attribute_path(node: ast.AST) -> list[str]:
    """Return the names of `a.b.c`; nothing for another expression."""
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.insert(0, node.attr)
        node = node.value
    return [node.id, *path] if isinstance(node, ast.Name) and path else []


def import_in_sources(name: str, value: object) -> str | None:
    """Return the import by which a script or a cell has given a name its value."""
    for tree in _sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or node.level:
                continue
            for alias in node.names:
                module = sys.modules.get(node.module or "")
                own = name if alias.name == "*" else alias.name
                if (alias.asname or own) == name and getattr(module, own, None) is value:
                    return f"from {node.module} import {own} as {name}"
    return None


def definition_of(value: type | Callable[..., Any]) -> _Function | ast.ClassDef | ast.Lambda:
    """Return the statement that defines a function or class, or the lambda that a function is.

    Raises:
        CannotBeCarried: There is none, or it is not known which it is.
    """
    if isinstance(value, type):
        return _class_definition(value)
    code = inspect.unwrap(value).__code__
    tree = _tree_of(code.co_filename)
    found: list[Any] = [] if tree is None else [node for node in ast.walk(tree) if _begins(node, code)]
    if len(found) != 1:
        raise CannotBeCarried
    definition: _Function | ast.Lambda = found[0]
    return definition


def _annotated_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names in annotations, those in quotes too."""
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.expr):
                yield from _names_in(annotation)


def _names_in(annotation: ast.expr) -> Iterator[str]:
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                yield from _names_in(ast.parse(node.value, mode="eval").body)
            except SyntaxError:  # a text that is no type
                continue


def _sources() -> Iterator[ast.Module]:
    """Yield what the script says, or the cells of the notebook, newest first."""
    main = getattr(sys.modules["__main__"], "__file__", None)
    cells = [name for name in reversed(list(linecache.cache)) if not os.path.exists(name)]
    for file in cells if main is None else [main, *cells]:
        tree = _tree_of(file)
        if tree is not None:
            yield tree


def _tree_of(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


def _begins(node: ast.AST, code: types.CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    if not isinstance(node, _Function) or node.name != code.co_name:
        return False
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return first == code.co_firstlineno


def _class_definition(kind: type) -> ast.ClassDef:
    codes = [method.__code__ for method in vars(kind).values() if inspect.isfunction(method)]
    # First where its methods are written, but those of a dataclass or an Enum are elsewhere or nowhere.
    for tree in itertools.chain((_tree_of(code.co_filename) for code in codes), _sources()):
        for node in () if tree is None else ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__ and _annotates(node, kind):
                return node
    raise CannotBeCarried


def _annotates(node: ast.ClassDef, kind: type) -> bool:
    """Return whether a definition has the annotations of a class, as an earlier one of its name may not."""
    fields = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
    return {one.id for one in fields if isinstance(one, ast.Name)} == set(inspect.get_annotations(kind))
