"""The one exception that kexp raises for a mistake its user can mend, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """An argument, a file or a data set that cannot be used as given.

    The message is one sentence that names the argument, says what was expected, what was received,
    and what to do. The command line prints it alone and exits with code 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what was probably meant, in brackets for the middle of a sentence, or nothing.

    Example:
        >>> nearest("specis", ["species", "island"])
        " (did you mean 'species'?)"
    """
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.65)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
