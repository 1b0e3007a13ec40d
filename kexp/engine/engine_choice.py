"""What the folder of an engine offers, and which one computes: that of Keras's backend."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import keras
import numpy as np

from kexp.core.options import TrainOptions
from kexp.core.types import Nest
from kexp.data import Dataset, Split
from kexp.engine.base import (
    PREFERRED,
    Computation,
    Engine,
    EnginePhase,
    MetricProvider,
    Population,
    StepFlops,
    Workers,
)
from kexp.train.objectives import Objective


class Backend(Protocol):
    """The module `kexp.engine.NAME.backend` of the engine for Keras's backend NAME.

    Attributes:
        INPUT_ERRORS: What a model raises that cannot take its inputs.
    """

    INPUT_ERRORS: tuple[type[Exception], ...]

    def engine(
        self,
        model: keras.Model,
        objective: Objective,
        phases: Sequence[EnginePhase],
        data: Dataset,
        options: TrainOptions,
        batch_size: int,
        *,
        augmentation: Any = None,
        sample_weight: np.ndarray | None = None,
        class_weights: np.ndarray | None = None,
        steps_before: int = 0,
        computation: Computation = PREFERRED,
    ) -> Engine:
        """Return an engine that trains on `data.train` and validates on `data.validation`.

        Args:
            model: A built model, made in the scope of the strategy.
            objective: What a step minimises and what is measured.
            phases: What each phase of the training trains, one at least; the first is begun.
            data: As the model takes it.
            options: Complete training options.
            batch_size: Samples per forward pass, to begin with.
            augmentation: Changes the inputs and targets of a training batch; from `augmentation`.
            sample_weight: (training samples,) weights of the training loss.
            class_weights: (classes,) float32 weights of the training loss.
            steps_before: Steps of the epochs before the first one of the run.
            computation: How steps are computed.
        """
        ...

    def augmentation(self, layers: Sequence[keras.layers.Layer], data: Dataset) -> Any:
        """Return what changes training batches, with its `variables`; None for no layers."""
        ...

    def evaluator(
        self, model: keras.Model, objective: Objective, split: Split, train: Split | None = None
    ) -> MetricProvider:
        """Return what measures a model on a split, its losses and the samples that it makes."""
        ...

    def forward_pass(self, model: Any, batch: Nest) -> Any:
        """Return the outputs of a model, or of what is called as one, for tensors, without training."""
        ...

    def value_and_gradient(self, function: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
        """Return what a function gives for a tensor, and the gradient of its sum, of the tensor's shape."""
        ...

    def measure_outputs(
        self, objective: Objective, targets: np.ndarray, outputs: np.ndarray
    ) -> dict[str, float]:
        """Return the metrics of an objective for outputs that are at hand, (samples, ...)."""
        ...

    def activation_bytes(self, model: keras.Model, inputs: Any, batch_size: int) -> int | None:
        """Return the size of what the operations of a forward pass give for a batch; None if unknown."""
        ...

    def step_flops(self, engine: Any, rows: np.ndarray, batch_size: int) -> StepFlops:
        """Return the floating-point operations of the forward and backward pass of a step."""
        ...

    def has_fused_updates(self, optimizer: keras.optimizers.Optimizer) -> bool:
        """Return whether there are kernels that compute what an optimizer does."""
        ...

    def matmul_flops_per_s(self) -> float:
        """Return the floating-point operations a second of a large product of float32 matrices."""
        ...

    def device_peak_bytes(self) -> int | None:
        """Return the most memory that was in use on a GPU; None: there is none."""
        ...

    def memory_checked(self) -> AbstractContextManager[None]:
        """Return a context that raises `OutOfMemory` where a device has no more memory."""
        ...

    def population(self, wait: Callable[[Any], int]) -> Population:
        """Return a population that no training has joined yet.

        Args:
            wait: Hands a question over, and returns what `Population.serve` answers, once all ask.
        """
        ...

    def workers(self) -> Workers:
        """Return the workers of the strategy in scope."""
        ...

    def replicas(self) -> int:
        """Return the number of devices that share a batch."""
        ...

    def device_types(self) -> list[str]:
        """Return the type of each device of this machine, such as "GPU"."""
        ...

    def strategy_scope(self, options: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """Return the scope of the devices that training options ask for."""
        ...

    def misplaced_for(self, model: keras.Model, options: TrainOptions) -> str | None:
        """Return the arguments of the scope in which a model should have been built, if built elsewhere."""
        ...


def backend() -> Backend:
    """Return the engine folder of Keras's backend.

    Example:
        >>> backend().replicas()
        1
    """
    return cast(Backend, importlib.import_module(f"kexp.engine.{keras.backend.backend()}.backend"))
