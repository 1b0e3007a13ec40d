"""`kexp watch`: how a run, a sweep or a cross-validation goes, in a browser and on the terminal."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.cli.page_server import PageServer
from kexp.cli.watched_folder import View, page_of, version_of, view_of, watchable
from kexp.core.errors import InputError, plain_line

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_LOOK_S = 1.0
_ROWS = 10  # of a terminal, the last ones
_COLUMNS = 8
_END = "the end"


def watch(directory: str, port: int, *, once: bool, quiet: bool) -> None:
    """Serve the page of a folder and print what is new there, until a signal comes; see `kexp.cli.app.watch`.

    Args:
        directory: Of a run, a sweep or a cross-validation.
        port: Of the page on 127.0.0.1; 0 is any that is free.
        once: Print how it stands now, and serve no page.
        quiet: Print nothing.

    Raises:
        InputError: The folder holds none of these, or the port is taken.
    """
    path = watchable(directory)
    if once:
        for line in () if quiet else _news(view_of(path), set()):
            print(line)
        return
    with PageServer(port, lambda: version_of(path), lambda version: page_of(path, version)) as server:
        server.start()
        if not quiet:
            print(f"{server.url} shows {plain_line(str(path))}; Ctrl-C ends this.", flush=True)
        _follow(path, quiet=quiet)


def _follow(path: Path, *, quiet: bool) -> None:
    """Show what there is to see whenever it has changed, until a signal comes."""
    drawn = not quiet and sys.stdout.isatty()
    said: set[tuple[str, ...]] = set()
    version = ""
    with _terminal() if drawn else nullcontext() as terminal:
        while True:
            now = "" if quiet else version_of(path)
            if now != version:
                with suppress(InputError):  # a file that is being written anew; the page says what is damaged
                    view, version = view_of(path), now
                    if terminal is not None:
                        terminal.update(_drawn(view), refresh=True)
                    else:
                        print(*_news(view, said), sep="\n", flush=True)
            time.sleep(_LOOK_S)


def _news(view: View, said: set[tuple[str, ...]]) -> list[str]:
    """Return lines on what has not been said yet, and note that it is."""
    found = [] if said else [view.title]
    for row in view.rows:
        key = tuple(map(str, row[:2]))  # an epoch that is gone back to and trained again is one more
        if key not in said:
            said.add(key)
            named = zip(view.columns, map(_shown, row), strict=True)
            found.append("  ".join(f"{name} {text}" for name, text in named if text))
    if view.finished and (_END,) not in said:
        said.add((_END,))
        found += [] if view.title in found else [view.title]
    return list(map(plain_line, found))


def _terminal() -> Live:
    from rich.live import Live

    return Live(auto_refresh=False)


def _drawn(view: View) -> Group:
    """Return the last rows below a bar; no text of it is taken for markup."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in view.columns[:_COLUMNS]:
        table.add_column(Text(plain_line(name)))
    for row in view.rows[-_ROWS:]:
        table.add_row(*(Text(plain_line(_shown(value))) for value in row[:_COLUMNS]))
    bar = [] if view.total is None else [ProgressBar(view.total, len(view.rows), width=40)]
    return Group(Text(plain_line(view.title)), *bar, table)


def _shown(value: object) -> str:
    """Return a cell as a text.

    Example:
        >>> _shown(0.123456), _shown(3), _shown(None), _shown(float("nan"))
        ('0.1235', '3', '', '')
    """
    if value is None or value != value:  # NaN stands for what there is none of
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
