"""Markdown that people's words cannot break: text, tables, and the YAML at the head of a page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MARKS = re.compile(r"([\\`*_\[\]#|~$])")
# What JSON leaves as it is and YAML does not allow, or takes for the end of a line.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


class Code(str):
    """Text that stands in a table as code."""


def code(text: str) -> str:
    """Return text as code, or escaped where code cannot hold it.

    Example:
        >>> code("a_b"), code("a`b")
        ('`a_b`', 'a\\\\`b')
    """
    holds = text.strip() == text != "" and text.isprintable() and not set(text) & set("`|")
    return f"`{text}`" if holds else escaped(text)


def escaped(text: object) -> str:
    """Return text as one line of Markdown that shows it as it is.

    Example:
        >>> print(escaped("a|b <i>*c*</i>\\n# d"))
        a\\|b &lt;i&gt;\\*c\\*&lt;/i&gt; \\# d
    """
    line = " ".join(str(text).split())
    plain = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", plain)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table, whose cells are escaped, but for `Code`.

    Example:
        >>> print(markdown_table(["name", "key"], [["a|b", Code("a_b")]]))
        | name | key |
        |---|---|
        | a\\|b | `a_b` |
    """
    cells = [[code(cell) if isinstance(cell, Code) else escaped(cell) for cell in row] for row in rows]
    head, *lines = (f"| {' | '.join(line)} |" for line in (columns, *cells))
    return "\n".join([head, f"|{'---|' * len(columns)}", *lines])


def front_matter(content: Mapping[str, Any]) -> str:
    """Return the block of YAML that begins a Markdown page.

    Args:
        content: Mappings and lists of texts and finite numbers; the keys are words of their own.

    Example:
        >>> print(front_matter({"tags": ["keras", "a: b"], "value": 1e-05, "sets": [{"name": "x", "n": 1}]}))
        ---
        tags:
        - "keras"
        - "a: b"
        value: 1.0e-05
        sets:
        - name: "x"
          n: 1
        ---
    """
    return "\n".join(["---", *_mapping(content), "---"])


def _mapping(content: Mapping[str, Any]) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield f"{key}:"
            yield from (f"  {line}" for line in _mapping(value))
        elif isinstance(value, list):
            yield f"{key}:"
            yield from _items(value)
        else:
            yield f"{key}: {_scalar(value)}"


def _items(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        lines = _mapping(value) if isinstance(value, Mapping) else [_scalar(value)]
        for number, line in enumerate(lines):
            yield f"{'  ' if number else '- '}{line}"


def _scalar(value: str | float | bool) -> str:
    if isinstance(value, float):
        assert math.isfinite(value)
        text = repr(value)
        # To YAML 1.1, as most readers speak it, 1e-05 is a text.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
