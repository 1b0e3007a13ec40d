"""HTML of facts and tables, of pages and of what a notebook shows; whatever is shown is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape


def definitions(facts: Mapping[str, str]) -> str:
    """Return names with what there is to say of each; those without are left out."""
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items() if text]
    return "<dl>\n" + "\n".join(rows) + "\n</dl>"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; numbers stand to the right.

    Example:
        >>> table(["a"], [["<b>"], [0.5]]).count("<td"), "&lt;b&gt;" in table(["a"], [["<b>"]])
        (2, True)
    """
    first = rows[0] if rows else [""] * len(columns)
    head = "".join(
        f'<th scope="col" class="{cell_kind(value)}"><span>{escape(name)}</span></th>'
        for name, value in zip(columns, first, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(table_cell, row))}</tr>" for row in rows)
    whole = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="table" tabindex="0">{whole}</div>'


class Markup(str):
    """HTML that stands in a cell as it is."""


class Noted(float):
    """A number in a cell, with a word on it below."""

    note: str

    def __new__(cls, value: float, note: str) -> Noted:
        """Return a number that has its note, which is not escaped yet."""
        number = super().__new__(cls, value)
        number.note = note
        return number


def table_cell(value: object, keyed: bool = False) -> str:
    """Return a cell; one that is `keyed` says by data-key what it sorts by."""
    if isinstance(value, Markup):
        return f'<td class="text">{value}</td>'
    key = f' data-key="{escape(str(value))}"' if keyed else ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    note = f"<small>{escape(value.note)}</small>" if isinstance(value, Noted) else ""
    return f'<td class="{cell_kind(value)}"{key}>{escape(text)}{note}</td>'


def cell_kind(value: object) -> str:
    """Return the class of a cell, "number" or "text"."""
    return "number" if isinstance(value, (int, float)) else "text"


def short(text: object, longest: int = 300) -> str:
    """Return a text, cut to so many characters that it fits into a table.

    Example:
        >>> short("ab"), len(short("ab" * 1000))
        ('ab', 300)
    """
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"


def printed(value: object) -> str:
    """Return what a notebook shows of an object whose text is laid out already.

    Example:
        >>> printed("1 < 2")
        '<pre>1 &lt; 2</pre>'
    """
    return f"<pre>{escape(str(value))}</pre>"


def summary(title: str, facts: Mapping[str, str], *tables: str) -> str:
    """Return what a notebook shows of an object: what it is, what there is to say of it, and tables.

    Args:
        title: What it is, not escaped yet.
        facts: As of `definitions`.
        *tables: HTML, as `table` gives it.

    Example:
        >>> summary("<b>", {"of": "1 < 2"})
        '<p><strong>&lt;b&gt;</strong></p>\\n<dl>\\n<dt>of</dt><dd>1 &lt; 2</dd>\\n</dl>'
    """
    return "\n".join([f"<p><strong>{escape(title)}</strong></p>", definitions(facts), *tables])
