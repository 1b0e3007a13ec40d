"""Runs of Weights & Biases, kept on the disk: arguments, metrics and the final ones.

    kexp run cnn_images --data digits --track wandb
    wandb sync runs/…/wandb/offline-run-*

They are in `wandb/` in the run folder, or in WANDB_DIR, and go nowhere unless WANDB_MODE says so. The project
is WANDB_PROJECT, or has the name of the recipe; the trials of a sweep are a group. The x-axis is the metric
`epoch`, counted from 1; the metrics that are measured once, at the end, are `final/NAME` in the summary.

The folder of a run holds `wandb.json` with the id and the epochs that were logged: a run which is killed and
goes on has the same id, and `wandb sync` of its two folders, the later one with `--append`, makes one run.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

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
        self._path = Path()
        self._id = ""
        self._epochs = 0  # that were logged
        self._run: Any = None

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        if self._run is None:
            self._path = run.run_dir / FILE
            self._id, self._epochs = uuid.uuid4().hex[:8], 0
            if self._path.exists():
                known = read_json_file(self._path, {"id": str, "epochs": int}, advice="remove it")
                self._id, self._epochs = known["id"], known["epochs"]
            self._run = self._begun(run)
        self._epochs = min(self._epochs, len(history))  # of a run that goes back, those after it are void
        for number in range(self._epochs, len(history)):
            self.epoch(number + 1, history[number])

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        self._run.log({"epoch": number, **metrics})
        self._epochs = number
        write_json(self._path, {"id": self._id, "epochs": number})

    def finished(self, metrics: dict[str, float]) -> None:
        self._run.summary.update({f"final/{name}": value for name, value in metrics.items()})
        self._end(0)

    def failed(self, error: BaseException) -> None:
        self._end(1)

    def _begun(self, run: TrackedRun) -> Any:
        import wandb

        begun = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or run.config["recipe"],
            name=run.name,
            id=self._id,
            group=None if run.sweep is None else run.sweep.absolute().name,
            config={"recipe": run.config["recipe"], **run.config["arguments"]},
            dir=os.environ.get("WANDB_DIR") or str(run.run_dir),
            mode=os.environ.get("WANDB_MODE") or "offline",  # type: ignore[arg-type]
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", save_code=False),
        )
        begun.define_metric("*", step_metric="epoch")
        return begun

    def _end(self, code: int) -> None:
        if self._run is not None:
            self._run.finish(exit_code=code)
        self._run = None
