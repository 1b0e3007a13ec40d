"""Runs of MLflow: arguments, metrics, files and the model; the trials of a sweep lie in a run of the sweep.

    kexp run cnn_images --data digits --track mlflow
    mlflow ui

They are where MLflow is told to keep them, by MLFLOW_TRACKING_URI; by default in `mlflow.db` in the working
directory. The experiment is MLFLOW_EXPERIMENT_NAME, or has the name of the recipe. A metric's step is the
epoch, counted from 1. Those that are measured once, at the end, have their own names, as `test_accuracy`, but
where an epoch has a metric of that name: then they are `final/NAME`. The model is read by
`mlflow.keras.load_model("runs:/ID/model")`, after `import kexp.models` where it has layers of kexp's.

The folder of a run holds `mlflow.json` with the id, so that a run which is killed and goes on is one run
there, with each epoch once.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.files import write_json
from kexp.core.json_files import read_json_file
from kexp.run.model_file import load_model
from kexp.run.run_files import ADVICE, CONFIG, CURVES, ENVIRONMENT, METRICS, MODEL, RESULT
from kexp.trackers.base import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILE = "mlflow.json"
_PARENT = "mlflow.parentRunId"
_FILES = (CONFIG, ENVIRONMENT, METRICS, RESULT, CURVES)
_MOST_PARAMS = 100  # that a server takes at once
# What a user logs is told to nobody else, and training does not wait for minutes for a server that is gone.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds
}


def tracker(asked: bool) -> MLflow | None:
    """Return the tracker if it is asked for."""
    return MLflow() if asked else None


def sweep_started(folder: Path, config: dict[str, Any]) -> None:
    """Begin the run that those of the trials lie in, or go on with it."""
    client = _client()
    run_id = _recorded_run(client, folder)
    if run_id is None:
        run_id = _new_run(client, folder, config["recipe"], folder.absolute().name, {})
    _log_params(client, run_id, config["arguments"])
    client.update_run(run_id, status="RUNNING")


def sweep_ended(folder: Path, error: BaseException | None) -> None:
    """End the run of a sweep."""
    client = _client()
    run_id = _recorded_run(client, folder)
    if run_id is not None:
        client.set_terminated(run_id, _status(error))


class MLflow:
    """Logs a run by MLflow's client, which leaves the process's active run alone."""

    name = "mlflow"

    def __init__(self) -> None:
        self._client: MlflowClient | None = None
        self._run_dir = Path()
        self._run_id = ""
        self._logged: dict[tuple[str, int], str] = {}  # of each metric and epoch, the number as a text

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        client = self._client = _client()
        self._run_dir = run.run_dir
        run_id = _recorded_run(client, run.run_dir)
        if run_id is None:
            parent = None if run.sweep is None else _recorded_run(client, run.sweep)
            tags = {} if parent is None else {_PARENT: parent}
            run_id = _new_run(client, run.run_dir, run.config["recipe"], run.name, tags)
        self._run_id = run_id
        _log_params(client, run_id, run.config["arguments"])
        client.update_run(run_id, status="RUNNING")
        self._logged = {
            (name, one.step): repr(one.value)
            for name in client.get_run(run_id).data.metrics
            for one in client.get_metric_history(run_id, name)
        }
        for number, metrics in run.numbered(history):
            self.epoch(number, metrics)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        self._log(number, metrics)

    def finished(self, metrics: dict[str, float]) -> None:
        assert self._client is not None
        of_epochs = {name for name, step in self._logged if step}
        clear = {name if _key(name) not in of_epochs else f"final/{name}": metrics[name] for name in metrics}
        self._log(0, clear)
        for name in _FILES:
            if (self._run_dir / name).is_file():
                self._client.log_artifact(self._run_id, str(self._run_dir / name))
        if (self._run_dir / MODEL).is_file():
            _log_model(self._client, self._run_id, self._run_dir / MODEL)
        self._client.set_terminated(self._run_id, _status(None))

    def failed(self, error: BaseException) -> None:
        if self._client is not None:
            self._client.set_terminated(self._run_id, _status(error))

    def _log(self, step: int, metrics: dict[str, float]) -> None:
        """Log the metrics of an epoch, or of the end, that are not there yet: MLflow only ever adds."""
        from mlflow.entities import Metric

        new = {_key(name): float(value) for name, value in metrics.items()}
        new = {name: value for name, value in new.items() if self._logged.get((name, step)) != repr(value)}
        now_ms = int(time.time() * 1000)
        if new and self._client is not None:
            logged = [Metric(name, value, now_ms, step) for name, value in new.items()]
            self._client.log_batch(self._run_id, metrics=logged)
        self._logged |= {(name, step): repr(value) for name, value in new.items()}


def _status(error: BaseException | None) -> str:
    if error is None:
        return "FINISHED"
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def _client() -> MlflowClient:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient()


def _recorded_run(client: MlflowClient, folder: Path) -> str | None:
    """Return the id of the run that a folder names, if MLflow has it where it keeps runs now."""
    from mlflow.exceptions import MlflowException

    if not (folder / FILE).exists():
        return None
    recorded = read_json_file(folder / FILE, {"tracking_uri": str, "run_id": str}, advice="remove it")
    # Where a folder of somebody else's says that runs are kept is not where they are sent to.
    if recorded["tracking_uri"] != client.tracking_uri:
        return None
    try:
        return str(client.get_run(recorded["run_id"]).info.run_id)
    except MlflowException:  # it was deleted
        return None


def _new_run(client: MlflowClient, folder: Path, recipe: str, name: str, tags: dict[str, str]) -> str:
    experiment = _experiment(client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or recipe)
    tags = {**tags, "recipe": recipe, "run_dir": str(folder.absolute())}
    run_id = str(client.create_run(experiment, tags=tags, run_name=name).info.run_id)
    write_json(folder / FILE, {"tracking_uri": client.tracking_uri, "run_id": run_id})
    return run_id


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:  # another process has made it meanwhile
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _log_params(client: MlflowClient, run_id: str, arguments: dict[str, Any]) -> None:
    """Log arguments; one that has changed, as a run has more epochs now, is a tag, since a param stays."""
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    values = {_key(name): _text(value) for name, value in arguments.items()}
    new = [Param(name, value) for name, value in values.items() if name not in known]
    for first in range(0, len(new), _MOST_PARAMS):
        client.log_batch(run_id, params=new[first : first + _MOST_PARAMS])
    for name, value in values.items():
        if known.get(name, value) != value:
            client.set_tag(run_id, name, value)


def _log_model(client: MlflowClient, run_id: str, path: Path) -> None:
    import keras
    import mlflow.keras

    from kexp import __version__

    needs = [f"kexp=={__version__}", f"keras=={keras.__version__}"]
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model")
        mlflow.keras.save_model(load_model(path, ADVICE), model, pip_requirements=needs)
        client.log_artifacts(run_id, model, "model")


def _key(name: str) -> str:
    """Return a name with what MLflow has in names; the name of a class may have more.

    Example:
        >>> _key("iou_<b>"), _key("val_loss")
        ('iou__b_', 'val_loss')
    """
    return re.sub(r"[^\w\-. :/]", "_", name)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
