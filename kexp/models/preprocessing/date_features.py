"""Dates as features: days, and the places in the year, the week and the day, on circles."""

from __future__ import annotations

import math
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kexp.core.types import Tensor
from kexp.data import Column
from kexp.data.date_texts import MONTHS, pattern, seconds_of
from kexp.data.stored_arrays import blocks_of

_DAY_S = 86400.0
_CYCLES_S = {"year": 365.2425 * _DAY_S, "week": 7 * _DAY_S, "day": _DAY_S}
_MONDAY_S = 4 * _DAY_S  # the first one after 1970 began on a Thursday
_PARTS = ("Y", "y", "m", "d", "H", "I", "M", "S")


@keras.saving.register_keras_serializable("kexp")
class DateFeatures(keras.layers.Layer):
    """Features of dates in one format, computed from texts, also in an exported model.

    Days since 1970 have mean 0 and deviation 1; a sine and a cosine each say where a date is in the year, in
    the week and, where there is a time, in the day. What is no date in that format has zeros, and a flag
    where training had such.

    Args:
        date_format: As of `time.strptime`; the names of months and days are English, long or short.
        mean_s: Mean of the training dates, in seconds since 1970.
        deviation_s: Their deviation, above 0.
        has_missing: Whether there is a flag.
        **kwargs: Of a Keras layer.

    Example:
        >>> layer = DateFeatures("%Y-%m-%d", mean_s=0.0, deviation_s=86400.0)
        >>> np.asarray(layer(tf.constant(["1970-01-02", "?"])))[:, 0].tolist()
        [1.0, 0.0]
    """

    def __init__(
        self, date_format: str, mean_s: float, deviation_s: float, has_missing: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.date_format = date_format
        self.mean_s = mean_s
        self.deviation_s = deviation_s
        self.has_missing = has_missing
        self._cycles_s = [
            length for name, length in _CYCLES_S.items() if name != "day" or "%M" in date_format
        ]
        # RE2 knows no names of groups in what replaces, so their numbers are looked up.
        named = re.compile(pattern(date_format))
        self._pattern = re.sub(r"\?P<\w>", "", named.pattern)
        self._groups = named.groupindex

    @classmethod
    def fitted(cls, column: Column, values: np.ndarray) -> DateFeatures:
        """Return the layer of a column, with the statistics of its training values.

        Args:
            column: A date.
            values: (samples,) str objects.
        """
        blocks = [seconds_of(block.tolist(), column.date_format) for block in blocks_of(values)]
        moments_s = np.concatenate(blocks)
        known = moments_s[np.isfinite(moments_s)]
        mean_s, deviation_s = (float(known.mean()), float(known.std())) if known.size else (0.0, 0.0)
        return cls(column.date_format, mean_s, deviation_s or _DAY_S, has_missing=len(known) < len(values))

    def call(self, inputs: Tensor) -> Tensor:
        """Return (batch, features) of (batch,) texts."""
        known = tf.strings.regex_full_match(inputs, self._pattern)
        moments_s = self._seconds(inputs, known)
        elapsed = ops.cast((moments_s - self.mean_s) / self.deviation_s, "float32")
        features = [elapsed]
        for length_s in self._cycles_s:
            start_s = _MONDAY_S if length_s == _CYCLES_S["week"] else 0.0
            angle = ops.cast((moments_s - start_s) % length_s * (2 * math.pi / length_s), "float32")
            features += [ops.sin(angle), ops.cos(angle)]
        present = ops.cast(known, "float32")
        features = [ops.where(known, feature, 0.0) for feature in features]
        if self.has_missing:
            features.append(1.0 - present)
        return ops.stack(features, axis=-1)

    def _seconds(self, texts: Tensor, known: Tensor) -> Tensor:
        """Return (batch,) float64 seconds since 1970; anything for what is no date."""
        parts = self._parts(texts, known)
        numbers = {part: tf.strings.to_number(parts[part], tf.int64) for part in _PARTS if part in parts}
        years = numbers.get("Y")
        if years is None:  # two digits, as Python takes them
            years = ops.where(numbers["y"] < 69, numbers["y"] + 2000, numbers["y"] + 1900)
        months = _month(parts["b"]) if "b" in parts else numbers["m"]
        days = _days(years, months, numbers.get("d", ops.ones_like(months)))
        zero = ops.zeros_like(days)
        hours, minutes, seconds = (numbers.get(part, zero) for part in ("H", "M", "S"))
        if "p" in parts:
            afternoon = tf.strings.regex_full_match(parts["p"], "(?i)pm")
            hours = numbers["I"] % 12 + 12 * ops.cast(afternoon, "int64")
        seconds = hours * 3600 + minutes * 60 + seconds
        if "z" in parts:
            seconds -= _offset_s(parts["z"])
        return ops.cast(days, "float64") * _DAY_S + ops.cast(seconds, "float64")

    def _parts(self, texts: Tensor, known: Tensor) -> dict[str, Tensor]:
        """Return the parts of dates as (batch,) texts by their names; those of some date for what is none."""
        listed = "|".join(rf"\{group}" for group in self._groups.values())
        some = "|".join({"b": "jan", "z": "Z"}.get(part, "1") for part in self._groups)
        joined = tf.where(known, tf.strings.regex_replace(texts, self._pattern, listed), some)
        each = tf.strings.split(joined, "|").to_tensor(shape=(None, len(self._groups)))
        return {part: each[:, place] for place, part in enumerate(self._groups)}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, 1 + 2 * len(self._cycles_s) + self.has_missing)

    def get_config(self) -> dict[str, Any]:
        own = {
            "date_format": self.date_format,
            "mean_s": self.mean_s,
            "deviation_s": self.deviation_s,
            "has_missing": self.has_missing,
        }
        return {**super().get_config(), **own}


def _month(names: Tensor) -> Tensor:
    """Return (batch,) int64 numbers of months by their names."""
    begins = tf.strings.lower(tf.strings.substr(names, 0, 3))
    return ops.cast(ops.argmax(begins[:, None] == tf.constant(MONTHS), axis=-1), "int64") + 1


def _offset_s(zones: Tensor) -> Tensor:
    """Return (batch,) int64 seconds that the clocks of time zones, such as "+05:30", are before UTC."""
    written = tf.strings.regex_replace(zones, ":", "")
    hundreds = tf.strings.to_number(tf.where(written == "Z", "0", written), tf.int64)
    return ops.sign(hundreds) * (ops.abs(hundreds) // 100 * 3600 + ops.abs(hundreds) % 100 * 60)


def _days(years: Tensor, months: Tensor, days: Tensor) -> Tensor:
    """Return days since 1970 of dates of the Gregorian calendar.

    Source: Hinnant 2013, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    """
    years = years - ops.cast(months <= 2, "int64")  # which begin in March
    eras = years // 400
    of_era = years - eras * 400
    of_year = (153 * ((months + 9) % 12) + 2) // 5 + days - 1
    return eras * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
