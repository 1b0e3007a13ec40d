"""What a worker calls a recipe for, wherever the worker runs."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def prepared(threads: int) -> KeptData:
    """Make this process's TensorFlow ready for trials, and return what it keeps from one to the next.

    Args:
        threads: Of TensorFlow, the same whatever cores there are to run on: sums are split by it.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    return KeptData()


def recipe_of(name: str) -> Callable[..., Any]:
    """Return the recipe of a name such as "kexp.recipes.mlp_images:mlp_images"."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class KeptData:
    """Takes the place of `kexp.data.load`: remembers what was loaded last, and keeps the test part back.

    A trial never sees the test part.
    """

    def __init__(self) -> None:
        import kexp.data

        self._test = False
        self._load = kexp.data.load
        self._kept = functools.lru_cache(maxsize=2)(self._loaded)

        @functools.wraps(self._load)
        def load(source: Any, **options: Any) -> Any:
            return self.load(source, **options)

        kexp.data.load = load

    def load(self, source: Any, **options: Any) -> Any:
        """Return a data set, read once for all calls with the same arguments."""
        names, values = tuple(options), tuple(options.values())
        try:
            data = self._kept(source, names, values)
        except TypeError:  # of an argument without a hash
            data = self._loaded(source, names, values)
        return data if self._test else dataclasses.replace(data, test=None)

    @contextlib.contextmanager
    def test_part(self) -> Iterator[None]:
        """Hand out the test part, too, as long as the block lasts."""
        self._test = True
        try:
            yield
        finally:
            self._test = False

    def _loaded(self, source: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
        return self._load(source, **dict(zip(names, values, strict=True)))


def tested(recipe: Callable[..., Any], arguments: dict[str, Any], folder: Path) -> dict[str, float]:
    """Measure a run on test data: it ends a second time, with the test part at hand."""
    (folder / "result.json").unlink(missing_ok=True)
    result = recipe(**arguments, run_dir=str(folder), quiet=True)
    return {name: float(value) for name, value in result.metrics.items()}


def look(recipe: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what a run monitors and about what it takes, or the mistake in the arguments."""
    from kexp.core.errors import InputError
    from kexp.run.context import capture_training

    try:
        return capture_training(_seen, recipe, **arguments, quiet=True)
    except InputError as error:
        return {"mistake": str(error)}
    except Exception:
        return {}  # the trials will say


def _seen(training: Any) -> dict[str, Any]:
    from kexp.metrics.direction import better, stated_directions
    from kexp.preflight.cost import quick_estimate

    objective = training.objective
    expected = quick_estimate(training)
    return {
        "monitor": objective.monitor if training.data.validation is not None else None,
        "mode": objective.mode,
        "directions": {
            **stated_directions(objective.metrics),
            **{name: better(name) for name in training.final_metrics},
        },
        "seconds": expected.epoch_s * training.options["epochs"],
        "bytes": expected.disk_bytes,
    }


def disk_is_full(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, is that the disk is full."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return True
        error = error.__cause__
    return False
