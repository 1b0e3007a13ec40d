"""A run as a row of a list: what its folder says of it, also while it runs, or when it is damaged."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.options import DEFAULTS
from kexp.data.memory_forms import argument_label
from kexp.run.folder import is_trained_in
from kexp.run.metrics_file import read_epochs
from kexp.run.run_files import CONFIG, RESULT, read_config, read_result
from kexp.tasks import task_named

State = Literal["finished", "running", "interrupted", "damaged"]
_DEPTH = 6  # folders below the one that is asked for


@dataclass(frozen=True)
class RunRow:
    """What a list says of a run.

    Attributes:
        run_dir: The run folder.
        name: Its path below the folder that was listed.
        state: finished; running: another process trains it; interrupted: none does; damaged: a file of it
            cannot be read.
        recipe: Its name, fit for a run of `kexp.fit`; empty where it is not known.
        data: What it was trained on.
        begun_s: When it began, in seconds since 1970.
        seed: Of the run.
        metric: The metric that its best epoch is chosen by, or the loss where there is none.
        value: The metric, of the chosen epoch or of the last one so far; NaN where there is none.
        epochs: That were trained.
        parameters: Numbers in the weights of the model; None as long as the run has not finished.
        seconds: How long it took, from its last start; None as long as it has not finished.
        metrics: All that are known.
        arguments: What decides the result.
        problem: What is damaged, or "".
    """

    run_dir: Path
    name: str
    state: State
    recipe: str = ""
    data: str = ""
    begun_s: float = 0.0
    seed: int | None = None
    metric: str = ""
    value: float = math.nan
    epochs: int = 0
    parameters: int | None = None
    seconds: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def date(self) -> str:
        """When it began, in the time of this machine, as 2026-01-31 09:30."""
        return datetime.fromtimestamp(self.begun_s).strftime("%Y-%m-%d %H:%M") if self.begun_s else ""

    def known(self) -> dict[str, Any]:
        """Return what conditions and orders can ask for, by name."""
        own = {
            name: getattr(self, name)
            for name in ("name", "state", "recipe", "data", "date", "seed", "epochs", "parameters", "seconds")
        }
        arguments = {name: _plain(value) for name, value in self.arguments.items()}
        return {**arguments, **self.metrics, **own}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else argument_label(value)


def read_row(run_dir: Path, name: str) -> RunRow:
    """Return the row of a run folder; one that is damaged says what is.

    Example:
        >>> row = read_row(run_dir, "first")
        >>> row.state, row.recipe, row.data, row.metric, row.epochs
        ('finished', 'mlp_images', 'digits', 'val_accuracy', 2)
    """
    begun_s = os.lstat(run_dir / CONFIG).st_mtime
    try:
        config = read_config(run_dir)
    except InputError as error:
        return RunRow(run_dir, name, "damaged", begun_s=begun_s, problem=str(error))
    arguments = {**config["arguments"]}
    seed = arguments.get("seed", DEFAULTS["seed"])
    facts: dict[str, Any] = {
        "recipe": config["recipe"],
        "data": argument_label(arguments.get("data", "")),
        "begun_s": begun_s,
        "seed": seed if isinstance(seed, int) else None,
        "arguments": arguments,
    }
    try:
        found, state = _measured(run_dir, arguments)
    except InputError as error:
        return RunRow(run_dir, name, "damaged", **facts, problem=str(error))
    return RunRow(run_dir, name, state, **facts, **found)


def _measured(run_dir: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], State]:
    if os.path.lexists(run_dir / RESULT):
        result = read_result(run_dir)
        metric = headline(result["metrics"], arguments, result["spec"].get("task"))
        found = {name: result[name] for name in ("metrics", "parameters", "seconds")}
        epochs = len(next(iter(result["history"].values())))
        return {**found, "epochs": epochs, **_valued(metric, result["metrics"])}, "finished"
    history = read_epochs(run_dir)
    last = {name: value for name, value in (history[-1] if history else {}).items() if name != "epoch"}
    metric = headline(last, arguments, None)
    state: State = "running" if is_trained_in(run_dir) else "interrupted"
    return {"metrics": last, "epochs": len(history), **_valued(metric, last)}, state


def _valued(metric: str, metrics: dict[str, float]) -> dict[str, Any]:
    return {"metric": metric, "value": float(metrics.get(metric, math.nan))}


def headline(metrics: dict[str, float], arguments: dict[str, Any], task: object) -> str:
    """Return the metric that a run is told by: of its monitor, its task, or the first that it has.

    Args:
        metrics: Of the run.
        arguments: Of the run.
        task: The name of its task, as far as it is known.

    Example:
        >>> headline({"loss": 0.3, "val_loss": 0.4, "val_accuracy": 0.9}, {}, None)
        'val_accuracy'
    """
    wished = [str(arguments.get("monitor") or "").lstrip("+-")]
    if isinstance(task, str):
        with suppress(InputError):
            wished.append(task_named(task).monitor)
    validated = [name for name in metrics if name.startswith("val_")]
    wished += ["val_accuracy", *(name for name in validated if name != "val_loss"), "val_loss", "loss"]
    return next((name for name in wished if name in metrics), "")


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield the run folders in a folder, itself included, in the order of their names.

    Links are not followed, and no run is looked for within another, nor deeper than six folders down.
    """
    if os.path.isfile(folder / CONFIG):
        yield folder
        return
    for path, folders, files in os.walk(folder, onerror=_left_out):
        depth = len(Path(path).relative_to(folder).parts)
        if CONFIG in files:
            folders.clear()
            yield Path(path)
        elif depth >= _DEPTH:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _left_out(error: OSError) -> None:
    said = f"Folder {error.filename} cannot be read ({reason(error)}); runs in it are left out."
    warnings.warn(said, RuntimeWarning, stacklevel=2)
