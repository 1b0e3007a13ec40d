"""Runs of Weights & Biases, kept on the disk: arguments, metrics and the final ones.

    kexp run cnn_images --data digits --track wandb
    wandb sync wandb/latest-run

They are in `wandb/` in the working directory, or in WANDB_DIR, and go nowhere unless WANDB_MODE says so; not
in the run folder, since they have links that lead out of it. The project is WANDB_PROJECT, or has the name of
the recipe; the trials of a sweep are a group. The x-axis is the metric `epoch`, counted from 1; the metrics
that are measured once, at the end, are `final/NAME` in the summary.

The folder of a run holds `wandb.json` with the id. Each time that a run goes on it has another folder below
`wandb/`, with that id and all epochs from the first: the last one is what there is to sync.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError, shown
from kexp.core.files import write_json
from kexp.core.json_files import read_json_file
from kexp.trackers.base import TrackedRun

FILE = "wandb.json"


def tracker(asked: bool) -> WandB | None:
    """Return the tracker if it is asked for."""
    return WandB() if asked else None


class WandB:
    """Logs a run by a writer of its own, beside whatever else the process logs."""

    name = "wandb"

    def __init__(self) -> None:
        self._run: Any = None

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        self._end(0)  # of a run that goes back, what comes after the place is void
        self._run = _begun(run, _run_id(run.run_dir / FILE))
        for number, metrics in run.numbered(history):
            self.epoch(number, metrics)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        self._run.log({"epoch": number, **metrics}, step=number)

    def finished(self, metrics: dict[str, float]) -> None:
        self._run.summary.update({f"final/{name}": value for name, value in metrics.items()})
        self._end(0)

    def failed(self, error: BaseException) -> None:
        self._end(1)

    def _end(self, code: int) -> None:
        if self._run is not None:
            self._run.finish(exit_code=code)
        self._run = None


def _run_id(path: Path) -> str:
    """Return the id of a run, which is made and written down the first time."""
    if not path.exists():
        write_json(path, {"id": uuid.uuid4().hex[:8]})
    found = str(read_json_file(path, {"id": str}, advice="remove it")["id"])
    if not found.isalnum():  # which is part of the names of files, and may be of somebody else's folder
        raise InputError(
            f"file {path}: id must be letters and digits; received {shown(found)}, so remove it."
        )
    return found


def _begun(run: TrackedRun, run_id: str) -> Any:
    import wandb

    begun = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or run.config["recipe"],
        name=run.name,
        id=run_id,
        group=None if run.sweep is None else run.sweep.absolute().name,
        config={"recipe": run.config["recipe"], **run.config["arguments"]},
        mode=os.environ.get("WANDB_MODE") or "offline",  # type: ignore[arg-type]
        resume="allow",
        reinit="create_new",
        settings=wandb.Settings(silent=True, console="off", save_code=False),
    )
    begun.define_metric("*", step_metric="epoch")
    return begun
