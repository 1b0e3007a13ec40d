"""What goes wrong with the machine and not with kexp: a full disk, missing rights, too little memory."""

from __future__ import annotations

import errno
import os

from kexp.core.foreign_files import reason

OUTPUT = "standard output"  # what the command line has errors of that stream call it

_SPACE = "free some space there, or write elsewhere"
_RIGHTS = "ask for the right to use it, or give another place"
_MEMORY = "give it more, close other programs, or take smaller batches or data"
_ADVICE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the largest size of a file (ulimit -f), or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EMFILE: "raise the number of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.EIO: "look after the disk, or take another one",
    errno.ESTALE: "mount its file system again",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.ELOOP: "mend the links that lead to one another",
    errno.EAGAIN: "raise the number of processes (ulimit -u), or close other programs",
    errno.ENOMEM: _MEMORY,
}
# Libraries often tell by words alone. Of memory, more than one say nothing but these.
_BY_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)
_OUT_OF_MEMORY = ("failed to map segment", "can't start new thread", "ResourceExhaustedError", "bad_alloc")
_FULL_DATABASE = "database or disk is full"


def machine_fault(error: BaseException) -> str | None:
    """Return a sentence about what the machine lacks, or None where the error is not of that kind.

    Args:
        error: What was raised.

    Example:
        >>> machine_fault(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a/model.keras"))
        'runs/a/model.keras: No space left on device; free some space there, or write elsewhere.'
        >>> machine_fault(MemoryError())
        'there is not enough memory; give it more, close other programs, or take smaller batches or data.'
        >>> machine_fault(FileNotFoundError(errno.ENOENT, "no such file")) is None
        True
    """
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY):
        return f"there is not enough memory{_details(error)}; {_MEMORY}."
    code = error.errno if isinstance(error, OSError) else None
    if code not in _ADVICE:
        by_words = (one for one in _BY_WORDS if os.strerror(one) in said)
        code = errno.ENOSPC if _FULL_DATABASE in said else next(by_words, None)
    if code is None:
        return None
    place = getattr(error, "filename", None)
    name = os.fsdecode(place) if isinstance(place, str | bytes) else "a file"
    return f"{name}: {os.strerror(code)}; {_ADVICE[code]}."


def _details(error: BaseException) -> str:
    return f" ({reason(error)})" if isinstance(error, MemoryError) and str(error) else ""
