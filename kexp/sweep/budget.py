"""What a sweep may take: hours of its time, or bytes in its folder."""

from __future__ import annotations

import re
import time
from pathlib import Path

from kexp.core.errors import InputError, shown
from kexp.sweep.folders import folder_bytes
from kexp.sweep.metadata import SPENT_S
from kexp.sweep.store import Store

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_EVERY_S = 1.0
_MOST = 1e9  # of any unit


def parse_budget(text: str | None) -> tuple[float, float]:
    """Return the seconds and the bytes that "2h" or "20GB" allow.

    Raises:
        InputError: It is no such amount.

    Example:
        >>> parse_budget("2h"), parse_budget("500MB")
        ((7200.0, inf), (inf, 500000000.0))
    """
    unlimited = float("inf")
    if text is None:
        return unlimited, unlimited
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", str(text))
    amount, unit = (float(match[1]), match[2]) if match else (0.0, "")
    amount = amount if amount < _MOST else 0.0
    if amount and unit in _SECONDS:
        return amount * _SECONDS[unit], unlimited
    if amount and unit.upper() in _BYTES:
        return unlimited, amount * _BYTES[unit.upper()]
    units = ", ".join([*_SECONDS, *_BYTES])
    raise InputError(f"budget must be an amount such as '2h' or '20GB', in {units}; received {shown(text)}.")


class Budget:
    """Watches what a sweep takes, over all calls of it.

    Args:
        text: "2h", "20GB" or None for no limit.
        directory: The sweep folder.
        store: Its record.

    Attributes:
        reached: Whether nothing is left.
    """

    def __init__(self, text: str | None, directory: Path, store: Store) -> None:
        self.text = text
        self.reached = False
        self._seconds, self._bytes = parse_budget(text)
        self._directory = directory
        self._store = store
        self._before_s = store.read(SPENT_S) or 0.0
        self._started_s = self._checked_s = time.monotonic()

    def check(self) -> None:
        """See, every second, whether there is anything left of it; `reached` says so."""
        now_s = time.monotonic()
        if now_s - self._checked_s >= _EVERY_S:
            spent_s = self._before_s + now_s - self._started_s
            self._store.write(SPENT_S.written(round(spent_s, 1)))
            self._checked_s = now_s
            too_large = self._bytes < float("inf") and folder_bytes(self._directory) >= self._bytes
            self.reached = spent_s >= self._seconds or too_large
