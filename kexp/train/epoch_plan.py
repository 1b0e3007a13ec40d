"""The plan of the epochs: how many steps each has, on which samples, and after which ones is validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kexp.data.order import epoch_order

UNKNOWN_STEPS = 2**31 - 1  # of an epoch that ends where its data end


@dataclass(frozen=True)
class EpochPlan:
    """What the epochs of a run are.

    A pass takes all samples once. An epoch is a pass, or of fewer steps a part of it: the epochs of a pass go
    on where the one before stopped, and the last of them has the steps that are left, as in Keras.

    Attributes:
        samples: Training samples, or batches where data come in batches of their own; None: as many as there
            turn out to be.
        samples_per_step: How many of them a step takes.
        steps: Most steps of an epoch; None: those of a pass.
        steps_per_execution: Steps that Keras would take at once; `steps` are rounded up to a multiple of it.
        shuffle: Whether each pass takes the samples in an order of its own.
        first: The first epoch, from 0.
        validation_freq: After every so many epochs, or after the epochs of these numbers, from 1, there is
            a validation.

    Example:
        >>> plan = EpochPlan(samples=5, samples_per_step=2, validation_freq=2)
        >>> plan.steps_per_epoch, [plan.validates_after(epoch) for epoch in range(4)]
        (3, [False, True, False, True])
        >>> plan = EpochPlan(samples=5, samples_per_step=2, steps=2, shuffle=False)
        >>> [plan.order(0, epoch).tolist() for epoch in range(3)], plan.steps_before(2)
        ([[0, 1, 2, 3], [4], [0, 1, 2, 3]], 3)
    """

    samples: int | None
    samples_per_step: int
    steps: int | None = None
    steps_per_execution: int = 1
    shuffle: bool = True
    first: int = 0
    validation_freq: int | Sequence[int] = 1

    @property
    def pass_steps(self) -> int | None:
        """Steps of a pass, the last of which may have fewer samples; None where that is not known."""
        return None if self.samples is None else -(-self.samples // self.samples_per_step)

    @property
    def steps_per_epoch(self) -> int:
        """Most steps of an epoch."""
        at_once = self.steps_per_execution
        most = UNKNOWN_STEPS if self.steps is None else -(-self.steps // at_once) * at_once
        return most if self.pass_steps is None else min(most, self.pass_steps)

    def steps_of(self, epoch: int) -> int:
        """Return the steps of an epoch, counted from 0; of data of unknown size, the most it may have."""
        if self.pass_steps is None:
            return self.steps_per_epoch
        within = self._place(epoch)[1]
        return min(self.steps_per_epoch, self.pass_steps - within * self.steps_per_epoch)

    def steps_before(self, epoch: int) -> int | None:
        """Return the steps of all epochs before one, or None where that is not known."""
        if self.pass_steps is None:
            return None
        passes, within = self._place(epoch)
        return passes * self.pass_steps + within * self.steps_per_epoch

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Return the positions that an epoch takes, in order, int32."""
        if self.samples is None:  # the batches have no numbers; this takes no memory
            return np.broadcast_to(np.int32(0), self.steps_per_epoch)
        passes, within = self._place(epoch)
        first = within * self.steps_per_epoch * self.samples_per_step
        samples = self.steps_per_epoch * self.samples_per_step
        return epoch_order(self.samples, seed, passes, self.shuffle)[first : first + samples]

    def validates_after(self, epoch: int) -> bool:
        """Return whether there is a validation after an epoch, counted from 0."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq

    def notes(self) -> tuple[str, ...]:
        """Return what is to be said of epochs that are not what was asked for."""
        if self.steps is None or self.pass_steps is None:
            return ()
        if self.steps > self.pass_steps:
            return (
                f"steps_per_epoch is {self.steps}, and the data have {self.pass_steps}: an epoch has those.",
            )
        left = self.pass_steps % self.steps_per_epoch
        if not left:
            return ()
        return (
            f"the data have {self.pass_steps} steps: after every {self.pass_steps // self.steps_per_epoch} "
            f"epochs of {self.steps_per_epoch} there is one of the {left} that are left.",
        )

    def _place(self, epoch: int) -> tuple[int, int]:
        """Return the number of the pass that an epoch is in, and its own number there."""
        assert self.pass_steps is not None
        return divmod(epoch, -(-self.pass_steps // self.steps_per_epoch))
