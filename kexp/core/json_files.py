"""The reader of kexp's own JSON files: it checks what they hold, and says which file and key is wrong."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason, require_regular_file
from kexp.core.memory_budget import require_bytes

# What a key holds, as an annotation: float, str | None, dict[str, list[float]], Annotated[int, AtLeast(0)].
Keys = Mapping[str, Any]
_NOUNS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
_LONGEST_INT = 2**63  # what arrays, clocks and files count with
_LARGEST_FLOAT = sys.float_info.max


class NewerFormat(InputError):
    """A file that is not damaged, but was written by a kexp that is newer than this one."""


def read_json_file(
    path: Path, keys: Keys, *, advice: str, newest_format: int | None = None
) -> dict[str, Any]:
    """Return the object in a JSON file, once it is known to hold what it must.

    Args:
        path: The file.
        keys: Annotation of what each key holds; one that allows None may be absent, and is None then. Others
            may be there too.
        advice: What to do about a damaged file, as "train the run again".
        newest_format: The highest number that its key "format" may have; default: it has none.

    Raises:
        InputError: It is missing, cut, not UTF-8, not JSON, nested too deep, of a newer format, or without a
            key, or a key holds something else.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "config.json"
        >>> _ = path.write_text('{"recipe": 3}')
        >>> read_json_file(path, {"recipe": str}, advice="train the run again")
        Traceback (most recent call last):
        ...
        kexp.InputError: file .../config.json: recipe must be a text, received 3; train the run again.
    """
    require_regular_file(path, "a JSON file of kexp's", advice)
    require_bytes(path.stat().st_size, f"file {path}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"file {path}: cannot be read ({reason(error)}); {advice}.") from None
    return parse_json(content, f"file {path}", keys, advice=advice, newest_format=newest_format)


def parse_json(
    content: bytes | str, place: str, keys: Keys, *, advice: str, newest_format: int | None = None
) -> dict[str, Any]:
    """Return the object that JSON text holds, once it is known to hold what it must.

    Args:
        content: The text, or UTF-8 of it.
        place: Where it is from, for the message: "file runs/a/config.json".
        keys: As of `read_json_file`, as the other arguments are.
        advice: What to do about damage.
        newest_format: The highest format that can be read.

    Raises:
        InputError: As `read_json_file`.
    """
    parsed = _parsed(content, place, advice)
    _require_format(parsed, place, newest_format, advice)
    require_keys(parsed, place, keys, advice=advice)
    return {**dict.fromkeys(keys), **parsed}


def parse_value(content: str, place: str, name: str, annotation: Any, *, advice: str) -> Any:
    """Return what JSON text of any kind holds, once it is known to be what its name stands for.

    Args:
        content: The text.
        place: Where it is from, for the message.
        name: What it is of there.
        annotation: What it must be.
        advice: What to do about damage.

    Raises:
        InputError: As `read_json_file`.

    Example:
        >>> parse_value("[0, 1]", "file sweep.sqlite", "winners", list[int], advice="sweep again")
        [0, 1]
    """
    parsed = _parsed(content, f"{place}: {name}", advice)
    require_keys({name: parsed}, place, {name: annotation}, advice=advice)
    return parsed


def _parsed(content: bytes | str, place: str, advice: str) -> Any:
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{place}: is nested too deep; {advice}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: is not UTF-8 text (byte {error.start}); {advice}.") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: is {_how_cut(text, error)}; {advice}.") from None
    except ValueError as error:  # Python reads no whole number of more than 4300 digits
        raise InputError(f"{place}: cannot be read ({reason(error)}); {advice}.") from None


def require_keys(content: Any, place: str, keys: Keys, *, advice: str) -> None:
    """Refuse what is no object, lacks a key, or has something else under it than it must.

    Raises:
        InputError: It names the place and the key.
    """
    if not isinstance(content, dict):
        raise InputError(f"{place}: must hold a JSON object, received {_shown(content)}; {advice}.")
    for key, annotation in keys.items():
        if key not in content and not _fits(None, annotation):
            raise InputError(f"{place}: lacks the key {key}; {advice}.")
        if not _fits(content.get(key), annotation):
            raise InputError(
                f"{place}: {key} must be {_words(annotation)}, received {_shown(content[key])}; {advice}."
            )


def _require_format(content: Any, place: str, newest: int | None, advice: str) -> None:
    if newest is None or not isinstance(content, dict) or "format" not in content:
        return
    received = content["format"]
    if not isinstance(received, int) or isinstance(received, bool) or received < 1:
        raise InputError(f"{place}: format must be a whole number, received {_shown(received)}; {advice}.")
    if received > newest:
        raise NewerFormat(
            f"{place}: is of format {_shown(received)}, which a newer kexp wrote, and this one reads formats "
            f"up to {newest}; update kexp."
        )


def _how_cut(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "empty"
    cut = " and seems cut" if error.pos >= len(text.rstrip()) - 1 else ""
    return f"not JSON in line {error.lineno} ({error.msg.lower()}){cut}"


def _fits(value: Any, annotation: Any) -> bool:
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return True
    if annotation in (None, type(None)):
        return value is None
    if origin in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in inner)
    if origin is Annotated:
        return _fits(value, inner[0]) and all(limit.holds(value) for limit in inner[1:])
    if origin is Literal:
        return value in inner
    if origin is tuple:
        of_length = isinstance(value, list) and len(value) == len(inner)
        return of_length and all(map(_fits, value, inner))
    if origin is list:
        return isinstance(value, list | tuple) and all(_fits(entry, inner[0]) for entry in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(entry, inner[1]) for entry in value.values())
    return _fits_scalar(value, annotation)


def _fits_scalar(value: Any, annotation: Any) -> bool:
    if isinstance(value, bool):
        return annotation is bool
    if annotation is float:
        # NaN and infinity are metrics too; a whole number that is no float cannot be computed with.
        return isinstance(value, float) or (isinstance(value, int) and abs(value) <= _LARGEST_FLOAT)
    if annotation is int:
        return isinstance(value, int) and abs(value) < _LONGEST_INT
    return isinstance(value, annotation)


def _words(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, inner))
    if origin is Annotated:
        return ", ".join([_words(inner[0]), *map(str, inner[1:])])
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        return f"a list of {len(inner)}"
    if origin is list:
        return "a list" if inner[0] is Any else f"a list, each {_words(inner[0])}"
    if origin is dict:
        return "an object" if inner[1] is Any else f"an object, each value {_words(inner[1])}"
    return _NOUNS[type(None) if annotation is None else annotation]


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= _LONGEST_INT:
        return "one with too many digits"
    try:
        text = json.dumps(value, default=repr)
    except (ValueError, RecursionError):  # a number or a nesting that is too long to write
        return f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= 60 else f"{text[:60]}…"
