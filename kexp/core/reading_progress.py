"""Progress of what takes long before training: reading data and checking them, on standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

SILENT_S = 2.0  # that work may take before anything is said of it
LINE_S = 5.0  # from one line to the next where there is no terminal
_BAR_S = 0.2
_MEGABYTE = 1e6

_quiet: ContextVar[bool] = ContextVar("nothing is said", default=False)


@dataclass
class Work:
    """Something that is under way.

    Attributes:
        title: What is being done, such as "reading photos".
        total: How much there is to do; None: nobody knows.
        unit: What is counted, in the plural; "bytes" are shown as megabytes.
        done: How much is done.
    """

    title: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    started_s: float = field(default_factory=time.monotonic)

    def advance(self, count: int = 1) -> None:
        """Count what was done since."""
        self.done += count

    def __str__(self) -> str:
        seconds = f"{time.monotonic() - self.started_s:.0f} s"
        if not self.unit:
            return f"{self.title}, {seconds}"
        scale, unit = (_MEGABYTE, "MB") if self.unit == "bytes" else (1, self.unit)
        of_all = "" if self.total is None else f" of {self.total / scale:,.0f}"
        return f"{self.title}: {self.done / scale:,.0f}{of_all} {unit}, {seconds}"


@contextmanager
def shown_work(title: str, total: int | None = None, unit: str = "") -> Iterator[Work]:
    """Show what this block does from the third second on: a bar on a terminal, else a line now and then.

    Nothing is shown within `quiet_work`, and of a block within another one.

    Args:
        title: As of `Work`.
        total: As of `Work`.
        unit: As of `Work`; empty where nothing is counted.

    Example:
        >>> with shown_work("reading photos", 2, "images") as work:
        ...     work.advance()
        >>> str(work)
        'reading photos: 1 of 2 images, 0 s'
    """
    work = Work(title, total, unit)
    if _quiet.get():
        yield work
        return
    ended = threading.Event()
    thread = threading.Thread(target=_show, args=(work, ended), daemon=True)
    with quiet_work():
        thread.start()
        try:
            yield work
        finally:
            ended.set()
            thread.join()


@contextmanager
def quiet_work(quiet: bool = True) -> Iterator[None]:
    """Show nothing of what is done in this block.

    Args:
        quiet: False: as before.

    Example:
        >>> with quiet_work(), shown_work("reading photos"):
        ...     pass
    """
    token = _quiet.set(quiet or _quiet.get())
    try:
        yield
    finally:
        _quiet.reset(token)


def _show(work: Work, ended: threading.Event) -> None:
    """Show work until it has ended; a stream that is closed or full is no reason to end the work."""
    stream = sys.stderr
    if ended.wait(SILENT_S) or stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        if stream.isatty():
            _show_bar(work, ended)
            return
        while True:
            print(f"{work} …", file=stream, flush=True)
            if ended.wait(LINE_S):
                return


def _show_bar(work: Work, ended: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False, markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    with bar:
        task = bar.add_task(str(work), total=work.total)
        while not ended.wait(_BAR_S):
            bar.update(task, description=str(work), completed=work.done)
