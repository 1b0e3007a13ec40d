"""The training options: declared once here, flat on every recipe and on `kexp.fit`."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal, TypedDict, get_type_hints

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError, nearest

if sys.version_info >= (3, 12):
    from typing import Unpack
else:
    from typing_extensions import Unpack

OptimizerName = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lion", "muon"]
StrategyName = Literal["auto", "cpu", "gpu", "mirrored", "multiworker", "tpu"]
ScheduleName = Literal[
    "constant",
    "cosine",
    "linear",
    "one_cycle",
    "exponential",
    "polynomial",
    "cosine_restarts",
    "plateau",
]


class TrainOptions(TypedDict, total=False):
    """How a model is trained.

    Attributes:
        epochs: Passes over the training data.
        batch_size: Samples per forward pass; "auto" begins with the recipe's own and halves it, with
            twice the accumulation, whenever memory runs out.
        accumulate: Batches whose gradients make one step; the step sees batch_size times as many samples.
        learning_rate: Step size of the optimizer; the peak of a schedule.
        optimizer: A Keras optimizer; momentum and nesterov are sgd with momentum.
        momentum: That of momentum and nesterov, and beta_1 of adam, adamw and lion; the other optimizers have
            none, and one_cycle has a course of its own.
        weight_decay: Decoupled decay of the weights per step, times the learning rate; not applied
            to biases, normalisation and embeddings. None is the optimizer's own: 0.004 for adamw and
            muon, none for the others.
        schedule: Course of the learning rate over the whole run.
        warmup: Fraction of the run in which the learning rate rises linearly to its peak.
        clip_norm: Largest global norm of the gradient; None for no clipping.
        clip_value: Largest size of each number in the gradient; None for no clipping.
        ema: Momentum of a moving average of the weights, which is then what is validated and kept.
        swa: Fraction of the epochs after which the mean of the weights at the end of each epoch is
            what is validated and kept.
        label_smoothing: Share of a label spread evenly over all classes.
        class_weight: Weight of each class in the training loss; "balanced" weighs every class alike.
        precision: What layers compute in; float16 scales the loss, weights stay float32.
        validation: Fraction of the training data held out to choose on; 0 trains on all of it.
        early_stop: Stop after so many epochs without a better validation figure; 0 never stops.
        seed: Governs weights, order, dropout and the validation split.
        checkpoint_every: How often the state is saved: "10 steps", "1 epoch" or "5 minutes".
        checkpoint_dir: Folder for the state of the run; None is checkpoints in the run folder. A path with a
            scheme, such as gs://bucket/folder, is reached through TensorFlow's file systems.
        run_dir: Folder of the run; None makes one under runs/. An unfinished run in it is continued.
        on_nan: What happens when a loss is NaN, infinite or a spike: stop, or go back to the last
            checkpoint and skip that step with half the learning rate, three times at most.
        spike: A loss so many times above the mean of the recent steps counts as a spike; None for never.
        strategy: Devices to train on. auto takes several workers where TF_CONFIG or SLURM describes them,
            else a TPU, else all GPUs, else the CPU; cpu and gpu take one device, mirrored all of a kind.
        devices: Those to take, such as GPU:0 GPU:2; None is all of the strategy.
        scale_by_replicas: Multiply batch_size, which else counts for all replicas together, and learning_rate
            by the number of replicas (Goyal et al. 2017, "Accurate, large minibatch SGD").
        sync_normalization: Whether batch normalisation takes its statistics from all replicas, as one device
            would; else each takes those of its own samples.
        start_timeout_s: Seconds that workers wait for one another at the start.
        overfit_batches: Train and validate on so many batches alone, to see whether the model can
            learn them by heart; 0 takes all data.
        fast_dev_run: Try the whole path on three batches of each part, for one epoch.
        quiet: Print nothing.
    """

    epochs: Annotated[int, AtLeast(1)]
    batch_size: Annotated[int, AtLeast(1)] | Literal["auto"]
    accumulate: Annotated[int, AtLeast(1)]
    learning_rate: Annotated[float, Between(1e-7, 10.0, log=True)]
    optimizer: OptimizerName
    momentum: Annotated[float, Between(0.0, 0.999)]
    weight_decay: Annotated[float, Between(0.0, 1.0)] | None
    schedule: ScheduleName
    warmup: Annotated[float, Between(0.0, 0.9)]
    clip_norm: Annotated[float, Between(1e-6, 1e6)] | None
    clip_value: Annotated[float, Between(1e-6, 1e6)] | None
    ema: Annotated[float, Between(0.5, 0.99999)] | None
    swa: Annotated[float, Between(0.0, 0.99)] | None
    label_smoothing: Annotated[float, Between(0.0, 0.5)]
    class_weight: Literal["balanced"] | Annotated[tuple[float, ...], AtLeast(0)] | None
    precision: Literal["float32", "float16", "bfloat16"]
    validation: Annotated[float, Between(0.0, 0.9)]
    early_stop: Annotated[int, AtLeast(0)]
    seed: Annotated[int, Between(0, 2**31 - 1)]
    checkpoint_every: str
    checkpoint_dir: str | None
    run_dir: str | None
    on_nan: Literal["stop", "rollback"]
    spike: Annotated[float, Between(1.1, 1e9)] | None
    strategy: StrategyName
    devices: tuple[str, ...] | None
    scale_by_replicas: bool
    sync_normalization: bool
    start_timeout_s: Annotated[float, AtLeast(1.0)]
    overfit_batches: Annotated[int, AtLeast(0)]
    fast_dev_run: bool
    quiet: bool


DEFAULTS: TrainOptions = {
    "epochs": 10,
    "batch_size": 64,
    "accumulate": 1,
    "learning_rate": 1e-3,
    "optimizer": "adam",
    "momentum": 0.9,
    "weight_decay": None,
    "schedule": "constant",
    "warmup": 0.0,
    "clip_norm": None,
    "clip_value": None,
    "ema": None,
    "swa": None,
    "label_smoothing": 0.0,
    "class_weight": None,
    "precision": "float32",
    "validation": 0.1,
    "early_stop": 0,
    "seed": 0,
    "checkpoint_every": "1 epoch",
    "checkpoint_dir": None,
    "run_dir": None,
    "on_nan": "stop",
    "spike": 1000.0,
    "strategy": "auto",
    "devices": None,
    "scale_by_replicas": False,
    "sync_normalization": True,
    "start_timeout_s": 300.0,
    "overfit_batches": 0,
    "fast_dev_run": False,
    "quiet": False,
}

# Where a run and its state are written, how long it waits and what it prints say nothing about what it
# computes.
OUTPUT_ONLY = ("checkpoint_dir", "run_dir", "start_timeout_s", "quiet")


def option_types() -> dict[str, Any]:
    """Return the type of every training option, ranges included."""
    return get_type_hints(TrainOptions, include_extras=True)


def complete(options: dict[str, Any]) -> TrainOptions:
    """Check training options and fill in the defaults of those that are absent.

    Args:
        options: Any of the keys of `TrainOptions`.

    Returns:
        All of the options, each of its type and in its range.

    Raises:
        InputError: A name is unknown, or a value does not fit; the sentence names it.

    Example:
        >>> complete({"epochs": 3})["epochs"]
        3
        >>> complete({"epoch": 3})
        Traceback (most recent call last):
        ...
        kexp.InputError: epoch is not a training option (did you mean 'epochs'?).
    """
    types = option_types()
    for name in options:
        if name not in types:
            raise InputError(f"{name} is not a training option{nearest(name, types)}.")
    checked = {name: check_value(name, value, types[name]) for name, value in options.items()}
    if "checkpoint_every" in checked:
        parse_interval(checked["checkpoint_every"])
    completed = {**DEFAULTS, **checked}
    if completed["ema"] is not None and completed["swa"] is not None:
        raise InputError("ema and swa exclude each other; give one of them.")
    return TrainOptions(**completed)  # type: ignore[typeddict-item]


def parse_interval(text: str) -> tuple[float, str]:
    """Split "10 steps", "1 epoch" or "5 minutes" into a number and "steps", "epochs" or "minutes".

    Raises:
        InputError: It is none of these forms.

    Example:
        >>> parse_interval("1 epoch")
        (1.0, 'epochs')
    """
    number, _, unit = text.strip().partition(" ")
    unit = unit if unit.endswith("s") else unit + "s"
    try:
        amount = float(number)
    except ValueError:
        amount = 0.0
    whole = amount.is_integer() or unit == "minutes"
    if not amount > 0 or unit not in ("steps", "epochs", "minutes") or not whole:
        raise InputError(
            f'checkpoint_every must read like "10 steps", "1 epoch" or "5 minutes"; received {text!r}.'
        )
    return amount, unit


__all__ = ["DEFAULTS", "OUTPUT_ONLY", "TrainOptions", "Unpack", "complete", "option_types", "parse_interval"]
