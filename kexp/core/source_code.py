"""The source code of functions and classes, as checksums that comments and layout do not change."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import io
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

# What is installed and has a version, which is recorded elsewhere.
_LIBRARIES = {"keras", "tensorflow", "kexp", "numpy"} | (set(sys.stdlib_module_names) - {"__main__"})
_LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)
_BLOCKS = {tokenize.INDENT: "{", tokenize.DEDENT: "}", tokenize.NEWLINE: ";"}
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_NO_SOURCE = (OSError, TypeError, SyntaxError, tokenize.TokenError)


def is_own_code(thing: object) -> bool:
    """Return whether a function or class is the user's, and not of a library that has a version.

    Example:
        >>> is_own_code(is_own_code), is_own_code(lambda: 0)
        (False, False)
    """
    module = getattr(thing, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] not in _LIBRARIES


def qualified_name(thing: Any) -> str:
    """Return a function or class as "module:name".

    Example:
        >>> qualified_name(qualified_name)
        'kexp.core.source_code:qualified_name'
    """
    return f"{thing.__module__}:{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def function_checksum(function: Callable[..., Any]) -> str:
    """Return a checksum of what a function does: its source, and what of the user's it refers to.

    Counted in are plain data that it closes over or has as defaults, constants (CAPITALS) and other functions
    and classes of its module. Where there is no source, as of what is typed at a prompt, the compiled code
    counts.

    Args:
        function: Of Python; one that is decorated or partly applied will do.

    Returns:
        64 hexadecimal digits.
    """
    return _sha256(_pieces(function, set()))


def class_checksums(kind: type) -> dict[str, str]:
    """Return checksums of the methods and values of a class and of those of its bases that are the user's.

    Args:
        kind: The class.

    Returns:
        By name, that of a base's own where it is overridden as "Base.name".
    """
    found: dict[str, str] = {}
    for owner, name, member in _members(kind):
        pieces = list(_pieces(member, {id(kind)}))
        if pieces:
            found[f"{owner}.{name}" if name in found else name] = _sha256(pieces)
    return found


def _members(kind: type) -> Iterator[tuple[str, str, object]]:
    """Yield owner, name and value of what the user wrote into a class and its bases."""
    for owner in filter(is_own_code, kind.__mro__):
        for name, member in sorted(vars(owner).items()):
            # Python's own notes, such as __module__ and __doc__, are no functions.
            if not (name.startswith("__") and _function_in(member) is None):
                yield owner.__name__, name, member


def _pieces(thing: object, seen: set[int]) -> Iterator[str]:
    """Yield what tells code or a value from another, in an order that does not depend on the process."""
    if _is_plain(thing):
        yield repr(thing)
    if id(thing) in seen or _is_plain(thing):
        return
    seen.add(id(thing))
    if isinstance(thing, functools.partial):
        for part in (thing.func, *thing.args, *(value for _, value in sorted(thing.keywords.items()))):
            yield from _pieces(part, seen)
    elif isinstance(thing, property):
        for part in (thing.fget, thing.fset):
            yield from _pieces(part, seen)
    elif isinstance(thing, type):
        for owner, name, member in _members(thing):
            yield f"{owner}.{name}"
            yield from _pieces(member, seen)
    else:
        function = _function_in(thing)
        if function is not None and is_own_code(function):
            yield from _function_pieces(function, seen)


def _is_plain(thing: object) -> bool:
    if isinstance(thing, tuple | list):
        return all(_is_plain(entry) for entry in thing)
    return isinstance(thing, _PLAIN)


def _function_in(thing: object) -> FunctionType | None:
    """Return the Python function in a method, or under decorators."""
    if isinstance(thing, staticmethod | classmethod | MethodType):
        thing = thing.__func__
    if not callable(thing) or isinstance(thing, type):
        return None
    try:
        thing = inspect.unwrap(thing)
    except ValueError:  # it wraps itself
        return None
    return thing if isinstance(thing, FunctionType) else None


def _function_pieces(function: FunctionType, seen: set[int]) -> Iterator[str]:
    yield _source(function)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name != "__class__":  # by which `super()` finds the class that the function is of
            yield name
            yield from _pieces(_content(cell), seen)
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield from _pieces(value, seen)
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        same_file = getattr(value, "__module__", None) == function.__module__
        if (name.isupper() and _is_plain(value)) or (same_file and callable(value)):
            yield name
            yield from _pieces(value, seen)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None


def _names(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return {*code.co_names, *(name for one in inner for name in _names(one))}


def _source(function: FunctionType) -> str:
    try:
        if function.__name__ == "<lambda>":
            return _tokens(_lambda_source(function))
        return _tokens(inspect.getsource(function))
    except _NO_SOURCE:
        return _sha256(_compiled(function.__code__))


def _lambda_source(function: FunctionType) -> str:
    """Return a lambda without what else stands in its line; in Python 3.10 with the other lambdas there."""
    lines, _ = inspect.findsource(function)
    text, first = "".join(lines), function.__code__.co_firstlineno
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]
    found = [node for node in nodes if node.lineno == first]
    if hasattr(function.__code__, "co_positions"):
        places = [place for place in function.__code__.co_positions() if None not in place and place[3]]
        around = [node for node in found if all(_is_within(node, place) for place in places)]
        found = around[-1:]  # of those around one another the inmost, which `walk` comes to last
    if not found:
        raise OSError("no such lambda")
    return f"({','.join(ast.get_source_segment(text, node) or '' for node in found)})"


def _is_within(node: ast.Lambda, place: Any) -> bool:
    """Return whether a place, of lines and columns of where it begins and ends, is in an expression."""
    line, end_line, column, end_column = place
    begins = (node.lineno, node.col_offset) <= (line, column)
    return begins and (end_line, end_column) <= (node.end_lineno, node.end_col_offset)


def _tokens(source: str) -> str:
    """Return source without comments, layout and docstrings, as all versions of Python split it."""
    kept: list[str] = []
    begins = True  # a statement, which says something to people alone where it is no more than a string
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type in _LAYOUT:
            continue
        ends = after is None or after.type in (tokenize.NEWLINE, tokenize.COMMENT)
        says_something = token.type == tokenize.STRING and begins and ends
        if not (says_something or (token.type == tokenize.NEWLINE and begins)):
            kept.append(_BLOCKS.get(token.type) or "".join(token.string.split()))
        begins = token.type in _BLOCKS or says_something
    return "".join(kept).strip("{};")  # the depth at which all of it stands


def _compiled(code: CodeType) -> Iterator[str]:
    yield from (code.co_code.hex(), repr(code.co_names))
    for number, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            yield from _compiled(constant)
        elif number or not isinstance(constant, str):  # the first may be a docstring
            yield repr(constant)


def _sha256(pieces: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
