"""The plan of the epochs: how many steps each has, on which samples, and after which ones is validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kexp.data.order import epoch_order


@dataclass(frozen=True)
class EpochPlan:
    """What the epochs of a run are.

    Attributes:
        samples: Training samples, or batches where data come in batches of their own.
        samples_per_step: How many of them a step takes.
        steps: Steps of an epoch; None: as many as take all samples once.
        shuffle: Whether each epoch takes them in an order of its own.
        first: The first epoch, from 0.
        validation_freq: After every so many epochs, or after the epochs of these numbers, from 1, there is
            a validation.

    Example:
        >>> plan = EpochPlan(samples=5, samples_per_step=2, validation_freq=2)
        >>> plan.steps_per_epoch, [plan.validates_after(epoch) for epoch in range(4)]
        (3, [False, True, False, True])
        >>> EpochPlan(samples=2, samples_per_step=2, steps=2, shuffle=False).order(0, 0).tolist()
        [0, 1, 0, 1]
    """

    samples: int
    samples_per_step: int
    steps: int | None = None
    shuffle: bool = True
    first: int = 0
    validation_freq: int | Sequence[int] = 1

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, the last of which may have fewer samples."""
        return self.steps or -(-self.samples // self.samples_per_step)

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Return the positions that an epoch takes, in order, int32."""
        if self.steps is None:
            return epoch_order(self.samples, seed, epoch, self.shuffle)
        wanted = self.steps * self.samples_per_step
        rounds = -(-wanted // self.samples)  # several where the data are fewer than an epoch takes
        orders = [
            epoch_order(self.samples, seed, epoch * rounds + one, self.shuffle) for one in range(rounds)
        ]
        return np.concatenate(orders)[:wanted]

    def validates_after(self, epoch: int) -> bool:
        """Return whether there is a validation after an epoch, counted from 0."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq
