"""The profiler: what each part of a recipe's training step takes, by steps that end after it."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import keras
import numpy as np

from kexp.core.errors import InputError
from kexp.core.memory_budget import peak_resident_bytes
from kexp.core.options import parse_interval
from kexp.data import Stream
from kexp.data.batch_feed import FedSplit
from kexp.engine.base import Engine, StepFailure, StepFlops
from kexp.engine.engine_choice import backend
from kexp.evaluation.step_profile import StepProfile
from kexp.run.context import capture_training
from kexp.run.dry_run import dry_run, random_streams_kept, training_rows
from kexp.run.training_setup import TrainingSetup
from kexp.train.loop import Loop

_MOST_STEPS = 100  # that are taken again and again
_CALL_S, _FEWEST_STEPS = 0.05, 3  # of a call of such steps
_CALLS, _FEWEST_TURNS, _MOST_TURNS = 3, 3, 7  # of steps that are compared
_PARTS_S = 20.0  # of all of these, where steps are slow
_QUANTILE = 0.25  # of times: what else runs on the machine can only slow a step down
_EPOCH_S, _LOOP_S = 0.5, 3.0  # of the training loop, after an epoch that compiles
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 40
_COUNTED_BATCHES = 9


def profile(recipe: Callable[..., Any], *args: Any, **kwargs: Any) -> StepProfile:
    """Measure where the time of a recipe's training step goes, and what arithmetic it does.

    Steps that end after one of their parts are compiled as whole ones are, and what a part takes is the
    difference between two of them, lower quartiles of calls that take turns. What Python does between steps
    is measured in the training loop, over a few short epochs with the recipe's own callbacks, without
    validation and what is saved after an epoch. The parts have their turns between these epochs, so that a
    machine that others use, too, is as fast for the ones as for the others. The forward pass keeps less for
    the gradient when it stands alone, so that a little of it counts as backward. Arithmetic is counted in the
    graph of the step (matrix products and convolutions, a multiplication and an addition being two) and
    compared with a large product of float32 matrices.

    The steps are real ones; all that they change is put back, and nothing is written but a temporary folder.

    Args:
        recipe: A recipe, or `kexp.fit`.
        *args: Arguments of the recipe.
        **kwargs: Keyword arguments of the recipe.

    Returns:
        The measurements, with `advice`; `print` shows them all.

    Raises:
        InputError: An argument does not fit, the model is run eagerly, several workers train together, or a
            loss is not finite.

    Example:
        >>> import kexp
        >>> model = kexp.models.mlp((8, 8, 1), 10, hidden=(32,), dtype="uint8")
        >>> found = profile(kexp.fit, model, kexp.data.load("digits"), batch_size=32)
        >>> sorted(found.parts_s)
        ['backward', 'forward', 'host', 'input', 'metrics', 'update']
        >>> found.flops  # of 64 x 32 and 32 x 10 weights forward and backward, where no image has a gradient
        323584
    """
    with random_streams_kept():
        return capture_training(_profile, recipe, *args, **kwargs)


def _profile(training: TrainingSetup) -> StepProfile:
    if training.objective.runs_eagerly:
        raise InputError(
            "the model must not be compiled with run_eagerly=True; its steps have no parts then."
        )
    with dry_run(training, spike=None, on_nan="stop") as engine:
        if engine.workers.count > 1:
            raise InputError(
                "strategy must be one of this process alone, since others would have to take turns."
            )
        rows = np.stack(list(islice(training_rows(engine, training), _MOST_STEPS)))
        first_step_s = _call_s(engine, rows[:1], training.batch_size).step_s
        clock = _train_in_turns(training, engine, rows)
        parts_s, epochs = clock.parts_s(), clock.epochs[1:]
        flops = _flops(engine, _spread(rows, _COUNTED_BATCHES), training.batch_size)
        optimizer = engine.optimizers[-1]
    # Calls begin and count their steps, too.
    between_s = parts_s.pop("nothing") + parts_s.pop("calls") + _typical(one.between_s for one in epochs)
    own = _own_callbacks(training)
    weights = training.model.trainable_weights
    return StepProfile(
        title=f"{training.model.name} on {training.raw.name}",
        batch_size=training.batch_size,
        accumulate=training.options["accumulate"],
        parts_s={**parts_s, "host": between_s},
        step_s=_typical(one.step_s for one in epochs),
        steps_per_call=sum(one.steps for one in epochs) / sum(one.calls for one in epochs),
        first_step_s=first_step_s,
        parameters=training.model.count_params(),
        trainable_parameters=sum(math.prod(weight.shape) for weight in weights),
        peak_resident_bytes=clock.peak_bytes[0],
        device_peak_bytes=clock.peak_bytes[1],
        optimizer=type(optimizer).__name__,
        fused_update=backend().has_fused_updates(optimizer),
        flops=None if flops is None else flops.operations,
        not_counted=() if flops is None else flops.not_counted,
        peak_flops_per_s=backend().matmul_flops_per_s(),
        notes=(
            *_of_callbacks([one for one in training.callbacks if one not in own]),
            *_of_order(training),
        ),
    )


def _of_order(training: TrainingSetup) -> tuple[str, ...]:
    """Return what is to be known where parts of a step are not taken one after the other."""
    notes = []
    if isinstance(training.data.train, Stream | FedSplit):
        notes.append("batches are made ahead: what follows the input is what it adds to that")
    if training.objective.uses_xla or training.options["jit"] == "on":
        notes.append("XLA compiles a step whole: what one part takes depends on what follows it")
    return tuple(notes)


def _flops(engine: Engine, rows: np.ndarray, batch_size: int) -> StepFlops | None:
    """Return the arithmetic of a step, unless the model has that itself."""
    if "backward" not in engine.parts:
        return None
    return backend().step_flops(engine, _at_hand(engine, rows), batch_size)


class _Call(NamedTuple):
    """A call of the engine: how many steps it took, and how long."""

    steps: int
    seconds: float

    @property
    def step_s(self) -> float:
        return self.seconds / self.steps


def _at_hand(engine: Engine, rows: np.ndarray) -> np.ndarray:
    """Return the rows for which there are data now; where a feed ends, it begins again."""
    source = engine.batch_source
    return rows[: source.ready(len(rows), 0) or source.ready(len(rows), 0)]


def _call_s(engine: Engine, rows: np.ndarray, batch_size: int) -> _Call:
    rows = _at_hand(engine, rows)
    started_s = time.perf_counter()
    failure = engine.run(rows, batch_size)
    seconds = time.perf_counter() - started_s
    if failure is not None:
        raise InputError("the loss of a step is not finite; look at data and model with kexp.check.")
    return _Call(len(rows), seconds)


class _Parts:
    """Steps that end after each of their parts, compiled, and what calls of them took.

    Beside the parts there are "nothing", a step that does nothing, and "calls", how much longer a step takes
    in calls of as few steps as those of the loop.
    """

    def __init__(self, engine: Engine, rows: np.ndarray, batch_size: int, steps_per_call: float) -> None:
        self._names, self._batch_size = ["nothing", *engine.parts], batch_size
        engines = [engine.until(name) for name in self._names] + [engine]
        some, count = _spread(rows, _FEWEST_STEPS), _FEWEST_STEPS
        for _ in range(2):  # of few steps, a part of the time is that of the call
            step_s = _call_s(engine, some, batch_size).step_s
            count = max(_FEWEST_STEPS, min(len(rows), int(_CALL_S / step_s)))
            some = _spread(rows, count)
        for one in engines:
            _call_s(one, some, batch_size)
        few = _spread(rows, max(1, round(steps_per_call)))
        self._compared = [*((one, some) for one in engines), (engine, few)]
        # Several calls to a turn: the first of them still waits for threads of those before.
        self._calls = _CALLS if count * step_s < 2 * _CALL_S else 1
        turn_s = len(self._compared) * self._calls * count * step_s
        self.turns = int(np.clip(_PARTS_S / turn_s, _FEWEST_TURNS, _MOST_TURNS))
        self.calls_s: list[list[list[float]]] = []  # (turns, engines, calls)

    def take_turn(self) -> None:
        """Measure each of them once more."""
        self.calls_s.append(
            [
                [_call_s(one, part, self._batch_size).step_s for _ in range(self._calls)]
                for one, part in self._compared
            ]
        )

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each part of a step in their order, and of what calls take."""
        *typical_s, in_few_s = np.quantile(self.calls_s, _QUANTILE, axis=(0, 2))
        # No part takes less than nothing: a step that seems to take longer than a longer one was slowed down.
        until_s = np.minimum.accumulate(typical_s[::-1])[::-1]
        last = "metrics" if "backward" in self._names else "train_step"
        parts_s = dict(zip([*self._names, last], np.diff(until_s, prepend=0.0).tolist(), strict=True))
        return {**parts_s, "calls": max(0.0, float(in_few_s - until_s[-1]))}


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """Return so many steps from all over an epoch, in which those of like length stand side by side."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _typical(seconds: Iterable[float]) -> float:
    return float(np.quantile([*seconds], _QUANTILE))


def _own_callbacks(training: TrainingSetup) -> list[keras.callbacks.Callback]:
    return [one for one in training.callbacks if type(one).__module__.startswith("kexp.")]


def _train_in_turns(training: TrainingSetup, engine: Engine, rows: np.ndarray) -> _EpochClock:
    """Train for a few short epochs as a run does, but for validation, and measure parts between them."""
    step_s = min(_call_s(engine, rows[:2], training.batch_size).step_s for _ in range(2))
    steps = max(2, min(training.steps_per_epoch, int(_EPOCH_S / step_s)))
    epochs = max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, int(_LOOP_S / (steps * step_s))))
    short = replace(training, epochs=replace(training.epochs, steps=steps, first=0, validation_freq=()))
    timed = _TimedEngine(engine)
    clock = _EpochClock(timed, epochs, lambda pace: _Parts(engine, rows, training.batch_size, pace))
    options = {**training.options, "quiet": True, "early_stop": None, "epochs": 1 + epochs, "spike": None}
    if parse_interval(training.options["checkpoint_every"])[1] != "steps":
        options["checkpoint_every"] = f"{2 + epochs} epochs"  # saving would slow steps of short ones down
    with tempfile.TemporaryDirectory(prefix="kexp-profile-") as folder:
        Loop(
            timed,
            training.objective,
            short.epoch_plan,
            options,  # type: ignore[arg-type]
            training.batch_size,
            folder,
            (clock, *_own_callbacks(training)),
        ).run()
    return clock


def _of_callbacks(left_out: Sequence[keras.callbacks.Callback]) -> tuple[str, ...]:
    if not left_out:
        return ()
    names = ", ".join(sorted({type(callback).__name__ for callback in left_out}))
    return (f"without {names}, which may write; one that hears of every batch makes each step a call",)


class _Epoch(NamedTuple):
    """An epoch of steps, and how much of it was spent in the engine."""

    seconds: float
    called_s: float
    steps: int
    calls: int

    def since(self, begun: _Epoch) -> _Epoch:
        """Return what has come to this since then."""
        return _Epoch(
            self.seconds - begun.seconds,
            self.called_s - begun.called_s,
            self.steps - begun.steps,
            self.calls - begun.calls,
        )

    @property
    def step_s(self) -> float:
        return self.seconds / self.steps

    @property
    def between_s(self) -> float:
        """Seconds outside of the engine for each step."""
        return (self.seconds - self.called_s) / self.steps


class _TimedEngine:
    """An engine that adds up its calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.called_s, self.steps, self.calls = 0.0, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Take steps as the engine does."""
        started_s = time.perf_counter()
        failure = self._engine.run(rows, batch_size)
        self.called_s += time.perf_counter() - started_s
        self.steps += len(rows)
        self.calls += 1
        return failure


class _EpochClock(keras.callbacks.Callback):
    """Measures epochs up to where they are validated, and then parts of a step.

    The first of the callbacks hears of the end of an epoch at once. Parts are compiled after the second, the
    first one that is like those to come.
    """

    def __init__(self, engine: _TimedEngine, epochs: int, parts_of: Callable[[float], _Parts]) -> None:
        super().__init__()
        self._engine, self._count, self._parts_of = engine, epochs, parts_of
        self._parts: _Parts | None = None
        self._begun = self._now()
        self.epochs: list[_Epoch] = []
        self.peak_bytes: tuple[int, int | None] = (0, None)

    def _now(self) -> _Epoch:
        return _Epoch(time.perf_counter(), self._engine.called_s, self._engine.steps, self._engine.calls)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._begun = self._now()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        last = self._now().since(self._begun)
        self.epochs.append(last)
        if epoch == 0:
            return
        if self._parts is None:
            self.peak_bytes = peak_resident_bytes(), backend().device_peak_bytes()
            self._parts = self._parts_of(last.steps / last.calls)
        while len(self._parts.calls_s) < epoch * self._parts.turns // self._count:
            self._parts.take_turn()

    def parts_s(self) -> dict[str, float]:
        """Return the seconds of each part."""
        assert self._parts is not None
        return self._parts.seconds()
