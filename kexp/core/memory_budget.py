"""The memory budget: how many bytes a file may become, checked from what it announces before it is read."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from kexp.core.errors import InputError

VARIABLE = "KEXP_MAX_BYTES"
_SHARE = 0.5  # of the memory of this process; data are held about twice while they are read
_HELD_TIMES = 3.5
_BEYOND_FLOATS = 10**300
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def max_bytes() -> int:
    """Return the bytes that data from one source may take: KEXP_MAX_BYTES, or half of the memory there is.

    Raises:
        InputError: KEXP_MAX_BYTES is no whole number of 1 or more.
    """
    given = os.environ.get(VARIABLE)
    if given is None:
        return int(_SHARE * min(_memory_limits()))
    if not (given.isascii() and given.isdecimal() and int(given[:19])):
        raise InputError(f"{VARIABLE} must be a whole number of bytes, 1 or more; received {given!r}.")
    return int(given[:19])


def require_bytes(needed: int, what: str) -> None:
    """Refuse what would take more memory than the budget.

    Args:
        needed: Bytes that it takes once it is read.
        what: Noun for the message, such as "file digits.npz".

    Raises:
        InputError: It does not fit.

    Example:
        >>> require_bytes(10**18, "file digits.npz")
        Traceback (most recent call last):
        ...
        kexp.InputError: file digits.npz takes 1,000,000,000 GB in memory, more than the ... GB that one ...
    """
    allowed = max_bytes()
    if needed > allowed:
        raise InputError(
            f"{what} takes {gigabytes(needed)} in memory, more than the {gigabytes(allowed)} that one "
            f"source may; give a smaller one, or set {VARIABLE} to the bytes it may take."
        )


def fits_in_memory(needed: int) -> bool:
    """Return whether data of so many bytes can be trained on in the memory that is free now.

    Args:
        needed: Bytes of the arrays; reading, dividing and training hold them several times, 3.2 times as
            measured on 20,000 images.
    """
    return needed <= max_bytes() and _HELD_TIMES * needed <= free_bytes()


def free_bytes() -> int:
    """Return the memory that is free, within what a container or a limit leaves this process."""
    import psutil

    used = psutil.Process().memory_info().rss
    return min(psutil.virtual_memory().available, *(max(0, limit - used) for limit in _memory_limits()))


class Meter:
    """Bytes that come one after another, refused when together they are more than the budget.

    Args:
        what: Noun for the message.

    Example:
        >>> meter = Meter("the tf.data.Dataset")
        >>> meter.add(10)
        >>> meter.add(10**18)
        Traceback (most recent call last):
        ...
        kexp.InputError: the tf.data.Dataset takes 1,000,000,000 GB in memory, more than the ...
    """

    def __init__(self, what: str) -> None:
        self._what, self._allowed, self._count = what, max_bytes(), 0

    def add(self, count: int) -> None:
        """Count some more bytes.

        Raises:
            InputError: They no longer fit.
        """
        self._count += count
        if self._count > self._allowed:
            require_bytes(self._count, self._what)


def address_limit() -> int | None:
    """Return the bytes of addresses that this process may have (ulimit -v), or None without a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def peak_resident_bytes() -> int:
    """Return the most memory that this process has had in use since it began.

    Example:
        >>> peak_resident_bytes() > 10_000_000
        True
    """
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def gigabytes(count: int) -> str:
    """Return bytes as people read them.

    Example:
        >>> gigabytes(1_500_000_000)
        '1.5 GB'
    """
    if count > _BEYOND_FLOATS:
        return "far too many GB"
    return f"{count / 1e9:,.0f} GB" if count >= 10e9 else f"{count / 1e9:.3g} GB"


def _memory_limits() -> list[int]:
    """Return the memory of this machine, and what a container or a limit of the process leaves of it."""
    import psutil

    limits = [psutil.virtual_memory().total]
    with suppress(OSError, ValueError):  # no container, or one without a limit, which says "max"
        limits.append(int(_CONTAINER_LIMIT.read_text()))
    of_process = address_limit()
    return limits if of_process is None else [*limits, of_process]
