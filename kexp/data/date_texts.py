"""Dates in tables: the one format that all of a column are written in, and what they mean in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# The first that fits all is taken. Names are English, whatever the language of the machine.
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%Y%m%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y"),
)
_NAMED_DAYS = (
    *("%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%d. %b %Y", "%d%b%Y", "%b %d, %Y", "%b %d %Y", "%d %b, %Y"),
    *("%Y-%b-%d", "%Y %b %d", "%d-%b-%y", "%d %b %y"),
    *("%a, %d %b %Y", "%a %d %b %Y", "%a, %b %d, %Y", "%a %b %d %Y", "%a %b %d, %Y"),
)
_TIMES = (
    *("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", "T%H:%M:%SZ", " %H:%M:%S%z", "T%H:%M:%S%z"),
    *("T%H:%MZ", " %H:%M%z", "T%H:%M%z", " %H:%M:%S %z", " %H:%M %z", " %H:%M:%S UTC", " %H:%M:%S GMT"),
    *(" %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p", ", %H:%M", ", %H:%M:%S", ", %I:%M %p"),
    *(", %I:%M:%S %p", ":%H:%M:%S %z"),  # the last as servers log requests
)
_OF_DIGITS = tuple(f"{day}{time}" for day in _DAYS for time in _TIMES)
_NAMED = (
    *(f"{day}{time}" for day in _NAMED_DAYS for time in _TIMES),
    *("%b %Y", "%b-%Y", "%b, %Y", "%Y %b", "%Y-%b", "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y"),
)
FORMATS = (*_OF_DIGITS, *_NAMED)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?i:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?i:day)?"
_PARTS = {
    "%Y": r"(?P<Y>\d{4})",
    "%y": r"(?P<y>\d{2})",
    "%m": r"(?P<m>\d{1,2})",
    "%b": rf"(?P<b>{_MONTH})\.?",
    "%a": _WEEKDAY,
    "%d": r"(?P<d>\d{1,2})",
    "%H": r"(?P<H>\d{1,2})",
    "%I": r"(?P<I>\d{1,2})",
    "%M": r"(?P<M>\d{2})",
    "%S": r"(?P<S>\d{2})(?:[.,]\d+)?",
    "%p": r"(?P<p>(?i:[ap]m))",
    "%z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
}
_LOOKS_DATED = re.compile(r"\s*\d{1,4}([./-]\d{1,2}[./-]\d{1,4}|\d{4})")
_NAMED_MONTH = re.compile(rf"(?<![^\W\d_])({_MONTH})(?![^\W\d_])\.?")
_BEGINS_DATED = re.compile(r"(\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4})\b")


@cache
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
    Names of months are English, long or short, and have one format: %b.

    Example:
        >>> date_format(["24.12.2022", "1.1.2023"]), date_format(["2022-12-24 08:30"]), date_format(["no"])
        ('%d.%m.%Y', '%Y-%m-%d %H:%M', None)
        >>> date_format(["3 Jan 2024", "14 February 2024"]), date_format(["Jan. 3, 2024 5:30 PM"])
        ('%d %b %Y', '%b %d, %Y %I:%M %p')
    """
    first = texts[:20]
    if texts and all(map(_LOOKS_DATED.match, first)):
        possible = _OF_DIGITS
    elif texts and all(map(_has_month, first)):
        possible = _NAMED
    else:
        return None
    for one in possible:
        matches = re.compile(pattern(one)).fullmatch
        if all(map(matches, first)) and not np.isnan(seconds_of(texts, one)).any():
            return one
    return None


def _has_month(text: str) -> bool:
    return bool(_NAMED_MONTH.search(text)) and any(map(str.isdigit, text))


def is_ambiguous(texts: Sequence[str], found: str) -> bool:
    """Return whether day and month could as well be the other way round.

    Example:
        >>> is_ambiguous(["1/2/2022"], "%m/%d/%Y"), is_ambiguous(["24/12/2022"], "%d/%m/%Y")
        (True, False)
    """
    if found[:2] not in ("%d", "%m") or "%m" not in found:
        return False
    other = found.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
    return not np.isnan(seconds_of(texts, other)).any()


def looks_like_dates(texts: Sequence[str]) -> bool:
    """Return whether most texts have the names of months in them, or begin as dates do.

    Example:
        >>> looks_like_dates(["3 Jan 2022", "14 Feb 2022"]), looks_like_dates(["may", "be"])
        (True, False)
    """
    found = [_has_month(text) or bool(_BEGINS_DATED.match(text)) for text in texts[:200]]
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
    if "%a" in date_format:
        bare, date_format = bare.str.replace(_WEEKDAY, "", n=1, regex=True), date_format.replace("%a", "")
    if "%b" in date_format:
        bare, date_format = bare.map(_with_number), date_format.replace("%b", "<%m>")
    zoned = "%z" in date_format
    times = pd.to_datetime(bare, format=date_format, errors="coerce", utc=zoned)
    times = times.dt.tz_localize(None) if zoned else times
    ticks: Any = times.to_numpy().astype("datetime64[s]").astype(np.float64)
    return np.where(times.isna().to_numpy(), np.nan, ticks)


def _with_number(text: str) -> str:
    """Return a date with the number of its month in place of the name."""
    return _NAMED_MONTH.sub(lambda name: f"<{month_number(name[1]):02}>", text, count=1)


def month_number(name: str) -> int:
    """Return the number of a month, 1 to 12.

    Example:
        >>> month_number("Sept"), month_number("JANUARY")
        (9, 1)
    """
    return MONTHS.index(name[:3].lower()) + 1


def written_dates(times: pd.Series, date_format: str) -> list[str]:
    """Return times of pandas as texts in a format, "" for missing ones.

    Args:
        times: (samples,) of a type of dates.
        date_format: One of `FORMATS`.

    Example:
        >>> import pandas as pd
        >>> written_dates(pd.Series([pd.Timestamp(2024, 1, 3, 15), None]), "%d %b %Y %I:%M %p")
        ['03 Jan 2024 03:00 PM', '']
    """
    if getattr(times.dtype, "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    # Of the system they would be in the language of the machine.
    named = re.sub("%([abp])", r"<\1>", date_format).replace("%z", "+0000")
    texts = times.dt.strftime(named).fillna("").tolist()
    return (
        [_with_names(text, time) for text, time in zip(texts, times, strict=True)] if "<" in named else texts
    )


def _with_names(text: str, time: pd.Timestamp) -> str:
    if not text:
        return text
    names = {"<a>": _WEEKDAYS[time.weekday()], "<b>": MONTHS[time.month - 1].title()}
    names["<p>"] = "PM" if time.hour >= 12 else "AM"
    return re.sub("<[abp]>", lambda place: names[place[0]], text)
