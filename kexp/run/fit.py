"""`kexp.fit`: train a model, record everything, and return the result."""

from __future__ import annotations

import errno
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import replacing, write_json
from kexp.core.options import TrainOptions, Unpack, complete
from kexp.core.signatures import shows_options
from kexp.data import Dataset, Split
from kexp.engine.backend import backend
from kexp.engine.base import Engine, Workers
from kexp.run.checkpoint_dir import CheckpointDir
from kexp.run.context import RecipeCall, run_context
from kexp.run.environment import describe_environment
from kexp.run.example_inputs import save_samples
from kexp.run.folder import NonChiefRunFolder, RunFolder
from kexp.run.inference import raw_outputs
from kexp.run.learning_curves import draw_curves
from kexp.run.result import Result, load
from kexp.run.training_setup import Score, TrainingSetup, prepare, space_needed
from kexp.tasks import task_named
from kexp.train.callbacks import SampleGrids
from kexp.train.loop import Loop
from kexp.train.objectives import Objective

Baselines = Mapping[str, Callable[[Any], np.ndarray]]


@shows_options
def fit(
    model: keras.Model,
    data: Dataset,
    *,
    objective: Objective | None = None,
    preprocessing: keras.Model | None = None,
    target_preprocessing: keras.Model | None = None,
    answers: keras.Model | None = None,
    scores: Mapping[str, Score] | None = None,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    augmentation: Sequence[keras.layers.Layer] = (),
    sample_weight: np.ndarray | None = None,
    baselines: Baselines | None = None,
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a model on a data set and record the run in its folder.

    The weights of the epoch with the best validation figure are kept; without validation data, the
    last. The test part is looked at once, with those weights.

    Args:
        model: An uncompiled Keras model; outputs (batch, data.spec.outputs), logits for a classifier.
        data: What to train on, from `kexp.data.load`.
        objective: What a step minimises, from `kexp.objectives`; None (default): that the model gives the
            targets of the data, by the loss and metrics of the task.
        preprocessing: A model without trainable weights from raw inputs to what `model` takes. It is
            applied once before training, and stands before `model` in what is recorded and exported.
        target_preprocessing: For texts as targets, a model from them to (batch, steps + 1) int32 tokens, a
            start token first and 0 for padding, such as `kexp.models.tokenizer` gives. What `model` takes
            is all but the last of them, what it shall give all but the first. With a `preprocessing`, it
            takes them as its input "previous", and what that makes of the inputs as "source".
        answers: A model that contains `model`, and is recorded, asked and exported in place of it and of
            `preprocessing`: for texts as targets, from (batch,) strings to a mapping with "text" (batch,) or
            "log_probability" (batch,), such as `kexp.models.transcriber` gives. None (default): of an
            autoencoder's objective a `kexp.models.Reconstructor`, else both as they are.
        scores: By name, functions from a part of the raw data and what `answers` gives for it to a figure, or
            to several by what their names end in; measured on validation and test data when training has
            ended.
        loss: A Keras loss in place of the task's own (cross-entropy; squared error).
        metrics: Keras metrics in place of the task's own (accuracy; RMSE and MAE).
        callbacks: Keras callbacks. The state of Keras's own, and of those with the methods `get_state` and
            `set_state`, is part of a checkpoint.
        augmentation: Keras layers that change training batches, such as `kexp.models.image_augmentation`
            gives; the model that is recorded is without them.
        sample_weight: (training samples,) weights of the training loss, in the order of `data.train`.
        baselines: By name, functions from raw inputs to (samples, outputs) such as
            `kexp.metrics.naive_forecast` gives; measured on the same validation and test data as the model,
            and named before the figure: `test_naive_mean_absolute_error`.
        **train: Training options; see `TrainOptions`.

    Returns:
        The result of the run.

    Raises:
        InputError: An argument is out of range, or model and data do not fit each other.

    Example:
        >>> import kexp
        >>> data = kexp.data.load("iris")
        >>> preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
        >>> model = kexp.models.mlp(preprocessing.output_shape[1:], 3, hidden=(16,))
        >>> result = fit(model, data, preprocessing=preprocessing, epochs=1, run_dir=new_dir, quiet=True)
        >>> sorted(result.metrics)[:2]
        ['accuracy', 'loss']
    """
    options = complete(dict(train))
    context = run_context()
    data = context.visible(data)
    call = context.call or RecipeCall("fit", {**options, "data": data.name, "model": _plain_name(model)})
    folder = RunFolder.choose(options["run_dir"], call.recipe, call.config())
    if folder.finished():
        return load(folder.path)
    state = CheckpointDir.choose(options["checkpoint_dir"], folder.path)
    started_s = time.perf_counter()
    training = prepare(
        model,
        data,
        options,
        objective=objective,
        preprocessing=preprocessing,
        target_preprocessing=target_preprocessing,
        loss=loss,
        metrics=metrics,
        callbacks=callbacks,
        augmentation=augmentation,
        sample_weight=sample_weight,
        answers=answers,
        scores=scores or {},
    )
    if context.capture is not None:
        context.capture.take(training)
    environment = {**describe_environment(training.raw, options["seed"]), "checkpoint_dir": state.asked}
    workers = backend().workers()
    folder = (RunFolder if workers.is_chief else NonChiefRunFolder)(
        folder.path, {**folder.config, "batch": training.batch}
    )
    with workers.guard(), _full_disk_explained(folder.path):
        folder.check_same_data(environment)
        if workers.is_chief:
            state.check_same_run(folder, environment)
        engine = training.engine()
        if workers.is_chief:
            _check_space(engine, folder.path, quiet=options["quiet"])
            if not options["quiet"]:
                _say_batch(training.batch)
            state.create(folder, environment)
        folder.create(environment)
        with folder.locked():
            # First, while averages are still in the model.
            drawn = folder.path if workers.is_chief else None
            grids = [SampleGrids(drawn)] if task_named(training.objective.task).makes_samples else []
            loop = Loop(
                engine,
                training.objective,
                training.epoch_samples,
                training.options,
                training.batch_size,
                state.path,
                (*grids, *training.callbacks),
                folder.append_metrics,
                folder.rewrite_metrics,
            )
            loop.run()
            return _record(training, loop, baselines or {}, folder.path, started_s, workers)


def _plain_name(model: keras.Model) -> str:
    """Return a model's name without the number that Keras gives to the second one in a process."""
    return re.sub(r"_\d+$", "", model.name)


def _record(
    training: TrainingSetup,
    loop: Loop,
    baselines: Baselines,
    run_dir: Path,
    started_s: float,
    workers: Workers,
) -> Result:
    training.model.optimizer = None
    figures = _final_figures(training, loop)  # which all workers measure together
    trained = training.answers or raw_model(training.model, training.preprocessing)
    recorded: dict[str, Any] = {}
    if workers.is_chief:
        figures.update(_baseline_figures(training, baselines))
        figures.update(_scores(training))
        with replacing(run_dir / "model.keras") as temporary:
            trained.save(temporary)
        save_samples(run_dir / "samples.npz", training.raw)
        recorded = _write_result(training, loop, figures, run_dir, started_s)
    content = workers.broadcast(json.dumps({**recorded, "run_dir": str(run_dir)}).encode())
    result = Result.from_json(json.loads(content))
    vars(result)["model"] = trained  # what `Result.model` would otherwise read back from the folder
    return result


def _final_figures(training: TrainingSetup, loop: Loop) -> dict[str, float]:
    position = loop.position
    figures = dict(position.history[(position.best_epoch or len(position.history)) - 1])
    if training.data.test is not None:
        evaluator = backend().evaluator(
            training.model, training.objective, training.data.test, training.data.train
        )
        measured = evaluator.measure(position.batch_size)
        figures.update({f"test_{name}": value for name, value in measured.items()})
    return figures


def _baseline_figures(training: TrainingSetup, baselines: Baselines) -> dict[str, float]:
    """Return the figures of forecasts that are not trained, by part and name."""
    figures = {}
    for part, split in _measured_parts(training):
        for name, forecast in baselines.items():
            measured = backend().measure_outputs(training.objective, split.targets, forecast(split.inputs))
            figures.update({f"{part}_{name}_{figure}": value for figure, value in measured.items()})
    return figures


def _scores(training: TrainingSetup) -> dict[str, float]:
    """Return the figures of what the trained model answers, by part and name."""
    figures: dict[str, float] = {}
    if training.answers is None or not training.scores:
        return figures
    for part, split in _measured_parts(training):
        given = raw_outputs(training.answers, split.inputs, 256)
        for name, score in training.scores.items():
            measured = score(split, given)
            endings = measured if isinstance(measured, Mapping) else {"": measured}
            figures.update({f"{part}_{name}{ending}": float(value) for ending, value in endings.items()})
    return figures


def _measured_parts(training: TrainingSetup) -> list[tuple[str, Split]]:
    """Return the raw parts that a trained model is measured on, by the prefix of their figures."""
    parts = (("val", training.raw.validation), ("test", training.raw.test))
    return [(part, split) for part, split in parts if split is not None]


def _write_result(
    training: TrainingSetup, loop: Loop, figures: dict[str, float], run_dir: Path, started_s: float
) -> dict[str, Any]:
    history = loop.position.history
    curves = {name: [epoch[name] for epoch in history] for name in history[0]}
    with replacing(run_dir / "curves.png") as temporary:
        draw_curves(curves).savefig(temporary, dpi=110)
    recorded = {
        "metrics": figures,
        "epochs": len(history),
        "best_epoch": loop.position.best_epoch,
        "parameters": training.model.count_params(),
        "history": curves,
        "spec": training.raw.spec.to_json(),
        "from_logits": training.objective.from_logits,
        "seconds": round(time.perf_counter() - started_s, 3),
    }
    # The last file to be written: a folder with it is a finished run.
    write_json(run_dir / "result.json", recorded)
    return recorded


@contextmanager
def _full_disk_explained(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            f"run_dir {run_dir} is on a full disk; free some space and repeat the same call, "
            "which goes on from the last whole checkpoint."
        ) from error


def raw_model(model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
    """Return a model of raw inputs, with what has to be done to them before."""
    if preprocessing is None:
        return model
    return keras.Model(preprocessing.input, model(preprocessing.output), name=model.name)


def _check_space(engine: Engine, run_dir: Path, *, quiet: bool) -> None:
    """Say what the run will take on the disk, before it is trained, and refuse when there is no room."""
    existing = next(path for path in (run_dir, *run_dir.absolute().parents) if path.exists())
    needed, free = space_needed(engine), shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"run_dir {run_dir} needs about {needed / 1e6:.0f} MB for checkpoints and the model, and "
            f"its disk has {free / 1e6:.0f} MB free; free some space or give another run_dir."
        )
    if not quiet:
        print(f"run folder {run_dir}, about {needed / 1e6:.0f} MB of {free / 1e6:,.0f} MB free")


def _say_batch(batch: dict[str, int]) -> None:
    replicas = batch["replicas"]
    if replicas > 1:
        print(
            f"batches of {batch['global_batch']} samples, {batch['per_replica_batch']} on each of {replicas} "
            f"replicas; {batch['accumulate']} to a step"
        )
