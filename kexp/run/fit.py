"""`kexp.fit`: train a model, record everything, and return the result."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from kexp.atomic import replacing, write_json
from kexp.data import Data, Split
from kexp.errors import InputError
from kexp.run.curves import draw_curves
from kexp.run.environment import describe_environment
from kexp.run.folder import RunFolder
from kexp.run.recipe import Call, current_call
from kexp.run.result import Result, load, raw_outputs
from kexp.run.samples import save_samples
from kexp.train.engine_tensorflow import Evaluation, TensorFlowEngine
from kexp.train.loop import Loop
from kexp.train.objectives import Objective, gives_logits, supervised
from kexp.train.optimizers import optimizer_for
from kexp.train.options import TrainOptions, Unpack, complete

_FAST_DEV_BATCHES = 3


def fit(
    model: keras.Model,
    data: Data,
    *,
    preprocessing: keras.Model | None = None,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a model on a data set and record the run in its folder.

    The weights of the epoch with the best validation figure are kept; without validation data, the
    last. The test part is looked at once, with those weights.

    Args:
        model: An uncompiled Keras model; outputs (batch, data.spec.outputs), logits for a classifier.
        data: What to train on, from `kexp.data.load`.
        preprocessing: A model without trainable weights from raw inputs to what `model` takes. It is
            applied once before training, and stands before `model` in what is recorded and exported.
        loss: A Keras loss in place of the task's own (cross-entropy; squared error).
        metrics: Keras metrics in place of the task's own (accuracy; RMSE and MAE).
        callbacks: Keras callbacks.
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
    call = current_call() or Call("fit", {**options, "data": data.name, "model": model.name})
    folder = RunFolder.choose(options["run_dir"], call.recipe, call.config())
    if folder.finished():
        return load(folder.path)
    _check(model, data, options)
    started_s = time.perf_counter()
    data, options = _shortened(data, options) if options["fast_dev_run"] else (data, options)
    environment = describe_environment(data, options["seed"])
    folder.check_same_data(environment)
    ready = data if preprocessing is None else _preprocessed(data, preprocessing)
    from_logits = gives_logits(_first_outputs(model, ready), data.spec)
    smoothing = options["label_smoothing"]
    objective = supervised(
        data.spec, from_logits=from_logits, loss=loss, metrics=metrics, label_smoothing=smoothing
    )
    steps = options["epochs"] * -(-len(data.train) // options["batch_size"])
    # Callbacks look for the optimizer here. The model is not compiled: that would be saved with it.
    model.optimizer = optimizer_for(options, model, steps)
    engine = TensorFlowEngine(model, objective, ready.train, ready.validation)
    _check_space(engine, folder.path)
    with _full_disk_explained(folder.path):
        folder.create(environment)
        loop = Loop(
            engine, len(ready.train), options, folder.path / "checkpoints", callbacks, folder.append_metrics
        )
        loop.restore()
        folder.rewrite_metrics(loop.position.history)
        loop.run()
        model.optimizer = None
        figures = _final_figures(loop, engine, ready.test)
        trained = _raw_model(model, preprocessing)
        with replacing(folder.path / "model.keras") as temporary:
            trained.save(temporary)
        save_samples(folder.path / "samples.npz", data)
        _write_result(loop, figures, objective, data, folder.path, started_s)
    result = load(folder.path)
    vars(result)["model"] = trained  # what `Result.model` would otherwise read back from the folder
    return result


def _final_figures(loop: Loop, engine: TensorFlowEngine, test: Split | None) -> dict[str, float]:
    position = loop.position
    figures = dict(position.history[(position.best_epoch or len(position.history)) - 1])
    if test is not None:
        measured = Evaluation(engine.model, engine.objective, test).measure(loop.options["batch_size"])
        figures.update({f"test_{name}": value for name, value in measured.items()})
    return figures


def _write_result(
    loop: Loop, figures: dict[str, float], objective: Objective, data: Data, run_dir: Path, started_s: float
) -> None:
    history = loop.position.history
    curves = {name: [epoch[name] for epoch in history] for name in history[0]}
    with replacing(run_dir / "curves.png") as temporary:
        draw_curves(curves).savefig(temporary, dpi=110)
    # The last file to be written: a folder with it is a finished run.
    write_json(
        run_dir / "result.json",
        {
            "metrics": figures,
            "epochs": len(history),
            "best_epoch": loop.position.best_epoch,
            "parameters": loop.engine.model.count_params(),
            "history": curves,
            "spec": data.spec.to_json(),
            "from_logits": objective.from_logits,
            "seconds": round(time.perf_counter() - started_s, 3),
        },
    )


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


def _raw_model(model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
    if preprocessing is None:
        return model
    return keras.Model(preprocessing.input, model(preprocessing.output), name=model.name)


def _preprocessed(data: Data, preprocessing: keras.Model) -> Data:
    def apply(split: Split) -> Split:
        return Split(raw_outputs(preprocessing, split.inputs, 1024), split.targets)

    return replace(
        data,
        train=apply(data.train),
        validation=data.validation and apply(data.validation),
        test=data.test and apply(data.test),
    )


def _shortened(data: Data, options: TrainOptions) -> tuple[Data, TrainOptions]:
    samples = _FAST_DEV_BATCHES * options["batch_size"]
    shortened = replace(
        data,
        train=_head(data.train, samples),
        validation=data.validation and _head(data.validation, samples),
        test=data.test and _head(data.test, samples),
    )
    return shortened, {**options, "epochs": 1}


def _head(split: Split, samples: int) -> Split:
    inputs = split.inputs
    if isinstance(inputs, np.ndarray):
        return Split(inputs[:samples], split.targets[:samples])
    return Split({name: column[:samples] for name, column in inputs.items()}, split.targets[:samples])


def _check(model: keras.Model, data: Data, options: TrainOptions) -> None:
    if type(model).train_step is not keras.Model.train_step:
        raise InputError(
            f"model {model.name} overrides train_step, which kexp's own step would not call; "
            "give a model without it, and its loss as the argument loss."
        )
    if options["batch_size"] > len(data.train):
        raise InputError(
            f"batch_size must be at most the {len(data.train)} training samples of {data.name}; "
            f"received {options['batch_size']}."
        )


def _first_outputs(model: keras.Model, data: Data) -> np.ndarray:
    """Return what the model gives for a few samples, which also builds it if it is not built."""
    try:
        outputs = raw_outputs(model, _head(data.train, 8).inputs, 8)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(
            f"model {model.name} cannot take the inputs of {data.name}, {data.spec.input_shape} "
            f"{data.spec.dtype} each: {reason}."
        ) from error
    if outputs.shape[1:] != (data.spec.outputs,):
        wanted = "classes" if data.spec.task == "classification" else "targets"
        raise InputError(
            f"model {model.name} must give outputs of shape (batch, {data.spec.outputs}) for the data's "
            f"{data.spec.outputs} {wanted}; received (batch, {', '.join(map(str, outputs.shape[1:]))}), "
            "so change its last layer."
        )
    return outputs


def _check_space(engine: TensorFlowEngine, run_dir: Path) -> None:
    existing = next(path for path in (run_dir, *run_dir.absolute().parents) if path.exists())
    state_bytes = sum(array.nbytes for array in engine.read_state().values())
    # Two checkpoints with the best weights in each, a third while it is written, and the model.
    needed, free = 4 * state_bytes + 2_000_000, shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"run_dir {run_dir} needs about {needed / 1e6:.0f} MB for checkpoints and the model, and "
            f"its disk has {free / 1e6:.0f} MB free; free some space or give another run_dir."
        )
