"""The only training loop: epochs of steps in a seeded order, validation, callbacks and checkpoints."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from kexp.core.errors import InputError
from kexp.core.keras_private import first_epoch_of, forget_first_epoch
from kexp.core.options import TrainOptions
from kexp.core.signals import Stopped, StopRequest
from kexp.data.order import batches
from kexp.engine.base import Engine, OutOfMemory, StepFailure, from_chief
from kexp.train.best_epoch import BestEpoch
from kexp.train.callback_hooks import TrainingBatches, ValidationBatches, stops_at_nan
from kexp.train.checkpoint.callback_state import restore_states
from kexp.train.checkpoint.checkpoint import Checkpoint
from kexp.train.checkpoint.checkpoint_checks import best_weights
from kexp.train.checkpoint.interval import CheckpointInterval
from kexp.train.checkpoint.run_checkpoints import RunCheckpoints
from kexp.train.divergence import diverged
from kexp.train.epoch_plan import EpochPlan
from kexp.train.monitor import Monitor, restoring
from kexp.train.notebook_progress import epoch_progress
from kexp.train.objectives import Objective
from kexp.train.pace import Pace
from kexp.train.phase_sequence import PhaseSequence
from kexp.train.position import Position
from kexp.train.schedules import scale_learning_rate
from kexp.train.step_checksums import Checksums

_ROLLBACKS = 3


class Loop:
    """Trains the model of an engine.

    Args:
        engine: Takes the steps.
        objective: What a step minimises.
        plan: What the epochs are.
        options: Complete training options, batch_size a number or "auto".
        batch_size: Samples per forward pass to begin with.
        checkpoints: Folder for the state of the run, or a path with a scheme.
        callbacks: Keras callbacks.
        on_epoch: Called with the number of each epoch, from 1, and its metrics.
        on_restore: Called with the metrics of all epochs so far when the run starts or goes back.
        monitor: What the best epoch is chosen by; default: the objective's.
        phases: What the training is divided into; default: nothing.
        more_metrics: Called after each validation, with the samples per forward pass, for further metrics of
            the validation data.
        checksums: Taken of the state after some of the steps; default: none.
    """

    def __init__(
        self,
        engine: Engine,
        objective: Objective,
        plan: EpochPlan,
        options: TrainOptions,
        batch_size: int,
        checkpoints: Path | str,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, metrics: None,
        on_restore: Callable[[list[dict[str, float]]], None] = lambda history: None,
        *,
        monitor: Monitor | None = None,
        phases: PhaseSequence | None = None,
        more_metrics: Callable[[int], dict[str, float]] = lambda batch_size: {},
        checksums: Checksums | None = None,
    ) -> None:
        self.engine = engine
        self.options = options
        self.position = Position(batch_size, epoch=plan.first, first=plan.first or None)
        self.best = BestEpoch(
            monitor or Monitor(objective.monitor, "max" if objective.mode == "max" else "min")
        )
        self._plan = plan
        self._phases = phases or PhaseSequence((), options)
        self._samples_per_step = plan.samples_per_step
        self._checkpoints = RunCheckpoints(checkpoints, engine, callbacks)
        self._on_epoch = on_epoch
        self._on_restore = on_restore
        self._found: Checkpoint | None = None
        self._looked = False
        self._more_metrics = more_metrics
        self._checksums = checksums
        self._stop = StopRequest()
        self._checkpoint_interval = CheckpointInterval(options["checkpoint_every"])
        self._workers = engine.workers
        shows = self._workers.is_chief and not options["quiet"]
        steps = None if plan.samples is None and plan.steps is None else plan.steps_per_epoch
        self._lines = epoch_progress(options["epochs"], steps) if shows else None
        own = [] if self._lines is None else [self._lines]
        self._with_state = list(callbacks)
        self._callbacks = keras.callbacks.CallbackList(
            [*callbacks, *own],
            model=engine.model,
            epochs=options["epochs"],
            steps=steps,
            verbose=0,
        )
        self._pace = Pace(self._workers)
        self._training_batches = TrainingBatches(self._with_state, self._callbacks)
        self._validation_batches = ValidationBatches.watched_by(self._with_state, self._callbacks)

    def find_checkpoint(self) -> None:
        """Read the checkpoint that the run will go on from, before anything is written.

        Raises:
            InputError: It is not of this model and optimizer.
        """
        self._found, self._looked = self._checkpoints.latest(), True

    def run(self) -> None:
        """Train to the end and leave the chosen weights in the model: the best by the monitor, or the last.

        Those that an `EarlyStopping` has put back are left as they are, and its epoch is the best.

        An interrupted run goes on from its newest undamaged checkpoint.

        Raises:
            Stopped: SIGINT or SIGTERM came; the state is saved.
            TrainingDiverged: A step went wrong; the last checkpoint is from before it.
        """
        checkpoint = self._begin()
        try:
            with self._stop:
                self._begin_from(checkpoint)
                while not self._over():
                    try:
                        self._epoch()
                    except _BadStep as reason:
                        self._skip_step(reason)
                    except OutOfMemory:
                        self._halve_batches()
        finally:
            self._close()
        self._end()

    def _close(self) -> None:
        """Leave the terminal as it was, and the last checkpoint whole."""
        if self._lines is not None:
            self._lines.close()
        self._checkpoints.settle()

    def _begin(self) -> Checkpoint | None:
        """Return the checkpoint that the run goes on from, once callbacks know that it begins."""
        self.engine.model.stop_training = False
        forget_first_epoch(self.engine.model)
        if not self._looked:
            self.find_checkpoint()
        checkpoint, self._found = self._found, None  # whose arrays would stay in memory
        self._callbacks.on_train_begin()
        return checkpoint

    def _end(self) -> None:
        """Tell callbacks that the run is over, and put the chosen weights into the model."""
        self._callbacks.on_train_end(self.position.history[-1] if self.position.history else None)
        restored = [one for one in restoring(self._with_state) if one.best_weights is not None]
        if restored:
            # Callbacks count epochs as the caller does, the history from the first that was trained.
            self.position.best_epoch = restored[0].best_epoch + 1 - (self.position.first or 0)
        elif self.best.weights is not None:
            self.engine.model.set_weights(self.best.weights)

    def _begin_from(self, checkpoint: Checkpoint | None) -> None:
        self._restore(checkpoint)
        if checkpoint is None:
            self._enter_phase(0)
            if self._keeps_rollback_checkpoint():
                self._save()  # to have something to go back to from the first epoch

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            self._begin_at_first_epoch(first_epoch_of(self.engine.model))
        else:
            self.position = Position.from_json(checkpoint.position, "the checkpoint", "begin the run anew")
            self.engine.begin_phase(self.position.phase)
            if self.position.step:
                # Callbacks are told of the epoch before they get their state, which then has the last word: a
                # rate that is halved at the beginning of an epoch is not halved twice.
                self._callbacks.on_epoch_begin(self.position.epoch)
            self.best.weights = best_weights(checkpoint.arrays)
            self.engine.restore_state(checkpoint.arrays)
            restore_states(self._with_state, checkpoint.callbacks, checkpoint.arrays)
        self._on_restore(self.position.history)
        if self._checksums is not None:
            self._checksums.begin(self._steps_taken())

    def _begin_at_first_epoch(self, epoch: int) -> None:
        """Begin where a callback says, as Keras's BackupAndRestore does of a run of its own."""
        if epoch >= self.options["epochs"]:
            raise InputError(
                f"epochs must be more than the {epoch} that a callback such as BackupAndRestore has from an "
                f"earlier run; received {self.options['epochs']}, so give more, or leave the callback out."
            )
        if epoch:
            self.position = Position(self.position.batch_size, epoch=epoch, first=epoch)

    def _over(self) -> bool:
        position, phases = self.position, self._phases
        return position.finished or (phases.is_last(position) and phases.ends(position))

    def _enter_phase(self, number: int) -> None:
        """Begin a phase, with the best weights so far."""
        note = self._phases.begin(self.position, number)
        if number and self.best.weights is not None:
            self.engine.model.set_weights(self.best.weights)
        self.engine.begin_phase(number)
        if note and self._lines is not None:
            self._lines.say(note)

    def _epoch(self) -> None:
        position = self.position
        if position.step == 0:
            self._callbacks.on_epoch_begin(position.epoch)
            self.engine.reset_metrics()
        self._train_epoch()
        if position.step == 0 and not self.engine.model.stop_training:
            self._end_with_data()
        else:
            self._end_epoch()

    def _end_epoch(self) -> None:
        """Measure what an epoch has come to, and record it."""
        position, metrics = self.position, self.engine.read_metrics()
        self._validate(metrics)
        position.history.append(metrics)
        self._callbacks.on_epoch_end(position.epoch, metrics)
        if self._plan.samples is None:
            position.steps_before = (position.steps_before or 0) + position.step
        position.epoch, position.step = position.epoch + 1, 0
        stopped, is_last = self.engine.model.stop_training, self._phases.is_last(position)
        position.finished = stopped or (is_last and self._phases.stops_early(position))
        self._on_epoch(position.epoch, metrics)
        next_phase = not stopped and not is_last and self._phases.ends(position)
        if next_phase:
            self._enter_phase(position.phase + 1)
        # A checkpoint is of the phase that it was taken in, which the next one is not to go back to.
        if self._checkpoint_interval.after_epoch(position.epoch) or self._over() or next_phase:
            self._save()

    def _end_with_data(self) -> None:
        """End the run before its last epoch, of data that can be read once."""
        trained = len(self.position.history)
        if not trained:
            raise InputError("x must have batches; received none.")
        self.position.finished = True
        self._save()
        warnings.warn(
            f"The data ended after {trained} of {self.options['epochs']} epochs, and so does the training; "
            "give data that can be read again, or steps_per_epoch for shorter epochs.",
            RuntimeWarning,
            stacklevel=2,
        )

    def _validate(self, metrics: dict[str, float]) -> None:
        """Add the metrics of the validation split, with the weights that callbacks put in for that."""
        if not self.engine.validates or not self._plan.validates_after(self.position.epoch):
            if self.best.monitor.asked and not self.engine.validates:
                self.best.update(self.position, metrics, self.engine.model.get_weights)
            return
        self._callbacks.on_test_begin()
        watched = () if self._validation_batches is None else (self._validation_batches,)
        batch_size = self.position.batch_size
        measured = {**self.engine.validate(batch_size, *watched), **self._more_metrics(batch_size)}
        # What is chosen by them must not hang on how a worker's processor rounds.
        validated = from_chief(self._workers, measured)
        metrics.update({f"val_{name}": value for name, value in validated.items()})
        self.best.update(self.position, metrics, self.engine.model.get_weights)
        self._callbacks.on_test_end(validated)

    def _train_epoch(self) -> None:
        seed, epoch = self.options["seed"], self.position.epoch
        order = self._plan.order(seed, epoch)
        order = self.engine.batch_source.order(order, self._samples_per_step, seed, epoch)
        full, tail = batches(order, self._samples_per_step)
        self._run_rows(full)
        if tail.size and not self.engine.model.stop_training:
            self._run_rows(tail[None], first=len(full))
        self._training_batches.end(self.position.step, self.engine.read_metrics, of_epoch=True)

    def _run_rows(self, rows: np.ndarray, first: int = 0) -> None:
        """Take those steps of an epoch that are left; `rows` has the samples from step `first` on."""
        while self.position.step < first + len(rows):
            left = rows[self.position.step - first :]
            if self._steps_taken() in self.position.skipped:  # it went wrong before
                if not self._pass_over(rows.shape[1]):
                    return
                continue
            wanted = min(len(left), self._steps_of_call())
            count = self.engine.batch_source.ready(wanted, self.position.step)
            if not count:
                return
            started_s = time.perf_counter()
            self._training_batches.begin(self.position.step)
            failure = self.engine.run(left[:count], self.position.batch_size)
            count = self._steps_that_count(failure, left, count)
            self._end_steps(count, left[count - 1])
            if self.engine.model.stop_training:  # at once: nothing is to go on from a checkpoint here
                return
            self._pace.adapt(count, time.perf_counter() - started_s)
            self._save_if_due()

    def _steps_that_count(self, failure: StepFailure | None, rows: np.ndarray, count: int) -> int:
        """Return how many of some steps were taken; one that went wrong counts if callbacks are to judge it.

        Raises:
            _BadStep: One went wrong, and they are not.
        """
        if failure is None:
            return count
        if not self._left_to_callbacks(failure):
            raise _BadStep(failure, rows[failure.steps])
        return failure.steps + 1

    def _pass_over(self, samples: int) -> bool:
        """Leave a step out, and return whether there was one."""
        if not self.engine.batch_source.ready(1, self.position.step):
            return False
        self.engine.batch_source.skip(samples)
        self.position.step += 1
        return True

    def _end_steps(self, count: int, row: np.ndarray) -> None:
        """Tell who watches of steps that were taken, the last of them on the samples of `row`."""
        self.position.step += count
        is_last = self.position.step == self._plan.steps_of(self.position.epoch)
        self._training_batches.end(self.position.step, self.engine.read_metrics, of_epoch=is_last)
        if self._checksums is not None:
            epoch = self.position.epoch
            ends = is_last and epoch + 1 == self.options["epochs"]
            self._checksums.after(self._steps_taken(), epoch, row, last=ends)
        if self._lines is not None:
            self._lines.show_steps(self.position.step)

    def _save_if_due(self) -> None:
        """Save the state where the interval or a signal asks for it.

        Raises:
            Stopped: There was a signal.
        """
        due, signal_number = self._pace.agreed(
            is_due=self._checkpoint_interval.within_epoch(self._steps_taken()),
            signal_number=self._stop.signal_number or 0,
        )
        if due or signal_number:
            self._save()
        if signal_number:
            raise Stopped(signal_number, self._steps_taken())

    def _left_to_callbacks(self, failure: StepFailure) -> bool:
        """Return whether a loss that is no number is for a callback to judge, as TerminateOnNaN does."""
        return self.options["on_nan"] == "stop" and stops_at_nan(self._with_state, failure)

    def _keeps_rollback_checkpoint(self) -> bool:
        return self.options["on_nan"] == "rollback" or self.options["batch_size"] == "auto"

    def _halve_batches(self) -> None:
        """Go back to the last checkpoint with smaller batches, more of them to a step, or give up.

        A step that ran out of memory may have been taken in part, so that it cannot just be repeated.
        """
        batch_size = self.position.batch_size
        checkpoint = self._checkpoints.latest() if self.options["batch_size"] == "auto" else None
        if checkpoint is None or batch_size == 1:
            raise
        self._restore(checkpoint)
        self.position.batch_size = -(-batch_size // 2)
        self._save()
        warnings.warn(
            f"Memory ran out; batches now have {self.position.batch_size} samples, and so many of them make "
            f"a step that it sees {self._samples_per_step} as before.",
            RuntimeWarning,
            stacklevel=2,
        )

    def _steps_of_call(self) -> int:
        """Return how many steps the next call may take: up to a checkpoint, or to a step to be skipped."""
        taken = self._steps_taken()
        ahead = [step - taken for step in self.position.skipped if step > taken]
        heard = self._training_batches.steps_left(self.position.step)
        if self._checksums is not None:
            ahead.append(self._checksums.steps_left(taken))
        return min(self._pace.steps, self._checkpoint_interval.steps_left(taken), heard, *ahead)

    def _skip_step(self, reason: _BadStep) -> None:
        """Go back to the last checkpoint to pass that step over at half the learning rate, or give up."""
        wrong = self._steps_taken() + reason.failure.steps
        bad = self.engine.batch_source.not_finite(reason.samples)
        place = self.position.epoch, self.position.step + reason.failure.steps
        error = diverged(reason.failure, reason.samples, bad, wrong, place)
        skipped, rollbacks = [*self.position.skipped, wrong], self.position.rollbacks
        checkpoint = self._checkpoints.latest() if self.options["on_nan"] == "rollback" else None
        if checkpoint is None or rollbacks >= _ROLLBACKS:
            raise error
        self._restore(checkpoint)
        for optimizer in self.engine.optimizers:
            scale_learning_rate(optimizer, 0.5 ** (rollbacks + 1 - self.position.rollbacks))
        self.position.skipped, self.position.rollbacks = skipped, rollbacks + 1
        self._save()
        warnings.warn(
            f"{error} Went back to step {self._steps_taken()} with half the learning rate; step {wrong} "
            "will be passed over.",
            RuntimeWarning,
            stacklevel=2,
        )

    def _save(self) -> None:
        self._checkpoints.save(self.position, self._steps_taken(), self.best.weights or ())

    def _steps_taken(self) -> int:
        known = self._plan.steps_before(self.position.epoch)
        before = (self.position.steps_before or 0) if known is None else known
        return before + self.position.step


class _BadStep(Exception):
    """A step's loss or gradient is not finite, or a spike."""

    def __init__(self, failure: StepFailure, samples: np.ndarray) -> None:
        super().__init__()
        self.failure = failure
        self.samples = samples
