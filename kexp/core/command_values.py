"""Values as a command line writes them: one language for the options of all commands and for ranges."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from kexp.core.constraints import fits

_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 4000  # that Python makes a number of
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NONE = {"none", "null"}


def parse_words(words: Sequence[str], annotation: Any) -> Any:
    """Return the value that the words of an option stand for, for `check_value` to judge as one from Python.

    A number is decimal, as 3 or 1e-3. Several words, or [64,32] in one, are a tuple. None is None where the
    annotation allows it; a text is then what double quotes of its own enclose, '"None"', or as it is without
    them. What the annotation has no place for stays as it reads, to be refused.

    Args:
        words: What follows the option, one word or more.
        annotation: As `check_value` takes it.

    Example:
        >>> parse_words(["1.5"], int), parse_words(["64", "32"], tuple[int, ...]), parse_words(["0x10"], int)
        (1.5, (64, 32), '0x10')
        >>> parse_words(["None"], str | None), parse_words(['"None"'], str | None), parse_words(["None"], str)
        (None, 'None', 'None')
    """
    leaves, entries = _leaves(annotation), _entries(annotation)
    allows_none = type(None) in leaves
    allows_text = str in (*leaves, *entries)
    if len(words) == 1:
        word = words[0]
        if allows_none and (word == "None" or (not allows_text and word.lower() in _NONE)):
            return None
        value = _scalar(word, leaves, quoted=allows_none)
        if not entries or fits(value, annotation):
            return value
        listed = _listed(word)
        if listed is not None:
            return listed
        if any(_choices(leaf) for leaf in leaves) and not fits((value,), annotation):
            return value  # a choice that was misspelt
    return tuple(_scalar(word, entries or leaves, quoted=allows_none) for word in words)


def parse_number(word: str) -> int | float | None:
    """Return the number that a word is in decimal, nan and inf included, or None if it is none.

    Example:
        >>> parse_number("3"), parse_number("1e-3"), parse_number("0x10"), parse_number("1_000")
        (3, 0.001, None, None)
    """
    if len(word) > _MOST_DIGITS or not _NUMBER.fullmatch(word):
        return None
    return int(word) if _WHOLE.fullmatch(word) else float(word)


def _scalar(word: str, leaves: Sequence[Any], *, quoted: bool) -> Any:
    """Return what a word stands for, by the first type or choice that it reads as."""
    choices = {str(choice): choice for leaf in leaves for choice in _choices(leaf)}
    if word in choices:
        return choices[word]
    number = parse_number(word)
    for leaf in leaves:
        if leaf is str:
            return _unquoted(word) if quoted else word
        if leaf is bool and word.lower() in _TRUTH:
            return _TRUTH[word.lower()]
        if leaf in (int, float) and fits(number, leaf):
            return number
    return word if number is None else number


def _unquoted(word: str) -> str:
    enclosed = len(word) > 1 and word[0] == word[-1] == '"'
    try:
        return str(json.loads(word)) if enclosed else word
    except ValueError:  # quotes within quotes that do not say so
        return word


def _listed(word: str) -> tuple[Any, ...] | None:
    """Return the entries of a JSON list, or None if the word is none."""
    try:
        content = json.loads(word) if word.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    return tuple(content) if isinstance(content, list) else None


def _leaves(annotation: Any) -> list[Any]:
    """Return the types and `Literal`s that a value may be of, in order, but for those in a tuple."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _leaves(parts[0])
    if origin in (Union, types.UnionType):
        return [leaf for part in parts for leaf in _leaves(part)]
    return [] if origin is tuple else [annotation]


def _entries(annotation: Any) -> list[Any]:
    """Return the types and `Literal`s that an entry of a tuple may be of; none where it takes no tuple."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return _leaves(parts[0])
    if origin is Annotated:
        return _entries(parts[0])
    unions = parts if origin in (Union, types.UnionType) else ()
    return [leaf for part in unions for leaf in _entries(part)]


def _choices(leaf: Any) -> tuple[Any, ...]:
    return get_args(leaf) if get_origin(leaf) is Literal else ()
