"""Checksums of a training's state after some of its steps, by which two runs are compared step by step."""

from __future__ import annotations

import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import keras
import numpy as np

from kexp.core.keras_private import all_layers, name_stem
from kexp.engine.base import Engine

_SHARE = 0.006  # of a training's time; what is beside it makes a hundredth of a run of some seconds
_FREE_S = 0.015  # beside that, so that the first steps of short runs have some
_FIRST_STEPS = 16  # which have one each, where that can be paid for
_CALL_S = 0.0005  # what it costs that a call of the engine ends after a step where it would have gone on
_RANDOM, _OPTIMIZER, _LOSS = "random", "optimizer", "loss"
_LOSS_STATE = "progress/2"  # the running mean of the losses

Line = dict[str, Any]


class Checksums(Protocol):
    """Who is told of steps that have been taken."""

    def begin(self, taken: int) -> None:
        """Hear that the training begins, or goes on, after so many steps."""
        ...

    def steps_left(self, taken: int) -> int:
        """Return after how many steps there is to be a checksum."""
        ...

    def after(self, taken: int, epoch: int, row: np.ndarray, *, last: bool) -> None:
        """Take a checksum, if one is due.

        Args:
            taken: Steps since the training began.
            epoch: The epoch that they are in, from 0.
            row: (samples,) positions of the samples of the last of them.
            last: Whether no step comes after it.
        """
        ...


class PacedChecksums:
    """Takes checksums as often as less than a hundredth of the training's time pays for.

    The steps are multiples of powers of two, so that runs at different speeds have many of them in common:
    every step in the beginning, while the engine's programs are made anyway, and as many as fit later. The
    last step has one too.

    Args:
        engine: Whose state it is.
        keep: Told of each line.
        begun: Told after how many steps the training begins or goes on, before any line.

    Attributes:
        spent_s: What the checksums have taken since the training began or went on, in seconds.
    """

    def __init__(
        self, engine: Engine, keep: Callable[[Line], None], begun: Callable[[int], None] = lambda taken: None
    ) -> None:
        self._state = StateChecksums(engine)
        self._keep = keep
        self._begun = begun
        self._next = 0
        self._started_s = self._since_s = time.perf_counter()
        self._since = 0
        self.spent_s = 0.0

    def begin(self, taken: int) -> None:
        """Hear that the training begins, or goes on, after so many steps."""
        self._started_s = self._since_s = time.perf_counter()
        self._since, self._next, self.spent_s = taken, taken + 1, 0.0
        self._begun(taken)
        if taken == 0:
            self._take(0, 0, np.zeros(0, np.int32))

    def steps_left(self, taken: int) -> int:
        """Return after how many steps there is to be a checksum."""
        return max(1, self._next - taken)

    def after(self, taken: int, epoch: int, row: np.ndarray, *, last: bool) -> None:
        """Take a checksum, if one is due."""
        if taken >= self._next or last:
            self._take(taken, epoch, row)

    def _take(self, taken: int, epoch: int, row: np.ndarray) -> None:
        began_s = time.perf_counter()
        self._keep(self._state.line(taken, epoch, row))
        now_s = time.perf_counter()
        cost_s = now_s - began_s + _CALL_S
        self.spent_s += cost_s
        step_s = (began_s - self._since_s) / max(1, taken - self._since)
        wait_s = (self.spent_s + cost_s - _FREE_S) / _SHARE - (now_s - self._started_s)
        if taken >= _FIRST_STEPS:  # as often all the time, rather than several at once after a long wait
            wait_s = max(wait_s, cost_s / _SHARE)
        self._since, self._since_s = taken, now_s
        self._next = next_step(taken, wait_s / step_s if taken and step_s else 1.0)


class EveryStep:
    """Takes a checksum after every step from one to another, and ends the training there.

    Args:
        engine: Whose state it is.
        lines: Takes the lines, by step.
        first: The first step to have one.
        last: The last.
    """

    def __init__(self, engine: Engine, lines: dict[int, Line], first: int, last: int) -> None:
        self._state = StateChecksums(engine)
        self._lines = lines
        self._first = first
        self._last = last

    def begin(self, taken: int) -> None:
        """Hear that the training begins, or goes on, after so many steps."""
        if self._first == taken == 0:
            self._take(0, 0, np.zeros(0, np.int32))

    def steps_left(self, taken: int) -> int:
        """Return after how many steps there is to be a checksum."""
        return max(1, self._first - taken)

    def after(self, taken: int, epoch: int, row: np.ndarray, *, last: bool) -> None:
        """Take a checksum, and end the training after the last.

        Raises:
            ReplayEnded: It was.
        """
        if taken >= self._first:
            self._take(taken, epoch, row)

    def _take(self, taken: int, epoch: int, row: np.ndarray) -> None:
        self._lines[taken] = self._state.line(taken, epoch, row)
        if taken >= self._last:
            raise ReplayEnded


class ReplayEnded(Exception):
    """Leaves a training that is taken again up to a step."""


def next_step(taken: int, least: float) -> int:
    """Return the first step that comes at least so many later and is a multiple of a power of two as large.

    Args:
        taken: The step of now.
        least: Steps to leave between them; below 1: none.

    Example:
        >>> next_step(3, 0.0), next_step(3, 3.0), next_step(256, 100.0)
        (4, 8, 384)
    """
    steps = max(1, -int(-min(least, 2.0**40) // 1))
    multiple = 1 << (steps - 1).bit_length()
    return -(-(taken + steps) // multiple) * multiple


class StateChecksums:
    """Checksums of the state of an engine, by layer and by what else a step changes.

    Args:
        engine: Whose state it is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._names = _groups(engine.model)

    def line(self, taken: int, epoch: int, row: np.ndarray) -> Line:
        """Return the checksums of the state after a step.

        Args:
            taken: Steps since the training began.
            epoch: That they are in, from 0.
            row: (samples,) positions of the samples of the last step.

        Returns:
            CRC-32 of the weights of each layer, in the order of `layer_names`; of optimizers, of random
            states, of the losses so far, and of the positions of the samples.
        """
        names = self._names
        layers = dict.fromkeys((name for name in names if name != _RANDOM), 0)
        rest = dict.fromkeys((_OPTIMIZER, _RANDOM, _LOSS), 0)
        for name, checksum in self._engine.checksums().items():
            group, _, number = name.partition("/")
            if group == "model" and names[int(number)] != _RANDOM:
                layers[names[int(number)]] = _joined(layers[names[int(number)]], checksum)
            elif group in ("model", "augmentation"):
                rest[_RANDOM] = _joined(rest[_RANDOM], checksum)
            elif group.startswith(("optimizer", "schedule")):
                rest[_OPTIMIZER] = _joined(rest[_OPTIMIZER], checksum)
            elif name == _LOSS_STATE:
                rest[_LOSS] = checksum
        order = zlib.crc32(np.ascontiguousarray(row))
        return {"step": taken, "epoch": epoch + 1, "order": order, **rest, "layers": list(layers.values())}


def layer_names(model: keras.Model) -> list[str]:
    """Return the layers that have weights by names that do not hang on what else a process has made.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(4)])
        >>> layer_names(model)
        ['dense', 'dense 2']
    """
    return list(dict.fromkeys(name for name in _groups(model) if name != _RANDOM))


def _groups(model: keras.Model) -> list[str]:
    """Return for each variable of a model the name of its layer, or that it is a random state."""
    stems = {layer.name: _stem(layer) for layer in all_layers(model)}
    known: dict[str, str] = {}
    counts: Counter[str] = Counter()
    found = []
    for variable in model.variables:
        path = variable.path.rpartition("/")[0]
        if "seed_generator" in variable.path:
            found.append(_RANDOM)
            continue
        if path not in known:
            own = path.rpartition("/")[2]
            stem = stems.get(own, own) or "model"
            counts[stem] += 1
            known[path] = stem if counts[stem] == 1 else f"{stem} {counts[stem]}"
        found.append(known[path])
    return found


def _stem(layer: keras.layers.Layer) -> str:
    """Return a name without the number that Keras has given it."""
    stem = name_stem(layer)
    return stem if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", layer.name) else str(layer.name)


def _joined(one: int, other: int) -> int:
    return zlib.crc32(other.to_bytes(4, "little"), one)


def variable_checksums(arrays: Iterable[tuple[str, Any]]) -> dict[str, int]:
    """Return the CRC-32 of arrays by name, each read once.

    Example:
        >>> variable_checksums([("a", np.zeros(2, np.float32)), ("b", np.float32(0))])
        {'a': 1696784233, 'b': 558161692}
    """
    return {name: zlib.crc32(np.ascontiguousarray(array).view(np.uint8)) for name, array in arrays}


def data_checksums(parts: Mapping[str, Any], most_bytes: int) -> dict[str, int]:
    """Return the CRC-32 of the arrays of a data set, and of their sums, which no order of the rows changes.

    Args:
        parts: Arrays by what they are, rows first.
        most_bytes: Of an array that is read; larger ones are left out.

    Example:
        >>> one = data_checksums({"targets": np.array([1, 2])}, 100)
        >>> other = data_checksums({"targets": np.array([2, 1])}, 100)
        >>> one["targets"] == other["targets"], one["targets sum"] == other["targets sum"]
        (False, True)
    """
    found = {}
    for name, array in parts.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.nbytes > most_bytes:
            continue
        plain = np.ascontiguousarray(array)
        bits = plain.view(f"u{plain.itemsize}")
        found[name] = zlib.crc32(plain.view(np.uint8))
        found[f"{name} sum"] = zlib.crc32(bits.sum(axis=0, dtype=np.uint64))
    return found
