"""HTML of a page that needs nothing but itself: headings, tables, pictures; whatever is shown is escaped."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.core.files import replacing
from kexp.core.html_tables import Markup as Markup
from kexp.core.html_tables import cell_kind, table_cell
from kexp.core.html_tables import definitions as definitions
from kexp.core.html_tables import short as short
from kexp.core.html_tables import table as table
from kexp.core.user_paths import output_file
from kexp.report.drawing import inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SORTING = Path(__file__).with_name("sorting.js")
_LIVE = Path(__file__).with_name("live.js")
_RELOAD_S = 10  # of a browser that runs no scripts


def document(
    title: str,
    parts: Sequence[str],
    *,
    script: str = "",
    pictures: bool = False,
    live: str = "",
    asks_server: bool = False,
) -> str:
    """Return a page of some sections; by day and by night, without a network.

    Args:
        title: Of the page, not escaped yet.
        parts: What it shows, as HTML.
        script: That it runs, default none.
        pictures: Whether pictures that lie within the page are shown, default False.
        live: What its server answers at `version` as long as the page is of now: it then updates itself.
            Default: it does not.
        asks_server: Whether the script asks the server that the page is from, default False.

    Example:
        >>> page = document("1 < 2", ["<p>yes</p>"])
        >>> "<h1>1 &lt; 2</h1>" in page, "script-src" in page
        (True, False)
    """
    css = Path(__file__).with_name("page.css").read_text("utf-8")
    # Should an escape ever be missed, a browser still runs no script but this one, and fetches nothing.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    ends, head = "</main>\n", ""
    if live:
        script += f"\n{_LIVE.read_text('utf-8')}"
        head = f'<meta name="version" content="{escape(live)}">\n'
        head += f'<noscript><meta http-equiv="refresh" content="{_RELOAD_S}"></noscript>\n'
    policy += "; connect-src 'self'" if live or asks_server else ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
        ends += f"<script>{script}</script>\n"
    policy += "; img-src data:" if pictures else ""
    # Whatever is shown is escaped, so what looks like an element is one.
    policy += "; media-src data:" if any("<audio " in part for part in parts) else ""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"{head}<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>",
            f"<main>\n<h1>{escape(title)}</h1>",
            *parts,
            f"{ends}</body>\n</html>\n",
        ]
    )


def write(page: str, path: str | os.PathLike[str]) -> Path:
    """Write a page whole and return its path; an earlier one there is replaced.

    Raises:
        InputError: The folder does not exist or the path is a folder.

    Example:
        >>> write("", "no/such/folder/page.html")
        Traceback (most recent call last):
        ...
        kexp.InputError: path must be a file in a folder that exists; received 'no/such/folder/page.html'.
    """
    target = writable(path)
    with replacing(target) as temporary:
        # A name that the file system could not decode has no UTF-8 of its own.
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return target


def writable(path: str | os.PathLike[str]) -> Path:
    """Return the path of a page, before anything is done for it.

    Raises:
        InputError: As `write`, or the folder is read-only.
    """
    return output_file("path", path)


def figure_section(name: str, figure: Figure, text: str = "") -> str:
    """Return a figure, drawn within `style`, below its heading and a text that is HTML."""
    return f"<section>{heading(name)}{text}\n<figure>{inline_svg(figure, name)}</figure></section>"


def heading(name: str) -> str:
    """Return a heading of a section."""
    return f"<h2>{escape(name)}</h2>\n"


def sortable_table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table that the page's script sorts by the column whose heading is pressed.

    Args:
        caption: What it shows, not escaped yet.
        columns: Their headings; the first column names the rows.
        rows: Cells; numbers sort as such.

    Example:
        >>> page = sortable_table("Prices", ["of", "price"], [["<b>", 0.5]])
        >>> '<th scope="row" data-key="&lt;b&gt;">' in page, 'data-key="0.5"' in page
        (True, True)
    """
    head = "".join(
        f'<th scope="col" class="{cell_kind(value)}"><button type="button">{escape(name)}</button></th>'
        for name, value in zip(columns, rows[0], strict=True)
    )
    body = "\n".join(
        f"<tr>{_row_heading(row[0])}{''.join(table_cell(value, keyed=True) for value in row[1:])}</tr>"
        for row in rows
    )
    whole = (
        f'<table class="sortable">\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )
    return f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}">{whole}</div>'


def name_of(text: object, longest: int = 40) -> str:
    """Return HTML of a name, cut, whose direction of writing is its own.

    Example:
        >>> name_of("<b>")
        '<bdi>&lt;b&gt;</bdi>'
    """
    return f"<bdi>{escape(short(text, longest))}</bdi>"


def folded(name: str, content: str) -> str:
    """Return HTML that is shown when its name is pressed.

    Example:
        >>> folded("<b>", "<hr>")
        '<details><summary>&lt;b&gt;</summary><hr></details>'
    """
    return f"<details><summary>{escape(name)}</summary>{content}</details>"


def _row_heading(value: object) -> str:
    return f'<th scope="row" data-key="{escape(str(value))}">{name_of(value)}</th>'


def picture(name: str, content: bytes) -> str:
    """Return a PNG within the page, with a name for those who do not see it.

    Example:
        >>> picture('6" <b>', b"")
        '<img class="grid" alt="6&quot; &lt;b&gt;" title="6&quot; &lt;b&gt;" src="data:image/png;base64,">'
    """
    encoded, text = base64.b64encode(content).decode(), escape(name)
    return f'<img class="grid" alt="{text}" title="{text}" src="data:image/png;base64,{encoded}">'


def rows(pairs: Sequence[tuple[str, str]]) -> str:
    """Return HTML beside HTML, one pair below the other.

    Example:
        >>> rows([("cat", "<b>yes</b>")])
        '<div class="rows"><div>cat</div><div><b>yes</b></div></div>'
    """
    cells = "".join(f"<div>{left}</div><div>{right}</div>" for left, right in pairs)
    return f'<div class="rows">{cells}</div>'


def text_section(name: str, text: str, content: str) -> str:
    """Return HTML below its heading and a text, which is escaped.

    Example:
        >>> text_section("Samples", "1 < 2", "<hr>")
        '<section><h2>Samples</h2>\\n<p>1 &lt; 2</p><hr></section>'
    """
    said = f"<p>{escape(text)}</p>" if text else ""
    return f"<section>{heading(name)}{said}{content}</section>"


def nested(content: str) -> str:
    """Return HTML of sections that stand within one, whose headings are a level lower.

    Example:
        >>> nested("<section><h2>Mistakes</h2><h3>The worst</h3></section>")
        '<div><h3>Mistakes</h3><h4>The worst</h4></div>'
    """
    # Whatever is shown is escaped, so what looks like an element is one.
    for element, lower in (("h3", "h4"), ("h2", "h3"), ("section", "div")):
        content = content.replace(f"<{element}>", f"<{lower}>").replace(f"</{element}>", f"</{lower}>")
    return content


def duration(seconds: float) -> str:
    """Return seconds in the two units that matter.

    Example:
        >>> duration(0.25), duration(75), duration(7260)
        ('0.25 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, hours = divmod(round(seconds), 60), divmod(round(seconds / 60), 60)
    return f"{minutes[0]} min {minutes[1]} s" if seconds < 3600 else f"{hours[0]} h {hours[1]} min"


def size(count: float) -> str:
    """Return bytes in a readable unit.

    Example:
        >>> size(512), size(1_234_567)
        ('512 B', '1.23 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
