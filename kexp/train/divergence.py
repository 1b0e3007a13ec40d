"""What is said of a run whose training went wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kexp.core.errors import TrainingDiverged
from kexp.engine.base import StepFailure

_SHOWN = 5


def diverged(
    failure: StepFailure,
    rows: np.ndarray,
    not_finite: Sequence[int],
    step: int,
    place: tuple[int, int],
) -> TrainingDiverged:
    """Return the error that names a step and its samples.

    Args:
        failure: What the step came to.
        rows: (samples,) positions of its samples in the training data.
        not_finite: Those of them that are not finite themselves.
        step: Steps taken since the run began, that one not included.
        place: The epoch of the step, and its number there, both from 0.
    """
    samples, (epoch, step_of_epoch) = [int(sample) for sample in rows], place
    listed = ", ".join(map(str, not_finite[:_SHOWN]))
    where = f"; inputs or targets of sample {listed} are not finite" if listed else ""
    shown = ", ".join(map(str, samples[:_SHOWN])) + (", …" if len(samples) > _SHOWN else "")
    return TrainingDiverged(
        f"Training went wrong in step {step} (step {step_of_epoch} of epoch {epoch + 1}): "
        f"loss {failure.loss:.4g}, gradient norm {failure.gradient_norm:.4g}, on training samples {shown}"
        f"{where}. Lower learning_rate, set clip_norm, or give on_nan='rollback'.",
        step=step,
        epoch=epoch + 1,
        samples=samples,
        loss=failure.loss,
        gradient_norm=failure.gradient_norm,
    )
