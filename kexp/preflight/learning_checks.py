"""Checks of model, loss and optimizer on one batch: it starts sensibly, and can be learnt by heart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kexp.core.keras_private import output_activations
from kexp.core.name_lists import listed
from kexp.data.splits import head
from kexp.engine.base import Engine
from kexp.preflight.findings import Finding, Status
from kexp.run.dry_run import AT_A_CONSTANT_RATE, dry_run, sampled, set_learning_rate
from kexp.run.inference import raw_outputs
from kexp.run.output_units import loss_takes_logits
from kexp.run.plan_checks import loss_trouble
from kexp.run.training_setup import TrainingSetup
from kexp.tasks import task_named
from kexp.train.objectives import Supervised
from kexp.train.objectives.autoencoding import Reconstruction

_FACTOR = 2  # that the first loss may be off by
_FAR = 10  # and from which on a start is hopeless
_PROBING_RATE = 1.0  # any update that is not zero shows
_BATCHES = 2
_SCALES = 8
_STEPS = 200
_STEPS_PER_CALL = 10
ONE_BATCH_S = 5.0
_OTHER_RATES = (1e-3, 1e-2, 1e-1, 1e-4)
_OTHER_STEPS = 100
_OTHER_SECONDS = 2.0
_NAMED = 4


def learning_findings(training: TrainingSetup) -> list[Finding]:
    """Return what is found by forward passes and steps on a few batches; nothing is changed."""
    few = replace(
        sampled(training, _BATCHES * training.batch_size, training.options["seed"]),
        augmentation=None,
        sample_weight=None,
    )
    # What the augmentation mixes cannot be learnt by heart, and weights of classes move the first loss.
    few = replace(few, data=replace(few.data, validation=None))
    supervised = isinstance(few.objective, Supervised)
    misfit = loss_trouble(few) if supervised else None
    if misfit is not None:
        return [Finding("loss", "problem", f"{misfit}.")]
    findings = [_outputs(few)] if supervised else []
    if not few.model.trainable_weights:
        return [*findings, Finding("gradients", "problem", "no weight of the model is trainable.")]
    with dry_run(few, **AT_A_CONSTANT_RATE, weight_decay=0.0, class_weight=None) as engine:
        start = engine.read_state()
        losses, stuck = _probed(engine, few, start)
        engine.restore_state(start)
        findings += [_first_loss(few, losses), _gradients(few, stuck)]
        if task_named(few.objective.task).can_memorize:
            findings.append(_one_batch(engine, few, start))
    return findings


def _loss_function(few: TrainingSetup) -> Any:
    """Return the loss of targets and outputs, None where there is none, or more than that."""
    objective = few.objective
    return objective.loss if isinstance(objective, Supervised) and not objective.components else None


def _outputs(few: TrainingSetup) -> Finding:
    """Compare what the model gives with what the loss takes: logits or probabilities."""
    outputs = raw_outputs(few.model, head(few.data.train, 8).inputs, 8)
    shape = f"(batch, {', '.join(map(str, outputs.shape[1:]))})"
    if not task_named(few.objective.task).has_logits:
        return Finding("outputs", "ok", f"{shape} numbers for the targets.")
    # Only a model that was made of layers has its outputs surely from the last one.
    (known, *_) = output_activations(few.model)
    activation = known if known and ((outputs >= 0) & (outputs <= 1)).all() else ""
    probabilities = not few.objective.from_logits or activation in ("softmax", "sigmoid")
    given = "probabilities" if probabilities else "logits"
    takes_logits = loss_takes_logits(_loss_function(few))
    if takes_logits is None or takes_logits != probabilities:
        taken = "" if takes_logits is None else ", as the loss takes them"
        return Finding("outputs", "ok", f"{shape} {given}{taken}.")
    if probabilities:
        told = f" ({activation})" if activation in ("softmax", "sigmoid") else ""
        repair = "leave the model's last activation out, or give the loss from_logits=False"
        return Finding(
            "outputs", "problem", f"the model gives probabilities{told}, the loss takes logits; {repair}."
        )
    repair = "give the loss from_logits=True, or the model a softmax as its last activation"
    return Finding("outputs", "problem", f"the model gives logits, the loss takes probabilities; {repair}.")


def _probed(
    engine: Engine, few: TrainingSetup, start: dict[str, np.ndarray]
) -> tuple[list[float], list[str]]:
    """Return the first loss of each batch, and the weights that no step from there would move."""
    weights = few.model.trainable_weights
    before = [np.copy(weight.numpy()) for weight in weights]
    moved = [False] * len(weights)
    losses = []
    for row in _batches(few):
        engine.restore_state(start)
        set_learning_rate(engine, _PROBING_RATE)
        turns = max(player.update_every for player in engine.players)
        losses.append(_loss(engine, row[None].repeat(turns, axis=0), few.batch_size))
        for _ in range(_SCALES if few.options["precision"] == "float16" else 0):
            if any(_differ(before, weights)):
                break
            _loss(engine, row[None], few.batch_size)  # it was left out, and the scale of the loss halved
        moved = [already or moves for already, moves in zip(moved, _differ(before, weights), strict=True)]
    return losses, [weight.path for weight, has_moved in zip(weights, moved, strict=True) if not has_moved]


def _differ(before: list[np.ndarray], weights: list[Any]) -> list[bool]:
    return [not np.array_equal(old, weight.numpy()) for old, weight in zip(before, weights, strict=True)]


def _batches(few: TrainingSetup) -> Iterator[np.ndarray]:
    samples, size = len(few.data.train), few.batch_size
    for number in range(_BATCHES):
        yield (np.arange(number * size, (number + 1) * size) % samples).astype(np.int32)


def _loss(engine: Engine, rows: np.ndarray, batch_size: int) -> float:
    """Return the mean loss of so many steps; NaN or infinity when one of them went wrong."""
    engine.reset_metrics()
    trouble = engine.run(rows, batch_size)
    if trouble is not None:
        return trouble.loss if not np.isfinite(trouble.loss) else float("nan")
    return engine.read_metrics()["loss"]


def _first_loss(few: TrainingSetup, losses: list[float]) -> Finding:
    penalty = _penalty(few)
    loss = float(np.mean(losses)) - penalty
    if not np.isfinite(loss):
        return Finding("first loss", "problem", "it, or its gradient, is not finite on the first batches.")
    less = f" (and {penalty:.4g} of penalties)" if penalty > 0.001 * abs(loss) else ""
    expected = task_named(few.objective.task).first_loss(
        _loss_function(few), few.data.spec, few.raw.train.targets
    )
    if expected is None:
        return Finding("first loss", "ok", f"{loss:.4g}{less}, finite.")
    text = f"{loss:.4g}{less}; {expected.text}"
    if loss < expected.value / _FACTOR and expected.is_knowledge_below:
        return Finding("first loss", "warning", f"{text}: the model knows the targets already.")
    if loss <= _FACTOR * expected.value:
        return Finding("first loss", "ok", f"{text}.")
    hopeless = expected.is_hopeless_above and loss > _FAR * expected.value
    status: Status = "problem" if hopeless else "warning"
    return Finding("first loss", status, f"{text}, more than {_FACTOR} times that: {expected.advice}.")


def _penalty(few: TrainingSetup) -> float:
    if not isinstance(few.objective, Supervised | Reconstruction):  # what the model adds is part of the loss
        return 0.0
    raw_outputs(few.model, head(few.data.train, few.batch_size).inputs, few.batch_size)
    return float(sum(few.model.losses))


def _gradients(few: TrainingSetup, stuck: list[str]) -> Finding:
    count = len(few.model.trainable_weights)
    if not stuck:
        return Finding("gradients", "ok", f"reach all {count} trainable weights.")
    shown = listed(stuck, _NAMED)
    return Finding(
        "gradients",
        "problem",
        f"none, or exactly zero, on {_BATCHES} batches for {len(stuck)} of {count} trainable weights: "
        f"{shown}; the loss does not depend on them, or their activation is dead.",
    )


@dataclass(frozen=True)
class _Attempt:
    """Learning one batch by heart, at one rate."""

    first: float
    last: float
    steps: int
    learnt: bool
    in_time: bool

    @property
    def diverged(self) -> bool:
        return not np.isfinite(self.last) or self.last > self.first + 0.5 * abs(self.first)

    def __str__(self) -> str:
        return f"loss from {self.first:.4g} to {self.last:.4g} in {self.steps} steps"


def _one_batch(engine: Engine, few: TrainingSetup, start: dict[str, np.ndarray]) -> Finding:
    options = few.options
    rate = options["learning_rate"]
    attempt = _attempt(engine, few, rate, _STEPS, ONE_BATCH_S)
    if attempt.learnt:
        return Finding("one batch", "ok", f"is learnt by heart: {attempt}.")
    if not attempt.in_time and not attempt.diverged:
        return Finding(
            "one batch", "warning", f"{attempt}, which is all that {ONE_BATCH_S:.0f} s were enough for."
        )
    better = _rate_that_learns(engine, few, start, rate)
    if better is None:
        return Finding("one batch", "problem", f"cannot be learnt by heart at any rate tried: {attempt}.")
    advice = f"learning_rate={better:g} learns the batch by heart"
    if not attempt.diverged:
        return Finding("one batch", "warning", f"learning_rate={rate:g} learns little: {attempt}; {advice}.")
    text = f"learning_rate={rate:g} diverges: {attempt}; {advice}"
    if options["warmup"] or options["schedule"] == "one_cycle":
        return Finding("one batch", "warning", f"{text}, but the schedule begins lower.")
    return Finding("one batch", "problem", f"{text}.")


def _rate_that_learns(
    engine: Engine, few: TrainingSetup, start: dict[str, np.ndarray], rate: float
) -> float | None:
    for other in _OTHER_RATES:
        if not 0.5 < other / rate < 2:
            engine.restore_state(start)
            if _attempt(engine, few, other, _OTHER_STEPS, _OTHER_SECONDS).learnt:
                return other
    return None


def _attempt(engine: Engine, few: TrainingSetup, rate: float, steps: int, seconds: float) -> _Attempt:
    """Train on one batch until half of the loss that can go is gone, or steps or time are used up."""
    set_learning_rate(engine, rate)
    row = next(_batches(few))[None]
    first = last = _loss(engine, row, few.batch_size)
    goal = _halved(few, first)
    started_s, taken, learnt = time.perf_counter(), 1, False
    while taken < steps and time.perf_counter() - started_s < seconds and np.isfinite(last) and not learnt:
        # One step per call while calls are slow, so that the limit holds.
        count = _STEPS_PER_CALL if (time.perf_counter() - started_s) / taken < 0.05 else 1
        last = _loss(engine, row.repeat(count, axis=0), few.batch_size)
        taken += count
        learnt = bool(last < goal)
    in_time = taken >= steps or learnt
    return _Attempt(first, last, taken, learnt, in_time)


def _halved(few: TrainingSetup, first: float) -> float:
    """Return the loss at which half of what can go is gone."""
    batch = head(few.data.train, few.batch_size)
    constant = task_named(few.objective.task).constant_loss(_loss_function(few), batch.targets)
    if constant is not None:
        # A model that only learns the mean has learnt nothing of the batch.
        return 0.5 * min(first, constant or first)
    least = few.objective.least_loss(batch, few.data.spec, few.options["label_smoothing"])
    return first - 0.5 * abs(first - least)
