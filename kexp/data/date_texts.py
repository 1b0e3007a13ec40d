"""Dates in tables: the one format that all of a column are written in, and what they mean in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

# Of digits alone, so that an exported model can read them too. The first that fits all is taken.
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%Y%m%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ", " %H:%M:%S%z", "T%H:%M:%S%z")
FORMATS = tuple(f"{day}{time}" for day in _DAYS for time in _TIMES)
_PARTS = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%H": r"(?P<H>\d{1,2})",
    "%M": r"(?P<M>\d{2})",
    "%S": r"(?P<S>\d{2})(?:[.,]\d+)?",
    "%z": r"(?:Z|[+-]\d{2}:?\d{2})",
}
_LOOKS_DATED = re.compile(r"\s*\d{1,4}([./-]\d{1,2}[./-]\d{1,4}|\d{4})")
_MONTHS = re.compile(
    r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"
    r"|^(\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4})\b",
    re.IGNORECASE,
)


def pattern(date_format: str) -> str:
    """Return the regular expression of a format, with a group for each part of a date.

    Example:
        >>> re.fullmatch(pattern("%d.%m.%Y"), "24.12.2022").groupdict()
        {'d': '24', 'm': '12', 'Y': '2022'}
    """
    compact = date_format.startswith("%Y%m%d")
    written = "".join(
        _PARTS.get(part, re.escape(part)) for part in re.split(r"(%[A-Za-z])", date_format) if part
    )
    # Without marks between them, parts have two digits.
    return rf"\s*{written.replace('{1,2}', '{2}', 2) if compact else written}\s*"


def date_format(texts: Sequence[str]) -> str | None:
    """Return the format of dates that all texts are written in, or None where there is none.

    Where day and month cannot be told apart, the month comes first after "/", the day after "." and "-".

    Example:
        >>> date_format(["24.12.2022", "1.1.2023"]), date_format(["2022-12-24 08:30"]), date_format(["no"])
        ('%d.%m.%Y', '%Y-%m-%d %H:%M', None)
    """
    if not texts or not all(_LOOKS_DATED.match(text) for text in texts[:20]):
        return None
    for one in FORMATS:
        matches = re.compile(pattern(one)).fullmatch
        if all(map(matches, texts[:20])) and not np.isnan(seconds_of(texts, one)).any():
            return one
    return None


def is_ambiguous(texts: Sequence[str], found: str) -> bool:
    """Return whether day and month could as well be the other way round.

    Example:
        >>> is_ambiguous(["1/2/2022"], "%m/%d/%Y"), is_ambiguous(["24/12/2022"], "%d/%m/%Y")
        (True, False)
    """
    other = found.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
    return found[:2] in ("%d", "%m") and not np.isnan(seconds_of(texts, other)).any()


def looks_like_dates(texts: Sequence[str]) -> bool:
    """Return whether most texts have the names of months in them, or begin as dates do.

    Example:
        >>> looks_like_dates(["3 Jan 2022", "14 Feb 2022"]), looks_like_dates(["may", "be"])
        (True, False)
    """
    found = [bool(_MONTHS.search(text) and any(map(str.isdigit, text))) for text in texts[:200]]
    return sum(found) > 0.95 * len(found) if found else False


def seconds_of(texts: Sequence[str], date_format: str) -> np.ndarray:
    """Return (samples,) float64 seconds since 1970 of dates, NaN for what is none in that format.

    Example:
        >>> seconds_of(["1970-01-02", ""], "%Y-%m-%d").tolist()
        [86400.0, nan]
    """
    import pandas as pd

    bare = pd.Series(list(texts), dtype=object).astype(str).str.strip()
    bare = bare.str.replace(r"(:\d{2})[.,]\d+", r"\1", regex=True)
    zoned = "%z" in date_format
    times = pd.to_datetime(bare, format=date_format, errors="coerce", utc=zoned)
    times = times.dt.tz_localize(None) if zoned else times
    ticks: Any = times.to_numpy().astype("datetime64[s]").astype(np.float64)
    return np.where(times.isna().to_numpy(), np.nan, ticks)
