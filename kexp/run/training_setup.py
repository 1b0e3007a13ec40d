"""All that a run trains with: model, data, objective and options, checked against one another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from kexp.core.errors import InputError
from kexp.core.options import TrainOptions
from kexp.core.trainer_private import overrides
from kexp.data import Dataset, Stream
from kexp.data.batch_feed import FedSplit
from kexp.data.dataset import sample_count
from kexp.data.splits import head
from kexp.engine.base import PREFERRED, Computation, Engine, EnginePhase
from kexp.engine.engine_choice import backend
from kexp.run.class_weights import by_class, checked_class_weight, of_all_classes, weighted
from kexp.run.compiled_objective import Nests, compiled_objective
from kexp.run.cut_texts import with_cuts_noted
from kexp.run.epoch_limits import limited
from kexp.run.fit_checks import (
    check_epoch_length,
    check_first_epoch,
    check_inference_model,
    check_metric_names,
    check_model,
    check_objective,
    check_outputs,
    check_replicas,
    check_stream,
    check_texts,
    checked_weights,
)
from kexp.run.fit_plan import Baselines, EpochOptions, FinalMetric, FitPlan
from kexp.run.inference import raw_outputs
from kexp.run.monitor_choice import KEEPS_LAST, chosen_monitor, exact_names, settle_callbacks
from kexp.run.option_callbacks import callbacks_of
from kexp.run.output_units import TRIED_SAMPLES, loss_takes_logits, units_give_logits
from kexp.run.preprocess_dataset import preprocessed, teacher_forced, with_token_targets
from kexp.run.split_metrics import check_defined
from kexp.run.training_budget import too_few_to_choose, with_least_batches, with_least_steps
from kexp.run.training_end import with_plateau
from kexp.run.training_phases import check_phases, fresh_optimizer, phase_notes, within_epochs
from kexp.tasks import task_named
from kexp.train.epoch_plan import EpochPlan
from kexp.train.monitor import Monitor
from kexp.train.objectives import Objective, Player, supervised
from kexp.train.optimizers import optimizer_for
from kexp.train.phase_sequence import PhaseSequence
from kexp.train.phases import Phase, TrainedLayers, phase_options, trained_layers

_FAST_DEV_BATCHES = 3


@dataclass(frozen=True)
class TrainingSetup:
    """What `fit` trains with.

    Attributes:
        model: What is trained, built.
        preprocessing: What stands before it, applied already.
        raw: The data as it was loaded, after `fast_dev_run` or `overfit_batches` shortened it.
        data: The data as the model takes it.
        objective: What a step minimises.
        options: Complete options; `batch_size` may be "auto".
        batch_size: Samples per forward pass, to begin with.
        callbacks: The user's, and those that the options ask for.
        augmentation: Changes training batches, or None.
        sample_weight: (training samples,) weights of the loss, or None.
        inference_model: What is recorded in place of preprocessing and model, or None.
        final_metrics: Metrics of what it gives, by name.
        baselines: What is measured beside the model, by name.
        optimizer: The caller's own, or that of a compiled model; None: what the options say.
        learning_rate: A schedule of the caller's in place of the options'; None: theirs.
        epochs: What the epochs are.
        phases: What the training is divided into; (): nothing.
        trained: What each of them trains.
        monitor: What the best epoch is chosen by.
        epoch_exact: Names of the exact metrics that every epoch has, since the monitor or a callback is one.
        notes: What was found out about model and data, sentences to be shown once.
        budget: What to say of batches, epochs and the epoch that is kept, where the data decide them.
    """

    model: keras.Model
    preprocessing: keras.Model | None
    raw: Dataset
    data: Dataset
    objective: Objective
    options: TrainOptions
    batch_size: int
    callbacks: tuple[keras.callbacks.Callback, ...]
    augmentation: Any | None
    sample_weight: np.ndarray | None
    inference_model: keras.Model | None
    final_metrics: Mapping[str, FinalMetric]
    baselines: Baselines
    monitor: Monitor
    epoch_exact: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    budget: tuple[str, ...] = ()
    optimizer: keras.optimizers.Optimizer | None = None
    learning_rate: keras.optimizers.schedules.LearningRateSchedule | None = None
    epochs: EpochOptions = field(default_factory=EpochOptions)
    phases: tuple[Phase, ...] = ()
    trained: tuple[TrainedLayers, ...] = ()

    @property
    def epoch_plan(self) -> EpochPlan:
        """What the epochs of the run are."""
        train = self.data.train
        fed = isinstance(train, FedSplit)
        compiled = getattr(self.model, "steps_per_execution", None) if self.objective.takes_weights else None
        return EpochPlan(
            train.feed.count if isinstance(train, FedSplit) else self.epoch_samples,
            1 if fed else self.batch_size * self.options["accumulate"],
            steps=self.epochs.steps,
            steps_per_execution=compiled or 1,
            shuffle=self.epochs.shuffle and not fed,
            first=self.epochs.first,
            validation_freq=self.epochs.validation_freq,
        )

    @property
    def epoch_samples(self) -> int:
        """Samples that an epoch takes: all of those in memory, of a stream a whole number of steps."""
        samples, per_step = len(self.data.train), self.batch_size * self.options["accumulate"]
        return samples // per_step * per_step if isinstance(self.data.train, Stream) else samples

    @property
    def batch(self) -> dict[str, int]:
        """Samples of a batch, all together and on one replica, and how many batches make a step."""
        replicas = backend().replicas()
        return {
            "global_batch": self.batch_size,
            "replicas": replicas,
            "per_replica_batch": -(-self.batch_size // replicas),
            "accumulate": self.options["accumulate"],
            "samples_per_step": self.batch_size * self.options["accumulate"],
        }

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, the last of which may have fewer samples."""
        return self.epoch_plan.steps_per_epoch

    def engine(self, computation: Computation = PREFERRED) -> Engine:
        """Return the engine that takes the steps; the model gets its optimizer.

        Args:
            computation: How steps are computed, default as in a new run.
        """
        phases = self._engine_phases()
        # Callbacks look for the optimizer here. The model is not compiled: that would be saved with it.
        self.model.optimizer = phases[0].optimizers[-1]
        return backend().engine(
            self.model,
            self.objective,
            phases,
            self.data,
            self.options,
            self.batch_size,
            augmentation=self.augmentation,
            sample_weight=self.sample_weight,
            class_weights=self._class_weights(),
            steps_before=self.epoch_plan.steps_before(self.epochs.first) or 0,
            computation=computation,
        )

    def _class_weights(self) -> np.ndarray | None:
        asked = None if self.objective.takes_weights else self.options["class_weight"]
        return None if asked is None else checked_class_weight(asked, self.data)

    @property
    def phase_sequence(self) -> PhaseSequence:
        """The phases as the loop takes them."""
        return PhaseSequence(self.phases, self.options, phase_notes(self.phases, self.trained, self.options))

    def _engine_phases(self) -> list[EnginePhase]:
        """Return what each phase trains and by what; all optimizers are made now, on every worker."""
        players = self.objective.players(self.model)
        if not self.phases:
            optimizers = [
                self._optimizer(player, self.options, last=player == players[-1]) for player in players
            ]
            return [EnginePhase(players, tuple(optimizers))]
        made = []
        for phase, trained in zip(self.phases, self.trained, strict=True):
            trained.enter()
            optimizer = self._phase_optimizer(phase, players[0])
            made.append(
                EnginePhase((players[0]._replace(groups=trained.groups),), (optimizer,), trained.enter)
            )
        return made

    def _phase_optimizer(self, phase: Phase, player: Player) -> keras.optimizers.Optimizer:
        if self.optimizer is None:
            return self._optimizer(player, phase_options(phase, self.options), last=True)
        optimizer = fresh_optimizer(self.optimizer, phase.learning_rate)
        optimizer.build(player.network.trainable_variables)
        return optimizer

    def _optimizer(self, player: Player, options: TrainOptions, *, last: bool) -> keras.optimizers.Optimizer:
        if self.optimizer is not None:
            if not self.optimizer.built and not overrides(self.model, "train_step"):
                self.optimizer.build(player.network.trainable_variables)
            return self.optimizer
        own = {
            **options,
            "learning_rate": options["learning_rate"] * player.learning_rate,
            # Weights that nothing is answered with need no average.
            "ema": options["ema"] if last else None,
        }
        plan, epochs = self.epoch_plan, options["epochs"]
        known = plan.steps_before(epochs)
        steps = (epochs * plan.steps_per_epoch if known is None else known) // player.update_every
        return optimizer_for(own, player.network, max(1, steps), self.learning_rate)  # type: ignore[arg-type]


def prepare(
    plan: FitPlan, options: TrainOptions, default_batch_size: int, *, chooses: bool = False
) -> TrainingSetup:
    """Check what is planned against the options and return what to train with.

    Args:
        plan: What is trained, and on what.
        options: Complete training options.
        default_batch_size: What batch_size="auto" begins with.
        chooses: Whether the best epoch is chosen by validation data however few they are, default False.

    Raises:
        InputError: Model, data and options do not fit each other.
    """
    assert plan.data is not None
    model, preprocessing, data = plan.model, plan.preprocessing, plan.data
    options = _scaled(options)
    batch_size, batches = with_least_batches(options, data, _batch_size(options, data, default_batch_size))
    if isinstance(data.train, Stream):
        check_stream(data.train, options, preprocessing, plan.sample_weight, batch_size)
    check_first_epoch(plan.epochs.first, options["epochs"])
    check_model(model, options)
    check_replicas(options)
    check_texts(data, plan.target_preprocessing, plan.augmentation)
    check_inference_model(data, plan.inference_model, plan.final_metrics)
    check_metric_names(plan.metrics or (), (*plan.final_metrics, *plan.baselines))
    if plan.class_weight is not None and not model.compiled:
        options = {**options, "class_weight": of_all_classes(plan.class_weight, data.spec)}
    sample_weight = checked_weights(plan.sample_weight, options, data)
    data = with_cuts_noted(data, preprocessing, plan.target_preprocessing)
    data, options = _shortened(data, options, batch_size)
    options, budget = with_least_steps(options, data, batch_size, plan.epochs, plan.phases)
    options, epochs, limits = limited(options, plan.epochs)
    if plan.as_compiled:
        data = _weighted(data, plan, options)
    ready = _ready(plan, data)
    objective, inference_model, notes = plan.objective, plan.inference_model, limits
    if plan.as_compiled:
        nests = Nests(plan.inputs, plan.targets)
        objective, ready, data = compiled_objective(model, nests, data, ready, options)
    elif objective is None:
        objective, ready, notes = _supervised(model, ready, options, plan.loss, plan.metrics)
        notes = (*limits, *notes)
    else:
        check_objective(objective, model, ready, options, plan.loss, plan.metrics)
        inference_model = inference_model or objective.inference_model(model, preprocessing)
        data = replace(data, spec=replace(data.spec, task=objective.task))
    phases, trained, options = _phases(plan, objective, options, epochs)
    awaited = settle_callbacks(plan.callbacks, objective, ready)
    monitor, few = _monitor(plan, objective, ready, options, chooses=chooses)
    options, plateau = with_plateau(options, ready, monitor) if budget else (options, ())
    epoch_exact = exact_names(objective, ready, [monitor.name, *awaited])
    check_defined(model, ready, objective, epoch_exact)
    optimizer = plan.optimizer or (model.optimizer if model.compiled else None)
    setup = TrainingSetup(
        model=model,
        preprocessing=preprocessing,
        raw=data,
        data=ready,
        objective=objective,
        options=options,
        batch_size=batch_size,
        callbacks=(*plan.callbacks, *callbacks_of(options, ready, objective, optimizer)),
        augmentation=backend().augmentation(plan.augmentation, ready),
        sample_weight=None if sample_weight is None else sample_weight[: len(data.train)],
        inference_model=inference_model,
        final_metrics=plan.final_metrics,
        baselines=plan.baselines,
        optimizer=optimizer,
        learning_rate=plan.learning_rate,
        epochs=epochs,
        phases=phases,
        trained=trained,
        monitor=monitor,
        epoch_exact=epoch_exact,
        notes=notes,
        budget=(*batches, *budget, *plateau, *few),
    )
    check_epoch_length(setup.epoch_plan, options, schedules=optimizer is None and plan.learning_rate is None)
    return setup


def _ready(plan: FitPlan, data: Dataset) -> Dataset:
    """Return data as the model takes them."""
    if plan.target_preprocessing is not None:
        if task_named(data.spec.task).is_teacher_forced:
            return teacher_forced(data, plan.preprocessing, plan.target_preprocessing)
        data = with_token_targets(data, plan.target_preprocessing)
    return data if plan.preprocessing is None else preprocessed(data, plan.preprocessing)


def _phases(
    plan: FitPlan, objective: Objective, options: TrainOptions, epochs: EpochOptions
) -> tuple[tuple[Phase, ...], tuple[TrainedLayers, ...], TrainOptions]:
    """Return the phases, what they train, and the options with their epochs; the first one is begun."""
    if not plan.phases:
        return (), (), options
    check_phases(plan, objective, options, epochs)
    phases = within_epochs(plan.phases, options)
    trained = tuple(trained_layers(plan.model, phases))
    trained[0].enter()
    return phases, trained, {**options, "epochs": sum(phase.epochs for phase in phases)}


def _monitor(
    plan: FitPlan, objective: Objective, data: Dataset, options: TrainOptions, *, chooses: bool
) -> tuple[Monitor, tuple[str, ...]]:
    """Return what the best epoch is chosen by, and why none is where validation data are too few."""
    few = () if chooses else too_few_to_choose(objective, data, options, plan.callbacks)
    return KEEPS_LAST if few else chosen_monitor(objective, data, options, plan.callbacks), few


def _weighted(data: Dataset, plan: FitPlan, options: TrainOptions) -> Dataset:
    """Return data with the weights of a compiled model's loss in its training part."""
    asked: Any = plan.class_weight
    train = data.train
    if plan.sample_weight is not None:
        train = replace(train, sample_weight=checked_weights(plan.sample_weight, options, data))
    if asked is None and options["class_weight"] is not None:
        asked = by_class(options["class_weight"], train)
    return replace(data, train=train if asked is None else weighted(train, asked))


def _scaled(options: TrainOptions) -> TrainOptions:
    replicas = backend().replicas()
    if not options["scale_by_replicas"] or options["batch_size"] == "auto":
        return options
    return {
        **options,
        "batch_size": options["batch_size"] * replicas,
        "learning_rate": options["learning_rate"] * replicas,
    }


def _supervised(
    model: keras.Model, data: Dataset, options: TrainOptions, loss: Any, metrics: Any
) -> tuple[Objective, Dataset, tuple[str, ...]]:
    """Return the objective of the data's task, the data with the outputs in its spec, and notes on those."""
    outputs, task = first_outputs(model, data), task_named(data.spec.task)
    notes: tuple[str, ...] = ()
    if task.units_apart(data.spec, outputs.shape[-1]):
        from_logits, known = units_give_logits(model, head(data.train, TRIED_SAMPLES).inputs, loss)
        one, several = ("a logit", "logits") if from_logits else ("a probability", "probabilities")
        count = outputs.shape[-1]
        units = f"unit is {one}" if count == 1 else f"{count} units are {several}"
        notes = (f"the model's {units}: {known}.",)
        taken = loss_takes_logits(loss)
        if taken is not None and taken != from_logits:
            other = "logits" if taken else "probabilities"
            notes = (*notes, f"the loss takes {other}; give it or the last layer the other form.")
    else:
        from_logits = task.gives_logits(outputs)
    objective = supervised(
        data.spec,
        from_logits=from_logits,
        loss=loss,
        metrics=metrics,
        label_smoothing=options["label_smoothing"],
    )
    # Of texts the model says how many tokens there are.
    spec = replace(data.spec, outputs=data.spec.outputs or outputs.shape[-1])
    return objective, replace(data, spec=spec), notes


def _batch_size(options: TrainOptions, data: Dataset, default: int) -> int:
    asked = options["batch_size"]
    if isinstance(data.train, FedSplit):
        if asked == "auto" or options["accumulate"] > 1:
            raise InputError(
                "batch_size='auto' and accumulate are for data in memory; batches that come as they are "
                "make a step each."
            )
        return sample_count(data.train.targets)
    return min(default if asked == "auto" else int(asked), len(data.train))


def _shortened(data: Dataset, options: TrainOptions, batch_size: int) -> tuple[Dataset, TrainOptions]:
    per_step = batch_size * options["accumulate"]
    if options["fast_dev_run"]:
        first = [part and head(part, _FAST_DEV_BATCHES * per_step) for part in (data.validation, data.test)]
        train = head(data.train, _FAST_DEV_BATCHES * per_step)
        return replace(data, train=train, validation=first[0], test=first[1]), {**options, "epochs": 1}
    if options["overfit_batches"]:
        train = head(data.train, options["overfit_batches"] * per_step)
        # The best epoch is then the one that knows them best.
        return replace(data, train=train, validation=train), options
    return data, options


def first_outputs(model: keras.Model, data: Dataset) -> np.ndarray:
    """Return what the model gives for a few samples, which also builds it if it is not built.

    Raises:
        InputError: It cannot take the inputs of the data, or gives something else than its targets need.
    """
    try:
        outputs = raw_outputs(model, head(data.train, 8).inputs, 8)
    except backend().INPUT_ERRORS as error:
        # Of what Keras says of an operation, the line in bold has the reason.
        bold = re.search(r"\x1b\[1m(?:\{\{.*?\}\} *)?(.*?)(?:\[Op:\w*\].*)?\x1b\[0m", str(error))
        reason = (bold[1] if bold else str(error)).strip().partition("\n")[0].rstrip(". ")
        raise InputError(
            f"model {model.name} cannot take the inputs of {data.name}, {data.spec.input_shape} "
            f"{data.spec.dtype} each: {reason}."
        ) from error
    check_outputs(model, data, outputs.shape[1:])
    return outputs
