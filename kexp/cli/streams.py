"""Standard streams and the width of the terminal, in whatever state a process gets them."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from kexp.core.errors import InputError, plain_line
from kexp.core.foreign_files import reason
from kexp.core.machine_faults import OUTPUT

_LONGEST_LINE = 900  # of an answer, whatever was given
_NARROWEST, _WIDEST = 40, 400  # columns that a table of options can be laid out in


def open_streams() -> None:
    """Make all three streams fit to be used: what is closed leads nowhere, what cannot be encoded is escaped.

    A stream that is closed would be given to the next file that is opened, which prints would then end up in.

    Raises:
        InputError: There is no standard output, which has the answers.
    """
    has_output = sys.stdout is not None
    for descriptor in (0, 1, 2):
        _fill(descriptor)
    sys.stdout = _output(sys.stdout or _nowhere())
    sys.stderr = sys.stderr or _nowhere()
    if not has_output:
        raise InputError(f"{OUTPUT} is closed, and answers would be lost; open it, or send it to /dev/null.")
    _bound_width()
    if "MPLBACKEND" in os.environ:
        os.environ["MPLBACKEND"] = "agg"  # files alone are drawn; matplotlib's import fails for one it lacks


def close_streams(code: int) -> int:
    """Write what is left to be written, and return the exit code: another than 0 if that cannot be."""
    failed = _failure(sys.stdout)
    if failed is not None:
        _discard(sys.stdout)
        code = code or output_lost(failed)
    if _failure(sys.stderr) is not None:
        _discard(sys.stderr)
        code = code or 2
    return code


def output_lost(error: OSError) -> int:
    """Say that standard output cannot be written, and return the exit code.

    A reader that left, as `head` does when it has what it wants, is told nothing.
    """
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    say(f"{OUTPUT} cannot be written ({reason(error)}); send it somewhere else.")
    return 2


def say(text: str) -> None:
    """Print a sentence on standard error, in one line and without what would steer a terminal."""
    line = plain_line(text)
    line = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
    try:
        print(f"kexp: {line}", file=sys.stderr)
    except OSError:  # then the exit code alone says it
        _discard(sys.stderr)


def print_exactly(text: str) -> None:
    """Print what another program is to read, or nothing where its characters would have to be replaced.

    Raises:
        InputError: The encoding of standard output lacks a character.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        raise InputError(
            f"{OUTPUT} is in {encoding}, without {text[error.start]!r}; set PYTHONIOENCODING=utf-8."
        ) from None
    print(text, end="")


class _Output(io.TextIOWrapper):
    """Standard output whose errors say that it is that, and no file, which cannot be written."""

    def write(self, text: str) -> int:
        with _named():
            return super().write(text)

    def flush(self) -> None:
        with _named():
            super().flush()


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, OUTPUT) from None


def _output(stream: TextIO) -> TextIO:
    """Return standard output with names in its errors; what tests or notebooks put there stays."""
    if stream is not sys.__stdout__ or not isinstance(stream, io.TextIOWrapper):
        return stream
    return _Output(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _fill(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _failure(stream: TextIO) -> OSError | None:
    """Return why a stream cannot write what it holds, or None if it has."""
    try:
        stream.flush()
    except OSError as error:
        return error
    except ValueError:  # closed
        return OSError(errno.EBADF, os.strerror(errno.EBADF))
    return None


def _discard(stream: TextIO) -> None:
    """Let go of what a stream could not write, which Python would otherwise try once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    _failure(stream)


def _bound_width() -> None:
    """Have tables laid out in a width that they can have; Rich takes any, and none ends at a width of 1."""
    for variable, least, most in (("COLUMNS", _NARROWEST, _WIDEST), ("LINES", 5, _WIDEST)):
        given = os.environ.get(variable)
        if given is not None and not (given.isascii() and given.isdecimal() and int(given[:9]) > 0):
            del os.environ[variable]
            given = None
        if given is not None:
            os.environ[variable] = str(min(max(int(given[:9]), least), most))
    if "COLUMNS" not in os.environ and shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)
