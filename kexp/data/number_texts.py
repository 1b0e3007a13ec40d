"""Numbers as people write them in tables: with currencies, per cent, grouped thousands and decimal commas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kexp.core.errors import InputError

# What usually stands for a missing value where the others are numbers, in lower case.
_WORDS = (
    *("", "?", "??", "-", "--", "—", ".", "..", "...", "*", "x"),
    *("n/a", "na", "n.a.", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "nil", "k.a."),
    *("missing", "unknown", "not available", "not known", "tbd", "undefined"),
)
MISSING_WORDS = frozenset(_WORDS)
# Those that pandas takes for one, in whatever column.
_OF_PANDAS = (
    *("#N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
NA_WORDS = frozenset(_OF_PANDAS)
# What a CSV file has for truth values, which are numbers to a model.
TRUTH_WORDS = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
_UNITS = r"r\$|[$€£¥₹₽₩₺₪₴₫฿¢%]|(?:usd|eur|gbp|chf|jpy|cny|inr|brl|cad|aud|sek|nok|dkk|pln|czk|huf)\b"
_BEFORE = re.compile(rf"^(?:{_UNITS})\s*", re.IGNORECASE)
_AFTER = re.compile(r"\s*(?:[$€£¥₹₽₩₺₪₴₫฿¢%]|\b[a-z]{3})$", re.IGNORECASE)
_CODES = re.compile(rf"^\s*(?:{_UNITS})$", re.IGNORECASE)
_MINUS = "-\N{MINUS SIGN}"
_GROUPS = " '\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
_INFINITE = re.compile(r"^([+-]?)inf(?:inity)?$", re.IGNORECASE)  # as CSV files have it
_POWER = re.compile(r"^(.*\d[.,]?)(e[+-]?\d+)$", re.IGNORECASE)


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    Attributes:
        decimal: What stands before the fraction, "." or ",".
        thousands: What stands between groups of three digits; empty for nothing.
    """

    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        if self.decimal not in (".", ",") or self.thousands == self.decimal:
            raise InputError(
                f"decimal must be '.' or ',' and other than thousands; received {self.decimal!r} and "
                f"{self.thousands!r}."
            )

    def number(self, text: str) -> float | None:
        """Return the number that a text is, or None if it is none.

        Example:
            >>> NumberFormat().number("$31.20"), NumberFormat(",", ".").number("3.113,16 €")
            (31.2, 3113.16)
            >>> NumberFormat().number("12 apples") is None
            True
        """
        infinite = _INFINITE.match(text.strip())
        if infinite:
            return -np.inf if infinite[1] == "-" else np.inf
        text, negative = _without_sign(text.strip())
        power = _POWER.match(text)
        digits = power[1] if power else text
        if not any(map(str.isdigit, digits)) or not self._is_grouped(digits):
            return None
        for mark in {self.thousands, *_GROUPS} - {""}:
            digits = digits.replace(mark, "")
        try:
            number = float(digits.replace(self.decimal, ".") + (power[2] if power else ""))
        except ValueError:
            return None
        return -number if negative else number

    def _is_grouped(self, digits: str) -> bool:
        """Return whether marks between digits stand where those of thousands do."""
        whole, *fraction = digits.split(self.decimal)
        marks = {mark for mark in (self.thousands, *_GROUPS) if mark and mark in whole}
        if len(fraction) > 1 or len(marks) > 1 or any(part and not part.isdigit() for part in fraction):
            return False
        if not marks:
            return whole.isdigit() or not whole
        first, *groups = whole.split(marks.pop())
        return (
            1 <= len(first) <= 3
            and first.isdigit()
            and all(len(one) == 3 and one.isdigit() for one in groups)
        )


def _without_sign(text: str) -> tuple[str, bool]:
    """Return a text without sign, currency and per cent, and whether the number is negative."""
    negative = text[:1] == "(" and text[-1:] == ")"
    text = text[1:-1].strip() if negative else text
    bare = _BEFORE.sub("", text, count=1)  # the currency stands before or after the sign
    if bare[:1] and bare[0] in f"{_MINUS}+":
        negative ^= bare[0] in _MINUS
        bare = bare[1:].lstrip()
    text = bare if bare != text and _BEFORE.match(text) else _BEFORE.sub("", bare, count=1)
    unit = _AFTER.search(text)
    return (text[: unit.start()] if unit and _CODES.match(unit[0]) else text), negative


def number_format(texts: Sequence[str]) -> NumberFormat:
    """Return the format that most of some texts are numbers in; in doubt "." stands before the fraction.

    Example:
        >>> number_format(["1,234.5", "7"]), number_format(["3,5", "12,25"])
        (NumberFormat(decimal='.', thousands=','), NumberFormat(decimal=',', thousands='.'))
    """
    english, other = NumberFormat(".", ","), NumberFormat(",", ".")
    often = Counter(texts)
    counts = [
        sum(count for text, count in often.items() if one.number(text) is not None)
        for one in (english, other)
    ]
    if counts[1] > counts[0]:
        return other
    return english


def numbers_of(texts: Sequence[str], form: NumberFormat) -> np.ndarray:
    """Return (samples,) float64 of texts, NaN for what is no number.

    Example:
        >>> numbers_of(["62%", "?"], NumberFormat()).tolist()
        [62.0, nan]
    """
    known: dict[str, float] = {}
    for text in set(texts):
        number = form.number(text)
        known[text] = np.nan if number is None else number
    return np.array([known[text] for text in texts], np.float64)


def is_missing_word(value: Any) -> bool:
    """Return whether a text is a word that usually stands for a missing value among numbers.

    Example:
        >>> is_missing_word("N/A"), is_missing_word(" ? "), is_missing_word("Namibia")
        (True, True, False)
    """
    return str(value).strip().lower() in MISSING_WORDS
