"""What a training engine is: the protocols that the loop, the objectives and the run know it by.

An engine is a folder beside this file, named after the Keras backend that it computes with. All that knows of
tensors, gradients and devices is in there; see `kexp.engine.engine_choice` for what the folder has to offer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    import keras

    from kexp.data import Split


STREAM_STATE = "feed/"  # before the names of what a batch source saves, which are bytes of any number
ITERATOR_STATE = f"{STREAM_STATE}file/"  # of an iterator, which is only there while it is read from
NORM_STATE = "gradient norm/"  # of the gradient's; checkpoints of earlier versions lack it


class OutOfMemory(MemoryError):
    """The memory of a device is not enough for a batch."""


@dataclass(frozen=True)
class StepFailure:
    """A step whose loss or gradient was not finite, or whose loss was a spike.

    Attributes:
        steps: Steps of the same call that went well before it.
        loss: Mean loss of the step.
        gradient_norm: Global norm of its gradient; NaN where it was not taken.
    """

    steps: int
    loss: float
    gradient_norm: float


class ParameterGroup(NamedTuple):
    """Weights that are trained at a rate of their own.

    Attributes:
        weights: Of a network.
        learning_rate: What the rate of its optimizer is multiplied by for them.
    """

    weights: tuple[Any, ...]
    learning_rate: float = 1.0


class Player(NamedTuple):
    """A network with a loss of its own.

    Attributes:
        name: For the loss and the optimizer.
        network: Its trainable weights are what the optimizer changes.
        update_every: It has a turn at each step whose number, from 1, is a multiple of this.
        learning_rate: What the training's rate is multiplied by.
        groups: Those of the network's weights that are trained, by their rates; () (default): all that the
            network trains, at one rate.
    """

    name: str
    network: keras.Model
    update_every: int = 1
    learning_rate: float = 1.0
    groups: tuple[ParameterGroup, ...] = ()


class EnginePhase(NamedTuple):
    """What a phase of a training trains, and by what.

    Attributes:
        players: Those who take turns in its steps, in their order.
        optimizers: That of each player, with its slots.
        enter: Has the layers train what the phase trains, and nothing else.
    """

    players: tuple[Player, ...]
    optimizers: tuple[keras.optimizers.Optimizer, ...]
    enter: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Computation:
    """How the steps of a run are computed: equal to rounding, so that the last bits of a run follow from it.

    It is recorded with the run, which goes on as it began.

    Attributes:
        fused_updates: Whether one kernel updates a weight where the backend has such for the optimizer, in
            the place of Keras's operations.
        counter_random: Whether layers and objectives draw random numbers by a counter, in the place of
            Keras's and the backend's generators.
        fused_recurrent: Whether an LSTM or GRU on a CPU has a gradient of its own, in the place of that of
            Keras's operations.
        jit: Whether XLA compiles all steps of a call as one program.
    """

    fused_updates: bool = True
    counter_random: bool = True
    fused_recurrent: bool = True
    jit: bool = False


PREFERRED = Computation()  # of a new run
BY_KERAS = Computation(fused_updates=False, counter_random=False, fused_recurrent=False)


class StepFlops(NamedTuple):
    """The arithmetic of a step.

    Attributes:
        operations: Floating-point operations of its forward and backward pass.
        not_counted: What of it could not be counted, or not whole.
    """

    operations: int
    not_counted: tuple[str, ...] = ()


class StepContext(Protocol):
    """Random numbers and gradients for one forward pass, which an objective asks for.

    The numbers follow from the run's seed and from where the pass stands alone, so that a run which goes on
    from a checkpoint draws what it would have drawn.

    Attributes:
        training: Whether weights are going to be changed.
        sample_weight: (batch,) weights of the samples, or by output; None: all alike.
    """

    training: bool
    sample_weight: Any

    def normal(self, shape: Sequence[Any]) -> Any:
        """Return float32 of a shape, of which the first axis is that of the samples, standard normal."""
        ...

    def uniform(self, shape: Sequence[Any]) -> Any:
        """Return float32 of a shape as for `normal`, from 0 to below 1."""
        ...

    def integers(self, shape: Sequence[Any], end: int) -> Any:
        """Return int32 of a shape as for `normal`, from 0 to below `end`, each as likely as the others."""
        ...

    def gradient(self, function: Callable[[Any], Any], x: Any) -> Any:
        """Return the gradient of the sum of what `function` gives with respect to `x`, of its shape."""
        ...

    def all_gather(self, x: Any) -> tuple[Any, Any]:
        """Return what all samples of the batch have, those of other replicas too, and whose place is whose.

        Gradients reach the replicas that the samples are on.

        Args:
            x: (samples, ...) float32 of the samples of this pass.

        Returns:
            (batch, ...) float32 in the order of the batch, and the (samples,) int32 places of this pass's
            samples in it.
        """
        ...


class MetricProvider(Protocol):
    """Metrics of a model on one split of the data."""

    def measure(self, batch_size: int) -> dict[str, float]:
        """Return metrics by name, without touching a weight."""
        ...


class BatchWatcher(Protocol):
    """Who is told of batches."""

    def begin(self, number: int) -> None:
        """Hear that a batch begins, counted from 0."""
        ...

    def end(self, number: int, metrics: dict[str, Any]) -> None:
        """Hear that a batch has ended, with the metrics since the first."""
        ...


class BatchSource(Protocol):
    """The samples of the steps, as the loop knows them."""

    def order(self, order: np.ndarray, batch_size: int, *seed: int) -> np.ndarray:
        """Return the (samples,) positions of an epoch in an order that suits the samples."""
        ...

    def ready(self, steps: int, step: int) -> int:
        """Return for how many of the next steps there are data in this pass; 0: an epoch ends here.

        Args:
            steps: How many are going to be taken at once, 1 or more.
            step: Those of the epoch that have been taken.
        """
        return steps

    def skip(self, samples: int) -> None:
        """Pass over so many samples, whose step is not taken."""
        ...

    def read_state(self) -> dict[str, np.ndarray]:
        """Return what has to be saved to go on from here."""
        ...

    def restore_state(self, state: dict[str, np.ndarray]) -> bool:
        """Go back to where `read_state` was called, and return whether it reads from something else now."""
        ...

    def not_finite(self, rows: np.ndarray) -> list[int]:
        """Return those of the (batch,) positions whose inputs or targets hold NaN or infinity."""
        ...


class Workers(Protocol):
    """The processes that train one model together, which may be this one alone.

    All of them take the same steps and hold the same state. What depends on the clock, on a signal or on the
    disk is for the chief to say, or for all to add up, so that none goes on where another waits.
    """

    count: int

    @property
    def is_chief(self) -> bool:
        """Whether this is the one that writes."""
        ...

    def all_reduce(self, numbers: Sequence[int]) -> list[int]:
        """Return the sums of whole numbers over all workers; each waits for the others."""
        ...

    def broadcast(self, content: bytes) -> bytes:
        """Return the chief's content on every worker; that of the others is ignored."""
        ...

    def guard(self) -> AbstractContextManager[None]:
        """Say in one sentence that another worker is gone, as `WorkerLost`."""
        ...


def from_chief(workers: Workers, value: Any) -> Any:
    """Return the chief's value, of JSON's types, on every worker; that of the others is ignored.

    Args:
        workers: Those that train together.
        value: What this one has.
    """
    return json.loads(workers.broadcast(json.dumps(value).encode()))


class Population(Protocol):
    """Trainings whose steps are taken together, by one program for all that are alike."""

    def unable(self, engine: Engine) -> str | None:
        """Return why an engine cannot take its steps together with others, or None."""
        ...

    def join(self, number: int, engine: Engine, train: Split, likeness: Callable[[], str]) -> None:
        """Have an engine take its steps together with those of the same likeness.

        Args:
            number: Of the training, by which `end` names it.
            engine: Of a training that has not begun.
            train: The training data.
            likeness: Tells what it has in common with others: all but numbers that may differ, and the seed.
        """
        ...

    def serve(self, questions: Sequence[Any]) -> list[int | None]:
        """Answer those that wait, None: with nothing yet."""
        ...

    def end(self) -> dict[int, str]:
        """Let go of trainings that have ended, and return why some took steps alone, by number."""
        ...


class Engine(Protocol):
    """Takes the steps of a training, and holds all the state that they read or write.

    Attributes:
        model: What is trained.
        players: Those who take turns in a step of the phase.
        optimizers: That of each player.
        batch_source: Gives the samples of a step.
        workers: Those that train together.
        jit: Whether steps are compiled by XLA, as `Computation.jit`; setting it changes no state.
        device_type: The type of device that holds the weights, such as "CPU" or "GPU".
    """

    model: keras.Model
    players: tuple[Player, ...]
    optimizers: tuple[keras.optimizers.Optimizer, ...]
    workers: Workers
    jit: bool

    @property
    def phases(self) -> int:
        """How many phases the training has, 1 or more."""
        ...

    @property
    def device_type(self) -> str:
        """The type of device that holds the weights, such as "CPU" or "GPU"."""
        ...

    @property
    def batch_source(self) -> BatchSource:
        """The samples of the steps."""
        ...

    def begin_phase(self, number: int) -> None:
        """Train from now on what a phase trains, counted from 0, with its optimizers as they are."""
        ...

    @property
    def validates(self) -> bool:
        """Whether there is validation data."""
        ...

    def run(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Take one step for each row of `rows`, and stop early at one that goes wrong.

        Args:
            rows: (steps, samples) positions in the training data.
            batch_size: Samples per forward pass; a row may have several times as many.

        Returns:
            None when all went well. After a failure the model is not to be used: restore a state.

        Raises:
            OutOfMemory: A batch does not fit; a step may have been taken in part.
        """
        ...

    def compile_problem(self, rows: np.ndarray, batch_size: int) -> str | None:
        """Return why steps like this one cannot be compiled, or None; no state is changed.

        Args:
            rows: (1, samples) positions in the training data.
            batch_size: Samples per forward pass.
        """
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a step that `until` can end at, in their order."""
        ...

    def until(self, part: str) -> Engine:
        """Return an engine of the same variables whose steps end after a part, or have "nothing"."""
        ...

    def validate(self, batch_size: int, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return loss and metrics on the validation data.

        Args:
            batch_size: Samples per forward pass.
            watcher: Is told of each batch, which are then measured one by one.

        Raises:
            OutOfMemory: A batch does not fit.
        """
        ...

    def measure(self, split: Split, train: Split, batch_size: int) -> dict[str, float]:
        """Return loss and metrics of the finished model on a part that it was not trained on.

        Args:
            split: The part, such as the test split.
            train: The training part, which samples of the model are compared with.
            batch_size: Samples per forward pass.
        """
        ...

    def read_metrics(self) -> dict[str, float]:
        """Return loss and metrics over the steps since the last reset."""
        ...

    def gradient_norms(self) -> dict[str, float]:
        """Return the mean norm of the gradient over the steps since the last reset, by player.

        It is the global norm of the gradient of a whole step, before it is clipped and as `clip_norm` limits
        it. A player of whom it is not known is left out: one whose loss is scaled for float16, one of a model
        with a step of its own, and one without a turn, or whose checkpoint was without it.
        """
        ...

    def reset_metrics(self) -> None:
        """Start the running means anew, of the gradient norm too."""
        ...

    def read_state(self) -> dict[str, np.ndarray]:
        """Return every variable that a step reads or writes, by a stable name."""
        ...

    def snapshot(self) -> Callable[[], dict[str, np.ndarray]]:
        """Return what gives the state as it is now, whenever and in whatever thread it is asked."""
        ...

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Set every variable to what `read_state` returned."""
        ...

    def checksums(self) -> dict[str, int]:
        """Return the CRC-32 of every variable that a step changes for good, by the names of `read_state`."""
        ...

    def close(self) -> None:
        """Let go of what would outlive the run; no step can be taken after it."""
        ...

    def state_bytes(self) -> int:
        """Return the size of what `read_state` returns."""
        ...
