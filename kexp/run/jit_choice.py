"""The choice whether XLA compiles the steps of a run: asked for, by the device, or by the clock."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

from kexp.core.cache_dir import cache_dir
from kexp.core.errors import InputError
from kexp.core.files import write_json
from kexp.core.keras_private import all_layers
from kexp.core.reading_progress import shown_work
from kexp.engine.base import Engine
from kexp.engine.engine_choice import backend
from kexp.run.context import run_context
from kexp.run.environment import processor, versions
from kexp.run.training_setup import TrainingSetup

# Seconds that a run must be going to take for a compilation, which takes seconds itself, to be tried.
LONG_RUN_S = 120.0
LONG_RUN_STEPS = 1000  # fewer are not even timed
_TIMED_S = 1.0
_FOLDER = "jit"  # in the cache folder
# On CPUs XLA takes 2 to 5 times as long for these as TensorFlow's kernels (convnet and ResNet-20, two cores).
_CONVOLUTIONS = (
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose),
    *(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
    *(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
)


class JitChoice(NamedTuple):
    """Whether the steps of a run are compiled, and why, in words.

    Attributes:
        jit: Whether they are.
        reason: For env.json, and
        is_news: whether for the screen, too.
    """

    jit: bool
    reason: str
    is_news: bool = True

    def __str__(self) -> str:
        return f"steps are {'' if self.jit else 'not '}compiled by XLA: {self.reason}"


@dataclass(frozen=True)
class StepTimes:
    """What a step takes, and what it takes to compile it.

    Attributes:
        plain_s: Seconds of a step that is not compiled.
        jit_s: Seconds of one that is.
        compile_s: Seconds of the compilation.
    """

    plain_s: float
    jit_s: float
    compile_s: float

    def saved_s(self, steps: int) -> float:
        """Return how many seconds compilation saves in so many steps; below 0: it costs more.

        Example:
            >>> StepTimes(plain_s=0.25, jit_s=0.125, compile_s=2.0).saved_s(100)
            10.5
        """
        return steps * (self.plain_s - self.jit_s) - self.compile_s


def jit_choice(setup: TrainingSetup, engine: Engine, architecture: Mapping[str, Any]) -> JitChoice:
    """Return whether the steps of a new run are compiled, for the caller to set on the engine.

    The state of the engine stays what it is; what was compiled to find out is there to be used.

    Args:
        setup: What is trained.
        engine: That will take the steps.
        architecture: What is recorded of the models, by which times are remembered.
    """
    asked = setup.options["jit"]
    if engine.device_type == "TPU":
        return JitChoice(False, "TensorFlow compiles all that a TPU computes", is_news=False)
    if asked == "off":
        return JitChoice(False, "jit is off", is_news=False)
    if asked == "on":
        return _where_possible(setup, engine, "jit is on")
    if setup.objective.takes_weights:
        if setup.objective.uses_xla:
            return _where_possible(setup, engine, "the model was compiled with jit_compile")
        return JitChoice(False, "the model was compiled without jit_compile", is_news=False)
    if engine.device_type != "CPU":
        return _where_possible(setup, engine, f"the device is a {engine.device_type}")
    return _by_times(setup, engine, architecture)


def compile_where_asked(setup: TrainingSetup, engine: Engine) -> None:
    """Have XLA compile the steps of an engine whose run is not recorded, where `jit` is on and it can."""
    if setup.options["jit"] == "on":
        engine.jit = jit_choice(setup, engine, {}).jit


def _where_possible(setup: TrainingSetup, engine: Engine, reason: str) -> JitChoice:
    engine.jit = True
    problem = engine.compile_problem(_rows(setup, 1), setup.batch_size)
    return JitChoice(False, f"{reason}, but {problem}") if problem else JitChoice(True, reason)


def _by_times(setup: TrainingSetup, engine: Engine, architecture: Mapping[str, Any]) -> JitChoice:
    """Choose by how long a step takes either way on this machine, where a run is long enough."""
    steps = setup.epoch_plan.steps_before(setup.options["epochs"])
    if steps is None or steps < LONG_RUN_STEPS:
        return JitChoice(False, f"a run of less than {LONG_RUN_STEPS} steps is not timed", is_news=False)
    if run_context().hides_test:
        return JitChoice(False, "runs that are compared do not go by the clock", is_news=False)
    if backend().replicas() > 1 or engine.workers.count > 1:
        return JitChoice(False, "several CPUs train together")
    if any(isinstance(layer, _CONVOLUTIONS) for layer in all_layers(setup.model)):
        return JitChoice(False, "on a CPU it has slow convolutions", is_news=False)
    name = f"{_key(setup, architecture)}.json"
    times = _remembered(name)
    if times is None:
        with shown_work("timing steps with and without XLA"):
            found = _timed(setup, engine, steps)
        if isinstance(found, str):
            return JitChoice(False, found, is_news=False)
        times = found
        _remember(name, times)
    saved_s = times.saved_s(steps)
    gain = f"it saves {saved_s:.0f} s of {steps * times.plain_s:.0f} s"
    return JitChoice(saved_s > 0, gain if saved_s > 0 else "it is not faster on this CPU")


def _timed(setup: TrainingSetup, engine: Engine, steps: int) -> StepTimes | str:
    """Return the times of steps, or why there are none."""
    state = engine.read_state()
    try:
        plain_s = _step_s(setup, engine)
        if plain_s * steps < LONG_RUN_S:
            return f"the run takes less than {LONG_RUN_S / 60:.0f} minutes"
        engine.jit = True
        started_s = time.perf_counter()
        problem = engine.compile_problem(_rows(setup, 1), setup.batch_size)
        compile_s = time.perf_counter() - started_s
        return problem or StepTimes(plain_s, _step_s(setup, engine), compile_s)
    finally:
        engine.restore_state(state)


def _step_s(setup: TrainingSetup, engine: Engine) -> float:
    """Return the seconds of a step, the best of three calls of about a second together."""
    engine.run(_rows(setup, 1), setup.batch_size)  # traced
    one_s = _call_s(setup, engine, 1)
    count = max(1, min(100, int(_TIMED_S / 3 / one_s)))
    return min(_call_s(setup, engine, count) / count for _ in range(3))


def _call_s(setup: TrainingSetup, engine: Engine, count: int) -> float:
    rows = _rows(setup, count)
    started_s = time.perf_counter()
    engine.run(rows, setup.batch_size)
    return time.perf_counter() - started_s


def _rows(setup: TrainingSetup, steps: int) -> np.ndarray:
    """Return (steps, samples) positions in the training data, taken in their order."""
    samples = setup.batch["samples_per_step"]
    return np.resize(np.arange(len(setup.data.train), dtype=np.int32), (steps, samples))


def _key(setup: TrainingSetup, architecture: Mapping[str, Any]) -> str:
    """Return what the time of a step hangs on, as a checksum."""
    graph = ("optimizer", "accumulate", "clip_norm", "clip_value", "ema", "precision", "augmentation")
    what = {
        "architecture": architecture,
        "inputs": [list(setup.data.spec.input_shape or ()), setup.data.spec.dtype, setup.batch_size],
        "options": {name: setup.options.get(name) for name in graph},
        "machine": [versions(), processor()],
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def _remembered(name: str) -> StepTimes | None:
    """Return times that were measured before; a file that is damaged or of another version is not read."""
    try:
        recorded = json.loads((cache_dir() / _FOLDER / name).read_text(encoding="utf-8"))
        return StepTimes(**{name: float(value) for name, value in recorded.items()})
    except (OSError, InputError, ValueError, TypeError, AttributeError):
        return None


def _remember(name: str, times: StepTimes) -> None:
    """Write times down for later runs, which measure again where there is no place for it."""
    with suppress(OSError, InputError):
        folder = cache_dir() / _FOLDER
        folder.mkdir(exist_ok=True)
        write_json(folder / name, asdict(times))
