"""Populations: trainings whose steps are taken together, by one program for all that are alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.types import Nest
from kexp.data import Split
from kexp.data.order import batches
from kexp.engine.base import PREFERRED, BatchWatcher, StepFailure
from kexp.engine.tensorflow.engine import TensorFlowEngine
from kexp.engine.tensorflow.evaluator import Evaluator, LossEvaluator
from kexp.engine.tensorflow.input_pipeline import ArrayBatchSource
from kexp.engine.tensorflow.length_buckets import plain
from kexp.engine.tensorflow.population_program import (
    PopulationProgram,
    evaluation_program,
    training_program,
)
from kexp.engine.tensorflow.step_loop import StepLoop
from kexp.engine.tensorflow.trial_scalar import scalars_of, without_scalars

_MOST_BYTES = 2**28  # of the batches of a call
_MOST_KEPT = 4  # programs, each with the model of one of its trials
_NO_ROWS = np.zeros((0, 0), np.int32)


@dataclass(eq=False)
class Question:
    """That steps or evaluations of a trial are to be taken.

    Attributes:
        number: Of the training.
        program: By which.
        variables: What it reads.
        written: How many of them, the first, it changes.
        scalars: In which the trial differs from others.
        seed: Of its run.
        arrays: Inputs and targets.
        rows: (steps, samples) positions in them.
        done: How many of the steps have been taken.
    """

    number: int
    program: PopulationProgram
    variables: Sequence[tf.Variable]
    written: int
    scalars: Sequence[float]
    seed: int
    arrays: Nest
    rows: np.ndarray
    done: int = 0

    def batches(self, count: int) -> list[np.ndarray]:
        """Return inputs and targets of the next steps, flat, (steps, samples, ...) each."""
        rows = self.rows[self.done : self.done + count]
        return [array[rows] for array in tf.nest.flatten(self.arrays)]

    @property
    def step_bytes(self) -> int:
        """The size of a batch."""
        arrays = tf.nest.flatten(self.arrays)
        return self.rows.shape[1] * sum(array[:1].nbytes for array in arrays)


# From a question to how many of its steps were taken; those that are left the trial is to take by itself.
Wait = Callable[[Question], int]


class Population:
    """Trainings that wait for one another, so that steps of those that are alike are taken together.

    The variables of each remain its own, and hold its state between two calls: checkpoints, callbacks and
    metrics know nothing of the others.

    Args:
        wait: Asks a question, and returns once all trainings that are under way have asked theirs.
    """

    def __init__(self, wait: Wait) -> None:
        self._wait = wait
        self._programs: dict[str, tuple[PopulationProgram, PopulationProgram | None]] = {}
        self._alone: dict[int, str] = {}

    def unable(self, engine: TensorFlowEngine) -> str | None:
        """Return why an engine cannot take its steps together with others, or None."""
        source, evaluator = engine.batch_source, engine.evaluator
        if type(source) is not ArrayBatchSource:
            return "its samples are not in memory"
        if source.trims_padding:
            return "its batches are cut to the length of their samples"
        if evaluator is not None and evaluator.losses is not None and not evaluator.losses.is_plain:
            return "its validation data are cut, weighted or on the disk"
        if engine.has_phases:
            return "its training has phases"
        if engine.is_distributed:
            return "its strategy shares batches among devices"
        if replace(engine.computation, jit=False) != PREFERRED:
            return "its steps are computed as an earlier version did"
        if engine.jit:
            return "its steps are compiled by XLA"
        return None

    def join(self, number: int, engine: TensorFlowEngine, train: Split, likeness: Callable[[], str]) -> None:
        """Have an engine take its steps together with those of the same likeness.

        Args:
            number: Of the training, by which `end` names it.
            engine: Of a training that has not begun.
            train: The training data.
            likeness: Tells what it has in common with others: all but numbers that may differ, and the seed.
        """
        scalars = scalars_of(engine.model, engine.objective, engine.optimizers[0])
        with without_scalars(scalars):
            alike = f"{[scalar.name for scalar in scalars]} {likeness()}"
        evaluator = engine.evaluator
        losses = None if evaluator is None else evaluator.losses
        if alike not in self._programs:
            training = training_program(engine, scalars)
            evaluation = None if losses is None else evaluation_program(engine, losses, scalars)
            self._programs[alike] = training, evaluation
        training, evaluation = self._programs[alike] = self._programs.pop(alike)  # as the one used last
        of_trial = [scalar.value for scalar in scalars], engine.options["seed"]
        variables = _plain_variables(list(engine.variables().values()))
        member = Question(number, training, variables, len(variables), *of_trial, _arrays(train), _NO_ROWS)
        engine.take_steps = MemberSteps(self._wait, member, engine.loop)
        if evaluation is not None and losses is not None and evaluator is not None:
            own = _plain_variables(losses.metrics.variables)
            variables = [*own, *_plain_variables(engine.model.variables)]
            member = Question(
                number, evaluation, variables, len(own), *of_trial, _arrays(losses.split), _NO_ROWS
            )
            engine.evaluate = MemberEvaluation(self._wait, member, evaluator, losses)

    def serve(self, questions: Sequence[Question]) -> list[int | None]:
        """Take steps for most of those that wait, and answer those that have no more to take.

        Those of one program and size of batches take them together. Who is ahead waits: trainings that began
        alike, but take other numbers of steps in a call, stay together.

        Returns:
            How many steps were taken, None where there are more to take.
        """
        groups: dict[tuple[int, int], list[Question]] = defaultdict(list)
        for question in questions:
            groups[id(question.program), question.rows.shape[1]].append(question)
        answers: dict[int, int] = {}
        asked = max(groups.values(), key=len)
        program = asked[0].program
        if program.problem is None and (len(asked) > 1 or program.is_traced):
            with program.noting_problem():
                answers = _take(program, asked)
        if program.problem is not None or not program.is_traced:
            reason = program.problem or "no other that waited is like it"
            self._alone |= {question.number: reason for question in asked}
            answers = {id(question): question.done for question in asked}
        return [answers.get(id(question)) for question in questions]

    def end(self) -> dict[int, str]:
        """Let go of trainings that have ended, and return why some took steps by themselves, by their number.

        The programs that were used last are kept, for others that are like those.
        """
        traced = {alike: both for alike, both in self._programs.items() if both[0].is_traced}
        self._programs = dict(list(traced.items())[-_MOST_KEPT:])
        alone, self._alone = self._alone, {}
        return alone


class MemberSteps:
    """Takes the steps of one training together with those of others.

    Args:
        wait: Asks a question, and returns once all have asked theirs.
        member: The question, without rows.
        alone: Takes the steps of the training by themselves.
    """

    def __init__(self, wait: Wait, member: Question, alone: StepLoop) -> None:
        self._wait, self._member, self._alone = wait, member, alone

    def __call__(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Take one step for each row, the positions of its samples."""
        done = self._wait(replace(self._member, rows=rows))
        if done == len(rows):
            return None
        failure = self._alone.run(rows[done:], batch_size)
        return None if failure is None else replace(failure, steps=done + failure.steps)


class MemberEvaluation:
    """Measures one training on its validation data together with others.

    Args:
        wait: Asks a question, and returns once all have asked theirs.
        member: The question, without rows.
        evaluator: Measures the training by itself.
        losses: The part of it that takes the batches.
    """

    def __init__(self, wait: Wait, member: Question, evaluator: Evaluator, losses: LossEvaluator) -> None:
        self._wait, self._member, self._evaluator, self._losses = wait, member, evaluator, losses

    def __call__(self, batch_size: int, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return loss and metrics."""
        if watcher is not None:
            return self._evaluator.measure(batch_size, watcher)
        metrics = self._losses.metrics
        metrics.reset()
        full, tail = batches(np.arange(len(self._losses.split), dtype=np.int32), batch_size)
        for rows in (full, tail[None]):
            if rows.size and self._wait(replace(self._member, rows=rows)) < len(rows):
                return self._evaluator.measure(batch_size)
        found = metrics.read()
        metrics.reset()
        return found


def _take(program: PopulationProgram, asked: Sequence[Question]) -> dict[int, int]:
    """Take as many steps as all are to take, and return how many each has taken that is to take no more."""
    most = max(1, _MOST_BYTES // sum(question.step_bytes for question in asked))
    count = min(most, *(len(question.rows) - question.done for question in asked))
    batches = zip(*(question.batches(count) for question in asked), strict=True)
    wrong, after = program.run(
        [tf.stack(variables) for variables in zip(*(question.variables for question in asked), strict=True)],
        np.array([question.scalars for question in asked], np.float64),
        np.array([question.seed for question in asked], np.int32),
        tf.nest.pack_sequence_as(asked[0].arrays, [np.stack(arrays) for arrays in batches]),
    )
    for question, is_bad, values in zip(
        asked, wrong, zip(*map(tf.unstack, after[: asked[0].written]), strict=True), strict=True
    ):
        # Of one that goes wrong nothing is kept: it has to be known which step it was.
        if not is_bad:
            for variable, value in zip(question.variables[: question.written], values, strict=False):
                # Ten times as fast as `assign`, which there is a lot of here.
                tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)
            question.done += count
    return {
        id(question): question.done
        for question, is_bad in zip(asked, wrong, strict=True)
        if is_bad or question.done == len(question.rows)
    }


def _plain_variables(variables: Sequence[Any]) -> list[tf.Variable]:
    return [one.value if isinstance(one, keras.Variable) else one for one in variables]


def _arrays(split: Split) -> tuple[Any, Any]:
    return plain(split.inputs), plain(split.targets)
