"""The plugin of pytest that `keras_suite.py` runs Keras's tests with: `Model.fit` as it is, or through kexp.

    KERAS_FIT=keras|kexp KERAS_FIT_RESULTS=FILE pytest -p keras_fit …

FILE gets a line of JSON for each test: name, end, seconds, and how often it called `fit`. Tests that cannot
call it are left out. Those that mix Keras's trainer into a layer, which makes a model in all but name, get
`keras.Model` for the trainer, and call its `fit`.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import pytest

RESULTS = Path(os.environ.get("KERAS_FIT_RESULTS", os.devnull))
# What the files of the tests import, and need for other backends alone.
OTHER_BACKENDS = ("jax", "jax.experimental", "jax.experimental.sparse", "torch")


class Calls:
    """Calls of `Model.fit` in the test that runs."""

    count = 0
    errors: list[str] = []  # noqa: RUF012  # one for all is what it is


def fit_by_kexp(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
) -> keras.callbacks.History:
    """Train as `keras.Model.fit` does, by `kexp.fit`; the arguments are Keras's.

    Returns:
        The history, which the model has as its attribute `history` too.
    """
    import kexp

    history = keras.callbacks.History()
    given = {
        "batch_size": 32 if batch_size is None else batch_size,  # Keras's own default
        "callbacks": [*_listed(callbacks), history],
        "validation_split": validation_split,
        "validation_data": validation_data,
        "shuffle": shuffle,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "initial_epoch": initial_epoch,
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
    }
    defaults = {"validation_split": 0.0, "shuffle": True, "initial_epoch": 0, "validation_freq": 1}
    asked = {name: value for name, value in given.items() if value is not defaults.get(name)}
    folder = Path(tempfile.gettempdir()) / f"keras-fit-{os.getpid()}" / str(next(_numbers))
    kexp.fit(model, x, y, epochs=epochs, quiet=verbose == 0, run_dir=str(folder), **asked)
    model.history = history
    return history


_numbers = itertools.count()
_stand_ins: dict[str, ModuleType] = {}
_lines: dict[str, dict[str, Any]] = {}


def _listed(callbacks: Any) -> list[keras.callbacks.Callback]:
    if callbacks is None:
        return []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def counted(fit: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `fit` that is counted, and whose errors are kept: a test may expect one, and get another."""

    def fit_and_count(self: keras.Model, *args: Any, **kwargs: Any) -> Any:
        Calls.count += 1
        try:
            return fit(self, *args, **kwargs)
        except BaseException as error:
            Calls.errors.append(f"{type(error).__name__}: {error}")
            raise

    return fit_and_count


class MixedIn:
    """Stands for Keras's trainer as the base of a class: makes models of what were layers with a trainer."""

    def __init__(self, trainer: type) -> None:
        class Bare(keras.Model):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                keras.layers.Layer.__init__(self, *args, **kwargs)  # the test calls the trainer's

        self._model = Bare
        # What `Trainer.__init__(self)` in a test finds.
        vars(self)["__init__"] = trainer.__init__

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """Return what stands in the place of the trainer: the layer's own `call` comes before the model's."""
        kinds = tuple(base for base in bases if base is not self and base is not keras.layers.Layer)
        return (type("Mixed", (*kinds, self._model), {}),) if kinds else (self._model,)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests without a call of `fit`, by it or by what it calls."""
    kept = [item for item in items if "fit" in inspect.getsource(item.function)]  # type: ignore[attr-defined]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_configure(config: pytest.Config) -> None:
    """Replace `fit` before any test is imported."""
    from keras.src.backend.tensorflow import trainer

    keras.Model.fit = counted(fit_by_kexp if os.environ.get("KERAS_FIT") == "kexp" else keras.Model.fit)
    trainer.TensorFlowTrainer = MixedIn(trainer.TensorFlowTrainer)
    for name in OTHER_BACKENDS:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            module: Any = ModuleType(name)
            module.__path__ = []
            _stand_ins[name] = module
    sys.modules.update(_stand_ins)
    helpers: Any = ModuleType("conftest")  # of Keras's repository, which its distribution lacks
    helpers.skip_if_backend = lambda *backend: lambda test: test
    sys.modules["conftest"] = helpers
    for mark in ("requires_trainable_backend", "multi_device"):
        config.addinivalue_line("markers", f"{mark}: Keras's own")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the empty modules away once the tests have them: what looks for jax must not find one."""
    for name in _stand_ins:
        del sys.modules[name]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Count anew."""
    Calls.count, Calls.errors = 0, []


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Add the count to the report that follows, which goes to the process that writes."""
    item.user_properties += [("calls", Calls.count), ("errors", Calls.errors)]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down how a test ended, of its three parts: which of them failed, and what was counted."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    line = _lines.setdefault(report.nodeid, {"name": report.nodeid, "outcome": "passed", "reason": ""})
    if report.outcome != "passed":
        line.update(outcome=report.outcome, reason=report.longreprtext[-2000:])
    if report.when == "call":
        line["seconds"] = round(report.duration, 2)
    if report.when == "teardown":
        line.update({"calls": 0, "errors": [], **dict(report.user_properties)})
        with open(RESULTS, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
