"""The run of a plan: trained, or gone on with, in its folder, and recorded there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras

from kexp.core.files import replacing, write_json
from kexp.core.options import complete
from kexp.core.reading_progress import quiet_work
from kexp.data import Split
from kexp.data.batch_feed import FedSplit
from kexp.engine.base import PREFERRED, Computation, Engine, Workers, from_chief
from kexp.engine.engine_choice import backend
from kexp.models.lora import merge_lora
from kexp.run.architecture import describe_models, describe_optimizer
from kexp.run.checkpoint_dir import CheckpointDir
from kexp.run.checksums_file import ChecksumsFile
from kexp.run.compiled_model import (
    compiled_for_run,
    recorded_arguments,
    refuse_contradictions,
    restore_weights,
    summary,
)
from kexp.run.context import OpenRun, RecipeCall, run_context
from kexp.run.disk_space import check_space, disk_trouble_explained, lost_folder_explained
from kexp.run.environment import describe_environment
from kexp.run.events import RunEvents
from kexp.run.example_inputs import save_samples
from kexp.run.final_metrics import baseline_metrics, evaluate_run, inference_metrics, judged
from kexp.run.fit_plan import FitPlan
from kexp.run.folder import NonChiefRunFolder, RunDescription, RunFolder
from kexp.run.given_data import with_data
from kexp.run.inference import raw_model
from kexp.run.jit_choice import jit_choice
from kexp.run.learning_curves import draw_curves
from kexp.run.method_comparison import method_comparison
from kexp.run.model_file import save_model
from kexp.run.pace_file import PaceFile
from kexp.run.plan_checks import check_comparable, check_plan
from kexp.run.record import RunRecord
from kexp.run.run_files import CALIBRATION, CURVES, FIT, MODEL, RESULT, SAMPLES, checksums
from kexp.run.run_outline import run_outline
from kexp.run.split_metrics import epoch_measure
from kexp.run.training_end import end_of_training
from kexp.run.training_phases import flags_kept, with_epochs
from kexp.run.training_setup import TrainingSetup, prepare
from kexp.run.unknown_token import settle_unknown_token
from kexp.tasks import task_named
from kexp.trackers.base import MadeTrackers, TrackedRun, Trackers, no_trackers
from kexp.train.callbacks import SampleGrids
from kexp.train.loop import Loop
from kexp.train.position import Position
from kexp.train.step_checksums import Checksums, PacedChecksums, data_checksums, layer_names

# Of an array of training data of which checksums are kept beside the fingerprint.
_MOST_DATA_BYTES = 8_000_000


def train_run(plan: FitPlan, train: Mapping[str, Any], trackers: MadeTrackers = no_trackers) -> RunRecord:
    """Train what is planned and record the run; one that was interrupted goes on, a finished one is loaded.

    Args:
        plan: What is trained, and on what.
        train: Training options; those that are absent have their defaults.
        trackers: From the option `track` to who is told of the run as it goes.

    Raises:
        InputError: An option is out of range, or model and data do not fit each other.
    """
    plan, run = _opened(plan, train)
    told = trackers(run.options["track"])
    if run.folder.finished() and plan.given is None:
        return RunRecord.load(run.folder.path)
    with quiet_work(run.options["quiet"]):
        plan = with_data(plan, run.options)
    if run.folder.finished():
        return _finished(plan, run.folder)
    checkpoints = CheckpointDir.choose(run.options["checkpoint_dir"], run.folder.path)
    started_s = time.perf_counter()
    plan = replace(plan, data=run_context().seen(plan.data))
    with compiled_for_run(plan), flags_kept(plan.model):
        return _prepared(plan, run, checkpoints, told, started_s)


def _opened(plan: FitPlan, train: Mapping[str, Any]) -> tuple[FitPlan, OpenRun]:
    """Return the plan with what the recipe call adds to it, and the run: the call's, or one of its own."""
    check_plan(plan)
    context = run_context()
    run = context.run
    given = train.keys() if run is None else run.call.changed
    if plan.as_compiled:
        refuse_contradictions(plan, given)
    plan = _by_task(plan, train if run is None else run.options)
    train = with_epochs(plan, train)
    if context.call is not None:
        plan = replace(plan, callbacks=(*context.call.callbacks, *plan.callbacks))
    if run is None or train != run.options:
        options = complete(dict(train))
        arguments = {**options, "data": plan.data_name, "model": plan.model_name, **recorded_arguments(plan)}
        run = OpenRun.of(RecipeCall(FIT, arguments) if run is None else run.call, options)
    return plan, run


def _by_task(plan: FitPlan, options: Mapping[str, Any]) -> FitPlan:
    """Return a plan that says whether its data are understood by their targets or by a loss."""
    if plan.given is None:
        return plan
    by_task = plan.objective is not None or not (plan.model.compiled or plan.loss is not None)
    given = replace(plan.given, by_task=by_task, validation=options.get("validation", 0.0))
    return replace(plan, given=given)


def _finished(plan: FitPlan, folder: RunFolder) -> RunRecord:
    """Return the record of a finished run on data in memory, and give its weights to the model."""
    assert plan.data is not None
    folder.check_same_data({"name": plan.data.name, "fingerprint": plan.data.fingerprint})
    record = RunRecord.load(folder.path)
    if plan.preprocessing is None and plan.inference_model is None and (folder.path / MODEL).is_file():
        restore_weights(plan.model, record.model)
    return record


def _prepared(
    plan: FitPlan, run: OpenRun, checkpoints: CheckpointDir, trackers: Trackers, started_s: float
) -> RunRecord:
    context = run_context()
    setup = prepare(plan, run.options, run.call.default_batch_size, chooses=run.folder.predates_budgets())
    if context.capture is not None:
        context.capture.take(setup)
    if not setup.objective.takes_weights and (plan.loss is not None or plan.metrics is not None):
        check_comparable(setup)
    description = _description(setup, plan.target_preprocessing, checkpoints)
    return _train(setup, description, run.folder, checkpoints, trackers, started_s)


def _description(
    setup: TrainingSetup, target_preprocessing: keras.Model | None, checkpoints: CheckpointDir
) -> RunDescription:
    environment = describe_environment(setup.raw, setup.options["seed"])
    architecture = describe_models(
        {
            "model": setup.model,
            "preprocessing": setup.preprocessing,
            "target_preprocessing": target_preprocessing,
            "inference_model": setup.inference_model,
        }
    )
    environment["notes"] += setup.budget
    return RunDescription({**environment, "checkpoint_dir": checkpoints.asked}, architecture)


def _train(
    setup: TrainingSetup,
    description: RunDescription,
    folder: RunFolder,
    checkpoints: CheckpointDir,
    trackers: Trackers,
    started_s: float,
) -> RunRecord:
    workers = backend().workers()
    kind = RunFolder if workers.is_chief else NonChiefRunFolder
    folder = kind(folder.path, {**folder.config, "batch": setup.batch, "epochs": setup.options["epochs"]})
    with workers.guard(), disk_trouble_explained(folder.path):
        _check_same(folder, checkpoints, description, workers)
        engine = _engine(setup, description, _recorded(folder, checkpoints, workers), folder, workers)
        events = _events(setup, engine, folder, trackers if workers.is_chief else None, lambda: loop.position)
        lost = lost_folder_explained(folder.path, checkpoints.path) if workers.is_chief else nullcontext()
        with lost, folder.locked(), events.failure(), closing(engine):
            loop = _loop(setup, engine, folder, checkpoints, events)
            loop.find_checkpoint()
            _create(folder, checkpoints, description, workers)
            loop.run()
            record = _record(setup, loop, folder.path, started_s, workers)
        events.finished(record.metrics)
    return record


def _events(
    setup: TrainingSetup,
    engine: Engine,
    folder: RunFolder,
    trackers: Trackers | None,
    position: Callable[[], Position],
) -> RunEvents:
    """Return what happens in the run for those who are told of it: trackers, and the file of its pace."""
    epoch_samples = None if isinstance(setup.data.train, FedSplit) else setup.epoch_samples
    pace = PaceFile(engine, position, setup.batch["samples_per_step"], epoch_samples)
    return RunEvents(TrackedRun(folder.path, folder.config, run_context().sweep), trackers, [pace])


def _check_same(
    folder: RunFolder, checkpoints: CheckpointDir, description: RunDescription, workers: Workers
) -> None:
    """Refuse folders that hold another run."""
    folder.check_same(description)
    if workers.is_chief:
        checkpoints.check_same_run(folder, description)


def _create(
    folder: RunFolder, checkpoints: CheckpointDir, description: RunDescription, workers: Workers
) -> None:
    """Make the folders of a run, and write down what it is."""
    if workers.is_chief:
        checkpoints.create(folder, description)
    folder.create(description)


def _recorded(folder: RunFolder, checkpoints: CheckpointDir, workers: Workers) -> Computation | None:
    """Return how the steps of a run that goes on are computed, so that it ends with the same bits."""
    found = folder.computation() or checkpoints.computation() if workers.is_chief else None
    shared = from_chief(workers, found and asdict(found))
    return None if shared is None else Computation(**shared)


def _engine(
    setup: TrainingSetup,
    description: RunDescription,
    recorded: Computation | None,
    folder: RunFolder,
    workers: Workers,
) -> Engine:
    """Return the engine of a run, once there is room for it on the disk, and describe how it computes."""
    # A compiled model trains as it would by Keras's own `fit`, dropout included.
    computation = recorded or replace(PREFERRED, counter_random=not setup.objective.takes_weights)
    engine = setup.engine(computation)
    if workers.is_chief:
        check_space(engine, folder.path, quiet=setup.options["quiet"])
        if not setup.options["quiet"]:
            print(run_outline(setup))
            _print_batch(setup)
            if setup.objective.takes_weights:
                print(summary(setup.model))
        _say(setup, (*setup.raw.notes, *setup.notes, *setup.budget, *setup.epoch_plan.notes()))
    if recorded is None:
        choice = jit_choice(setup, engine, description.architecture)
        engine.jit = from_chief(workers, choice.jit)
        description.environment["jit"] = choice.reason
        if workers.is_chief and choice.is_news:
            _say(setup, [str(choice)])
    description.environment["computation"] = asdict(replace(computation, jit=engine.jit))
    if (on_engine := run_context().on_engine) is not None:
        on_engine(setup, engine)
    return engine


def _loop(
    setup: TrainingSetup, engine: Engine, folder: RunFolder, checkpoints: CheckpointDir, events: RunEvents
) -> Loop:
    # First, while averages are still in the model.
    drawn = folder.path if engine.workers.is_chief else None
    grids = [SampleGrids(drawn)] if task_named(setup.objective.task).makes_samples else []
    loop = Loop(
        engine,
        setup.objective,
        setup.epoch_plan,
        setup.options,
        setup.batch_size,
        checkpoints.path,
        (*grids, *setup.callbacks),
        events.epoch,
        lambda history: events.started(history, loop.position.first or 0),
        monitor=setup.monitor,
        phases=setup.phase_sequence,
        more_metrics=epoch_measure(setup.model, setup.data, setup.objective, setup.epoch_exact),
        checksums=_checksums(setup, engine, folder.path),
    )
    return loop


def _checksums(setup: TrainingSetup, engine: Engine, run_dir: Path) -> Checksums | None:
    """Return what takes checksums of the steps of a run.

    Several workers would have to agree on the steps by the clock of one, and trials that take their steps
    together would wait for one another: both have none.
    """
    context = run_context()
    if context.checksums is not None:
        return context.checksums(engine)
    if engine.workers.count > 1 or context.on_engine is not None:
        return None
    train = setup.raw.train
    parts = {"inputs": train.inputs, "targets": train.targets} if type(train) is Split else {}
    file = ChecksumsFile(
        run_dir,
        {
            "layers": layer_names(setup.model),
            "optimizers": [describe_optimizer(optimizer) for optimizer in engine.optimizers],
            "data": data_checksums(parts, _MOST_DATA_BYTES),
        },
    )
    return PacedChecksums(engine, file.add, file.begin)


def _record(setup: TrainingSetup, loop: Loop, run_dir: Path, started_s: float, workers: Workers) -> RunRecord:
    """Measure the trained model and write all that makes a finished run; the chief writes for all."""
    setup.model.optimizer = setup.optimizer
    # Before it is measured, so that what is recorded computes what was measured.
    merged = merge_lora(setup.model)
    if merged and workers.is_chief:
        _say(setup, [f"the LoRA matrices of {len(merged)} layers were added to their weights."])
    again = settle_unknown_token(setup)
    # Which all workers measure together.
    metrics = evaluate_run(setup, loop.engine, loop.position, again=again)
    exact = judged(setup, loop.position.batch_size)
    metrics |= {name: value for name, value in exact.metrics.items() if again or name not in metrics}
    setup = replace(setup, raw=replace(setup.raw, spec=exact.spec))
    trained = setup.inference_model or raw_model(setup.model, setup.preprocessing)
    recorded: dict[str, Any] = {}
    if workers.is_chief:
        _say(setup, exact.notes)
        metrics.update(baseline_metrics(setup))
        metrics.update(inference_metrics(setup))
        comparison = method_comparison(setup, exact)
        metrics.update({} if comparison is None else comparison.metrics)
        save_model(run_dir / MODEL, trained)
        split = save_samples(run_dir / SAMPLES, setup.raw)
        ended = end_of_training(loop.position.history, setup.monitor, setup.options, loop.position)
        _say(setup, (ended,) if ended else ())
        measured = {
            "intervals": exact.intervals,
            "classical": comparison,
            "sample_split": split,
            "ended": ended,
        }
        recorded = _write_result(setup, loop, metrics, measured, run_dir, started_s)
    recorded = from_chief(workers, {**recorded, "run_dir": str(run_dir)})
    record = RunRecord.from_json(Path(recorded["run_dir"]), recorded)
    vars(record)["model"] = trained  # what `RunRecord.model` would otherwise read back from the folder
    return record


def _write_result(
    setup: TrainingSetup,
    loop: Loop,
    metrics: dict[str, float],
    measured: dict[str, Any],
    run_dir: Path,
    started_s: float,
) -> dict[str, Any]:
    history = loop.position.history
    # Not every epoch may have been validated.
    names = dict.fromkeys(name for epoch in history for name in epoch)
    drawn = {name: [epoch.get(name, math.nan) for epoch in history] for name in names}
    phases = tuple(epoch + 1 for epoch in loop.position.phases or ())
    with replacing(run_dir / CURVES) as temporary:
        draw_curves(drawn, loop.position.best_epoch, phases).savefig(temporary, dpi=110)
    record = RunRecord(
        run_dir=run_dir,
        metrics=metrics,
        history=drawn,
        spec=setup.raw.spec,
        from_logits=setup.objective.from_logits,
        best_epoch=loop.position.best_epoch,
        parameters=setup.model.count_params(),
        seconds=round(time.perf_counter() - started_s, 3),
        files=checksums(run_dir),
        phases=phases,
        **measured,
    )
    # Of the weights before, if the run went on for more epochs.
    (run_dir / CALIBRATION).unlink(missing_ok=True)
    # The last file to be written: a folder with it is a finished run.
    write_json(run_dir / RESULT, record.to_json())
    return record.to_json()


def _say(setup: TrainingSetup, notes: Sequence[str]) -> None:
    for note in () if setup.options["quiet"] else notes:
        print(note)


def _print_batch(setup: TrainingSetup) -> None:
    batch, asked = setup.batch, setup.options["batch_size"]
    replicas = batch["replicas"]
    if asked != "auto" and asked > setup.batch_size and not isinstance(setup.data.train, FedSplit):
        print(f"a batch is all {setup.batch_size} training samples, which are fewer than {asked}")
    if replicas > 1:
        print(
            f"batches of {batch['global_batch']} samples, {batch['per_replica_batch']} on each of {replicas} "
            f"replicas; {batch['accumulate']} to a step"
        )
