"""The learning-rate range test: which rate to train at, from a hundred steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from kexp.core.constraints import Between, RangeTestSteps, check_value
from kexp.core.errors import InputError
from kexp.engine.base import Engine
from kexp.run.context import capture_training
from kexp.run.dry_run import (
    AT_A_CONSTANT_RATE,
    dry_run,
    random_streams_kept,
    set_learning_rate,
    training_rows,
)
from kexp.run.training_setup import TrainingSetup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EXPLODED = 4.0  # times the best loss
_RECENT_STEPS = 5  # whose mean says whether it has
_FALL = 0.05  # of the first loss; less is noise
_DEVIATIONS = 3.0  # of the noise; nor is less
_BEGUN = 0.1  # of the way down
_SMOOTHED_DECADES = 0.2


@dataclass(frozen=True)
class LearningRateSearch:
    """The loss at every rate of a range test.

    Attributes:
        learning_rates: (steps,) rates, rising by the same factor from step to step.
        losses: (steps,) loss of the step after which the weights were moved at that rate.
        smoothed: (steps,) losses averaged over neighbouring rates.
        suggestion: The rate to train at, or None when the loss did not fall.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None

    def plot(self) -> Figure:
        """Return a figure of the loss over the rate, the suggestion marked."""
        from kexp.core.shown_figure import ShownFigure

        figure = ShownFigure(figsize=(6.0, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(self.learning_rates, self.losses, alpha=0.35, linewidth=1, label="loss of each step")
        axes.plot(self.learning_rates, self.smoothed, color="tab:blue", label="smoothed")
        title = "learning-rate range test: the loss does not fall"
        if self.suggestion is not None:
            title = "learning-rate range test"
            axes.axvline(
                self.suggestion, color="tab:red", linestyle="--", label=f"suggestion {self.suggestion:.2g}"
            )
        top, bottom = float(self.smoothed[0]), float(self.smoothed.min())
        # The explosion at the end would flatten all that matters.
        margin = max(top - bottom, 0.1 * abs(top), 1e-12)
        axes.set(title=title, xlabel="learning rate", ylabel="training loss", xscale="log")
        axes.set_ylim(bottom - 0.3 * margin, top + 0.8 * margin)
        axes.grid(alpha=0.3)
        axes.legend()
        return figure

    def __str__(self) -> str:
        low, high = self.learning_rates[0], self.learning_rates[-1]
        tried = f"{len(self.learning_rates)} steps from {low:.1e} to {high:.1e}"
        if self.suggestion is None:
            return f"no suggestion: the loss did not fall beyond its noise in {tried}"
        return f"learning_rate {self.suggestion:.2g} ({tried})"


def lr_find(
    recipe: Callable[..., Any],
    *args: Any,
    steps: int = 100,
    lowest: float = 1e-7,
    highest: float = 10.0,
    **kwargs: Any,
) -> LearningRateSearch:
    """Train with a rate that grows from step to step, and return where the loss falls most steeply.

    The rate of step k of n is `lowest * (highest / lowest) ** (k / (n - 1))`. The search ends early when
    the mean loss of five steps exceeds four times the lowest such mean, or a loss is not finite. Losses
    are smoothed by a Gaussian of 0.2 decades. The suggestion is the rate at which the smoothed loss falls
    most per decade once a tenth of its fall is behind it for good, or a tenth of the rate of its lowest if
    that comes at once. There is none where it falls by less than 5 %, or than three deviations of its
    noise. It is where to begin, not the best rate.

    The steps are those of the recipe, its schedule and warm-up left out; whatever they change is put back,
    and nothing is written.

    Args:
        recipe: A recipe, or `kexp.fit`.
        *args: Arguments of the recipe.
        steps: Training steps, default 100, 10 or more, at most 100,000.
        lowest: First learning rate, default 1e-7, from 1e-12 to 100.
        highest: Last learning rate, default 10, up to 1e4 and above `lowest`.
        **kwargs: Keyword arguments of the recipe.

    Raises:
        InputError: An argument does not fit, several players compete, or the first loss is not finite.

    Source:
        Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3.

    Example:
        >>> import kexp
        >>> model = kexp.models.mlp((8, 8, 1), 10, hidden=(32,), dtype="uint8")
        >>> search = lr_find(kexp.fit, model, kexp.data.load("digits"))
        >>> 1e-4 < search.suggestion < 1
        True
    """
    steps = check_value("steps", steps, RangeTestSteps)
    lowest = check_value("lowest", lowest, Annotated[float, Between(1e-12, 100.0)])
    highest = check_value("highest", highest, Annotated[float, Between(1e-12, 1e4)])
    if not lowest < highest:
        raise InputError(f"lowest must be below highest; received {lowest:g} and {highest:g}.")
    rates = np.geomspace(lowest, highest, steps)
    with random_streams_kept():
        losses = capture_training(lambda training: _losses(training, rates), recipe, *args, **kwargs)
    rates = rates[: len(losses)]
    smoothed, noise = _smoothed(losses, np.log10(rates))
    return LearningRateSearch(rates, losses, smoothed, _suggestion(rates, smoothed, noise))


def _losses(training: TrainingSetup, rates: np.ndarray) -> np.ndarray:
    if not training.objective.detects_loss_spikes:
        raise InputError(
            "recipe must have one loss that a good learning rate lowers; that of a player says nothing of "
            "it, so compare the samples of a sweep over learning_rate."
        )
    alone = replace(training, data=replace(training.data, validation=None))
    losses: list[float] = []
    with dry_run(alone, **AT_A_CONSTANT_RATE) as engine:
        for rate, row in zip(rates, training_rows(engine, training), strict=False):
            loss = _step(engine, row, training.batch_size, float(rate))
            if not np.isfinite(loss):
                break
            losses.append(loss)
            if _has_exploded(losses):
                break
    if not losses:
        raise InputError(
            "the first loss is not finite at any learning rate; look at data and model with kexp.check."
        )
    return np.array(losses)


def _step(engine: Engine, row: np.ndarray, batch_size: int, rate: float) -> float:
    set_learning_rate(engine, rate)
    engine.reset_metrics()
    trouble = engine.run(row[None], batch_size)
    return float("nan") if trouble is not None else engine.read_metrics()["loss"]


def _has_exploded(losses: list[float]) -> bool:
    if len(losses) <= _RECENT_STEPS:
        return False
    recent = np.convolve(losses, np.full(_RECENT_STEPS, 1 / _RECENT_STEPS), "valid")
    best = recent.min()
    return bool(recent[-1] > best + (_EXPLODED - 1) * abs(best))


def _smoothed(losses: np.ndarray, decades: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each loss averaged with those at rates near by, and the deviation that noise leaves."""
    weights = np.exp(-0.5 * ((decades[:, None] - decades) / _SMOOTHED_DECADES) ** 2)  # (steps, steps)
    weights /= weights.sum(axis=1, keepdims=True)
    smoothed = weights @ losses
    fall = losses[: int(smoothed.argmin()) + 1] - smoothed[: int(smoothed.argmin()) + 1]
    return smoothed, fall.std() * np.sqrt(np.square(weights).sum(axis=1))


def _suggestion(rates: np.ndarray, smoothed: np.ndarray, noise: np.ndarray) -> float | None:
    if len(rates) < 3:
        return None
    early = max(1, len(rates) // 10)
    first, lowest = float(smoothed[:early].mean()), int(smoothed.argmin())
    if first - smoothed[lowest] < max(_FALL * abs(first), _DEVIATIONS * noise[lowest]):
        return None
    if lowest < 2:
        return float(rates[lowest] / 10)
    # Before the way down, where nothing is learnt yet, noise alone can be steep.
    down = int(np.flatnonzero(smoothed[:lowest] > first - _BEGUN * (first - smoothed[lowest])).max(initial=0))
    slopes = np.gradient(smoothed, np.log10(rates))[down:lowest]
    return float(rates[down + int(slopes.argmin())])
