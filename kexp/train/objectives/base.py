"""What a step minimises, whose weights it changes, and what is measured on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import keras

from kexp.core.types import Tensor
from kexp.data import Dataset, DatasetSpec, Split
from kexp.engine.base import MetricProvider, Player, StepContext
from kexp.metrics.direction import Direction, known_direction, stated_directions


@dataclass(frozen=True, eq=False)
class Losses:
    """What a forward pass of a player costs.

    Attributes:
        total: (batch,) float32, what is minimised in the mean over all samples of a step.
        penalty: A number that does not depend on single samples, such as a weight decay.
        components: (batch,) float32 by name, for people to see.
        outputs: (batch, ...) float32 that the metrics are measured on; None if there are none.
    """

    total: Any
    penalty: Any = 0.0
    components: dict[str, Any] = field(default_factory=dict)
    outputs: Any | None = None


class Objective(ABC):
    """What a step minimises and for whom.

    Attributes:
        task: What the model predicts.
        metrics: Keras metrics of targets and outputs.
        monitor: The metric that the best epoch is chosen by; where an epoch has none, the last one counts.
        mode: Whether the best is the "max" or the "min" of it.
        from_logits: Whether outputs that stand for classes or tokens are logits rather than probabilities.
        detects_loss_spikes: Whether a loss that grows a thousandfold is a sign of trouble; not so where
            players compete.
        eval_player: The player whose losses are measured on data that it is not trained on; None: of nobody.
        components: Names of all components of `Losses`.
        takes_weights: Whether it takes the weights of samples itself, rather than have its losses weighed.
        runs_eagerly: Whether its steps are taken operation by operation, as somebody wants who debugs.
        uses_xla: Whether XLA is to compile its steps.
        pairs_samples: Whether the loss of a sample depends on the others of its batch.
        has_label_options: Whether it was made with the label_smoothing of the training, and its losses may be
            weighed by class.
    """

    task: str
    metrics: tuple[keras.metrics.Metric, ...] = ()
    monitor: str = "val_loss"
    mode: str = "min"
    from_logits: bool = True
    detects_loss_spikes: bool = True
    eval_player: str | None = "model"
    components: tuple[str, ...] = ()
    takes_weights: bool = False
    runs_eagerly: bool = False
    uses_xla: bool = False
    pairs_samples: bool = False
    has_label_options: bool = False

    def players(self, model: keras.Model) -> tuple[Player, ...]:
        """Return who plays, in the order of their turns; callbacks see the optimizer of the last."""
        return (Player("model", model),)

    @abstractmethod
    def check(self, model: keras.Model, data: Dataset) -> None:
        """Raise InputError if the model, built, cannot be trained by this on that data."""

    @abstractmethod
    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return what a batch costs a player."""

    def inference_model(self, model: keras.Model, preprocessing: keras.Model | None) -> keras.Model | None:
        """Return what is recorded and called in place of both, unless another is given; None: both."""
        return None

    def metric_targets(self, targets: Tensor) -> Any:
        """Return targets as metrics take them."""
        return targets

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor
    ) -> tuple[Any, Any]:
        """Return targets and outputs as a metric takes them."""
        return targets, outputs

    def result_names(self, metric: keras.metrics.Metric, count: int) -> list[str | None]:
        """Return the names of the values of a metric that gives several, None for those to leave out."""
        return [f"{metric.name}_{index}" for index in range(count)]

    @property
    def names_metrics(self) -> bool:
        """Whether the names of all metrics of an epoch are known beforehand."""
        return type(self).samples is Objective.samples or hasattr(self, "quality")

    def metric_directions(self) -> dict[str, Direction | None]:
        """Return the names of the metrics on one split, each with its direction, None if not known."""
        found: dict[str, Direction | None] = {"loss": "min"}
        found |= {name: known_direction(name) for name in self.components}
        stated = stated_directions(self.metrics)
        return found | {
            metric.name: stated.get(metric.name) or known_direction(metric.name) for metric in self.metrics
        }

    def sample_mask(self, targets: Tensor) -> Any:
        """Return 1 for what metrics count and 0 for padding, float32; None if all counts."""
        return None

    def least_loss(self, batch: Split, spec: DatasetSpec, label_smoothing: float) -> float:
        """Return what is left of the loss of a batch when everything is known.

        Args:
            batch: Inputs and targets as the model takes them.
            spec: What the data is, its outputs those of the model.
            label_smoothing: Share of a label spread over all classes, of a loss that smooths labels.
        """
        return 0.0

    def samples(self, model: keras.Model, split: Split, train: Split | None) -> MetricProvider | None:
        """Return what measures the samples that a model makes, if any: thoroughly beside the training part.

        Args:
            model: That makes them.
            split: Real samples to compare with.
            train: The training part, for a model that is finished; None after an epoch.
        """
        return None
