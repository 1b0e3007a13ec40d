"""The program `kexp`: its help is a text that was laid out beforehand, and all else is `kexp.cli.app`'s."""

from __future__ import annotations

import os
import sys

_HELP = os.path.join(os.path.dirname(__file__), "help.txt")
_WIDTH = 80  # columns of what `_HELP` holds


def main() -> None:
    """Run the command line and exit; see `kexp.cli.app.main`."""
    if sys.argv[1:] in ([], ["-h"], ["--help"]) and _prints_help():
        sys.exit(0)
    from kexp.cli.app import main as run_line

    run_line()


def _prints_help() -> bool:
    """Print what tools/stubs.py writes, unless the terminal is too narrow or lacks its characters."""
    output = sys.stdout
    if output is None or output.encoding.lower().replace("-", "") != "utf8" or _columns() < _WIDTH:
        return False
    try:
        with open(_HELP, encoding="utf-8") as file:
            output.write(file.read())
        output.flush()
    except OSError:  # which `kexp.cli.app` has words for
        return False
    return True


def _columns() -> int:
    """Return the width that there is, as far as it is known."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns or _WIDTH)
    except (OSError, ValueError):
        return 0 if os.environ.get("COLUMNS") else _WIDTH
