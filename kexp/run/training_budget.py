"""The budget of a training: as many epochs as the data need, and whether the best one can be told."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from kexp.core.options import ANNEALED, TrainOptions
from kexp.data import Dataset
from kexp.data.batch_feed import FedSplit
from kexp.data.splits import FEWEST_OF_A_CLASS, FEWEST_TO_CHOOSE_BY, fewest_to_choose_by
from kexp.run.fit_plan import EpochOptions
from kexp.train.objectives import Objective, Supervised
from kexp.train.phases import Phase

SMALLEST_BATCH = 2  # of one sample alone batch normalisation may have no variance


def with_least_batches(options: TrainOptions, data: Dataset, batch_size: int) -> tuple[int, tuple[str, ...]]:
    """Return how many samples a batch has so that an epoch has the least batches, and what to say of it.

    Runs on a part of the data, to try something out, keep their batches, as do those whose batches come as
    they are.

    Args:
        options: Complete training options.
        data: What is trained on.
        batch_size: Samples per forward pass, at most.

    Source:
        A tenth of the samples, 16 at most, have the networks of Wang, Yan and Oates 2017, "Time series
        classification from scratch with deep neural networks".

    Example:
        >>> import kexp
        >>> from kexp.core.options import complete
        >>> with_least_batches(complete({"least_batches": 10}), kexp.data.load("iris"), 32)
        (10, ('batches of 10 samples, not 32, so that 108 make 10 or more; batch_size=32 keeps them.',))
    """
    least = options["least_batches"]
    tried = options["fast_dev_run"] or options["overfit_batches"]
    if least is None or tried or isinstance(data.train, FedSplit):
        return batch_size, ()
    samples = len(data.train)
    smaller = max(SMALLEST_BATCH, samples // (least * options["accumulate"]))
    if smaller >= batch_size:
        return batch_size, ()
    note = (
        f"batches of {smaller} samples, not {batch_size}, so that {samples:,} make {least} or more; "
        f"batch_size={batch_size} keeps them."
    )
    return smaller, (note,)


def with_least_steps(
    options: TrainOptions,
    data: Dataset,
    batch_size: int,
    epochs: EpochOptions,
    phases: Sequence[Phase] = (),
) -> tuple[TrainOptions, tuple[str, ...]]:
    """Return options with as many epochs as have the least steps, and what to say where these are more.

    Runs on a part of the data, to try something out, keep their epochs, as do those of several phases and
    those whose batches come as they are.

    Args:
        options: Complete training options.
        data: What is trained on.
        batch_size: Samples per forward pass.
        epochs: What the epochs are.
        phases: What the training is divided into.

    Example:
        >>> import kexp
        >>> from kexp.core.options import complete
        >>> asked = complete({"epochs": 5, "least_steps": 100})
        >>> options, (note,) = with_least_steps(asked, kexp.data.load("iris"), 32, EpochOptions())
        >>> options["epochs"], note
        (25, '25 epochs for 100 steps: 5 of 4 steps would be 20, too few for data of this size; epochs=5 has
        them all the same.')
    """
    least, asked = options["least_steps"], options["epochs"]
    tried = options["fast_dev_run"] or options["overfit_batches"]
    if least is None or tried or phases or isinstance(data.train, FedSplit):
        return options, ()
    steps = -(-len(data.train) // (batch_size * options["accumulate"]))
    steps = steps if epochs.steps is None else min(steps, epochs.steps)
    needed = -(-least // steps)
    if needed <= asked:
        return options, ()
    note = (
        f"{needed} epochs for {least:,} steps: {asked} of {steps} step{'s' * (steps != 1)} would be "
        f"{asked * steps:,}, too few for data of this size; epochs={asked} has them all the same."
    )
    return {**options, "epochs": needed}, (note,)


def too_few_to_choose(
    objective: Objective, data: Dataset, options: TrainOptions, callbacks: Sequence[keras.callbacks.Callback]
) -> tuple[str, ...]:
    """Return why the last epoch is kept, where the validation part is too small to choose one by.

    A part of 30 samples has a standard error of 0.07 where 0.8 are right; the best of many epochs on it is
    the luckiest. An epoch is chosen all the same where that is asked for, the rate stays high, or something
    stops earlier. Nothing is returned then.

    Args:
        objective: What a step minimises.
        data: What is trained and validated on.
        options: Complete training options.
        callbacks: The user's, of which an early stopping chooses itself.
    """
    asked = options["monitor"] is not None or options["early_stop"] or options["overfit_batches"]
    stops = any(isinstance(one, keras.callbacks.EarlyStopping) for one in callbacks)
    rests = options["schedule"] in ANNEALED
    part = data.validation
    if asked or stops or not rests or part is None or not isinstance(objective, Supervised):
        return ()
    if isinstance(part, FedSplit) or isinstance(data.train, FedSplit):
        return ()
    needed = fewest_to_choose_by(data.spec, part.targets)
    if len(part) >= needed:
        return ()
    classes = needed // FEWEST_OF_A_CLASS
    of_classes = f", {FEWEST_OF_A_CLASS} of each of {classes} classes" * (needed > FEWEST_TO_CHOOSE_BY)
    return (
        f"the last epoch is kept, since {len(part)} validation samples are too few to choose one by "
        f"({needed} or more{of_classes}); monitor= chooses one all the same.",
    )
