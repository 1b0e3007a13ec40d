"""The training options: one line each, flat on every recipe and on `kexp.fit`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict, get_args, get_type_hints

from kexp.core.choices import OptimizerName, ScheduleName
from kexp.core.command_values import parse_number
from kexp.core.constraints import AtLeast, Between, Seed, check_value
from kexp.core.errors import InputError, nearest, shown
from kexp.core.storage import is_remote
from kexp.core.user_paths import user_path

if sys.version_info >= (3, 12):
    from typing import NotRequired, Unpack
else:
    from typing_extensions import NotRequired, Unpack

_MOST = 1e9  # steps, epochs or minutes between checkpoints
_DEVICE = re.compile(r"(CPU|GPU|TPU):[0-9]{1,4}", re.IGNORECASE)
RISING = ("one_cycle", "cosine_log")  # schedules that begin far below their peak
# Schedules that end in rest, so that the last epoch is as good as any.
ANNEALED = ("cosine", "linear", "one_cycle", "exponential", "polynomial")
StrategyName = Literal["auto", "cpu", "gpu", "mirrored", "multiworker", "tpu"]


@dataclass(frozen=True)
class Option:
    """Default and meaning of a training option, on its type.

    Attributes:
        default: Value where a recipe has none of its own.
        doc: Meaning, as every help text shows it.
        output_only: Whether the option says nothing about what is computed: where a run is written, how
            long it waits, what it prints. Runs that differ in nothing else are the same run.
    """

    default: Any
    doc: str
    output_only: bool = False


class TrainOptions(TypedDict, total=False):
    """How a model is trained."""

    epochs: Annotated[int, AtLeast(1), Option(10, "Passes over the training data.")]
    least_steps: Annotated[
        Annotated[int, AtLeast(1)] | None,
        Option(
            None,
            "Steps that a run has at least: where the epochs have fewer, as on small data, it has more of "
            "them. None, as where epochs are given, leaves them as they are.",
        ),
    ]
    batch_size: Annotated[
        Annotated[int, AtLeast(1)] | Literal["auto"],
        Option(
            64,
            'Samples per forward pass; "auto" begins with the recipe\'s own and halves it, with twice the '
            "accumulation, whenever memory runs out.",
        ),
    ]
    least_batches: Annotated[
        Annotated[int, AtLeast(1)] | None,
        Option(
            None,
            "Batches that an epoch has at least: where samples are few, batches have fewer of them, 2 at the "
            "smallest. None, as where batch_size is given, leaves batches as they are.",
        ),
    ]
    accumulate: Annotated[
        int,
        AtLeast(1),
        Option(1, "Batches whose gradients make one step, which sees batch_size times as many samples."),
    ]
    learning_rate: Annotated[
        float, Between(1e-7, 10.0, log=True), Option(1e-3, "Step size of the optimizer; peak of a schedule.")
    ]
    optimizer: Annotated[
        OptimizerName, Option("adam", "Keras optimizer; momentum and nesterov are sgd with momentum.")
    ]
    momentum: Annotated[
        float,
        Between(0.0, 0.999),
        Option(
            0.9,
            "Momentum of momentum and nesterov, and beta_1 of adam, adamw and lion; the other optimizers "
            "have none, and one_cycle has a schedule of its own for it.",
        ),
    ]
    weight_decay: Annotated[
        Annotated[float, Between(0.0, 1.0)] | None,
        Option(
            None,
            "Decoupled decay of the weights per step, times the learning rate; not applied to biases, "
            "normalisation and embeddings. None is the optimizer's own: 0.004 for adamw and muon, none for "
            "the others.",
        ),
    ]
    schedule: Annotated[ScheduleName, Option("constant", "Schedule of the learning rate over the whole run.")]
    warmup: Annotated[
        float,
        Between(0.0, 0.9),
        Option(
            0.0,
            "Fraction of the run in which the learning rate rises linearly to its peak; 0 for one_cycle and "
            "cosine_log.",
        ),
    ]
    clip_norm: Annotated[
        Annotated[float, Between(1e-6, 1e6)] | None,
        Option(None, "Largest global norm of the gradient; None for no clipping."),
    ]
    clip_value: Annotated[
        Annotated[float, Between(1e-6, 1e6)] | None,
        Option(None, "Largest size of each number in the gradient; None for no clipping."),
    ]
    ema: Annotated[
        Annotated[float, Between(0.5, 0.99999)] | None,
        Option(None, "Momentum of a moving average of the weights, which is then validated and kept."),
    ]
    swa: Annotated[
        Annotated[float, Between(0.0, 0.99)] | None,
        Option(
            None,
            "Fraction of the epochs after which the mean of the weights at the end of each epoch is what is "
            "validated and kept.",
        ),
    ]
    label_smoothing: Annotated[
        float, Between(0.0, 0.5), Option(0.0, "Share of a label spread evenly over all classes.")
    ]
    class_weight: Annotated[
        Literal["balanced"] | Annotated[tuple[float, ...], AtLeast(0)] | None,
        Option(None, 'Weight of each class in the training loss; "balanced" weighs every class alike.'),
    ]
    precision: Annotated[
        Literal["float32", "float16", "bfloat16"],
        Option("float32", "Format that layers compute in; float16 scales the loss, weights stay float32."),
    ]
    jit: Annotated[
        Literal["auto", "on", "off"],
        Option(
            "auto",
            "Compilation of the steps by XLA. auto compiles on a GPU; on a CPU it times both ways before a "
            "run that takes minutes, and remembers which is faster under KEXP_CACHE_DIR. What cannot be "
            "compiled is said.",
        ),
    ]
    validation: Annotated[
        float,
        Between(0.0, 0.9),
        Option(0.1, "Fraction of the training data held out to choose on; 0 trains on all of it."),
    ]
    least_validation: Annotated[
        Annotated[int, AtLeast(1)] | None,
        Option(
            None,
            "Validation samples that a run has at least, and 5 of each class: where the fraction would be "
            "fewer, it trains on all of the data and keeps the last epoch, if the schedule ends near 0 and "
            "neither monitor nor early_stop is given. None, as where validation is given, holds out as many "
            "as there are.",
        ),
    ]
    early_stop: Annotated[
        int,
        AtLeast(0),
        Option(0, "Epochs without a better validation metric after which training stops; 0 never stops."),
    ]
    monitor: Annotated[
        str | None,
        Option(
            None,
            "Metric that chooses the epoch whose weights are kept, and that early_stop and sweeps go by, as "
            "val_auroc; a - before it says that less is better, a + that more is. None is the task's own; "
            "last keeps the last epoch.",
        ),
    ]
    seed: Annotated[Seed, Option(0, "Seed of weights, order, dropout and the validation split.")]
    checkpoint_every: Annotated[
        str, Option("1 epoch", 'Interval of checkpoints: "10 steps", "1 epoch" or "5 minutes".')
    ]
    checkpoint_dir: Annotated[
        str | None,
        Option(
            None,
            "Folder for the state of the run; None is checkpoints in the run folder. A path with a scheme, "
            "such as gs://bucket/folder, is reached through TensorFlow's file systems.",
            output_only=True,
        ),
    ]
    run_dir: Annotated[
        str | None,
        Option(
            None,
            "Folder of the run; None makes one under runs/. An unfinished run in it is continued.",
            output_only=True,
        ),
    ]
    on_nan: Annotated[
        Literal["stop", "rollback"],
        Option(
            "stop",
            "Reaction to a loss that is NaN, infinite or a spike: stop, or go back to the last checkpoint "
            "and skip that step with half the learning rate, three times at most.",
        ),
    ]
    spike: Annotated[
        Annotated[float, Between(1.1, 1e9)] | None,
        Option(
            1000.0,
            "Ratio to the mean loss of recent steps above which a loss counts as a spike; None for never.",
        ),
    ]
    strategy: Annotated[
        StrategyName,
        Option(
            "auto",
            "Devices to train on. auto takes several workers where TF_CONFIG or SLURM describes them, else a "
            "TPU, else all GPUs, else the CPU; cpu and gpu take one device, mirrored all of a kind.",
        ),
    ]
    devices: Annotated[
        tuple[str, ...] | None,
        Option(None, "Devices to take, such as GPU:0 GPU:2; None is all of the strategy."),
    ]
    scale_by_replicas: Annotated[
        bool,
        Option(
            False,
            "Multiply batch_size, which else counts for all replicas together, and learning_rate by the "
            'number of replicas (Goyal et al. 2017, "Accurate, large minibatch SGD").',
        ),
    ]
    sync_normalization: Annotated[
        bool,
        Option(
            True,
            "Whether batch normalisation takes its statistics from all replicas, as one device would; else "
            "each takes those of its own samples.",
        ),
    ]
    start_timeout_s: Annotated[
        float,
        AtLeast(1.0),
        Option(300.0, "Seconds that workers wait for one another at the start.", output_only=True),
    ]
    overfit_batches: Annotated[
        int,
        AtLeast(0),
        Option(
            0,
            "Batches to train and validate on alone, to see whether the model can learn them by heart; 0 "
            "takes all data.",
        ),
    ]
    fast_dev_run: Annotated[
        bool, Option(False, "Try the whole path on three batches of each split, for one epoch.")
    ]
    compare: Annotated[
        bool,
        Option(
            True,
            "Whether a classical method that fits the task, such as logistic regression or boosted trees, is "
            "trained on the same rows and measured beside the network at the end.",
        ),
    ]
    track: Annotated[
        str | tuple[str, ...] | None,
        Option(
            None,
            "Trackers to tell of the run, with commas between them: tensorboard, mlflow, wandb. One that "
            "fails is left out, and training goes on. None: nobody is told.",
            output_only=True,
        ),
    ]
    quiet: Annotated[bool, Option(False, "Print nothing.", output_only=True)]


def _declared() -> tuple[dict[str, Any], dict[str, Option]]:
    """Return the type of every option, constraints included, and its default and meaning."""
    types, options = {}, {}
    for name, annotation in get_type_hints(TrainOptions, include_extras=True).items():
        kind, *marks = get_args(annotation)
        (options[name],) = (mark for mark in marks if isinstance(mark, Option))
        for mark in marks:
            kind = kind if isinstance(mark, Option) else Annotated[kind, mark]
        types[name] = kind
    return types, options


_TYPES, OPTIONS = _declared()
DEFAULTS = TrainOptions(**{name: option.default for name, option in OPTIONS.items()})  # type: ignore[typeddict-item]
OUTPUT_ONLY = tuple(name for name, option in OPTIONS.items() if option.output_only)
_LIST = "\n".join(f"    {name}: {option.doc}" for name, option in OPTIONS.items())
TrainOptions.__doc__ = f"{TrainOptions.__doc__}\n\nAttributes:\n{_LIST}"


def option_types() -> dict[str, Any]:
    """Return the type of every training option, constraints included."""
    return dict(_TYPES)


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
    _check_texts(checked)
    completed = {**DEFAULTS, **checked}
    if completed["ema"] is not None and completed["swa"] is not None:
        raise InputError("ema and swa exclude each other; give one of them.")
    return TrainOptions(**completed)


def _check_texts(options: Mapping[str, Any]) -> None:
    """Check what the type of an option does not say: an interval, paths and names of devices."""
    if "checkpoint_every" in options:
        parse_interval(options["checkpoint_every"])
    for name in ("run_dir", "checkpoint_dir"):
        path = options.get(name)
        if path is not None and not is_remote(path):
            user_path(name, path)
    devices = options.get("devices")
    if devices is not None and not all(map(_DEVICE.fullmatch, devices)):
        raise InputError(
            f"devices must be names such as 'CPU:0' or 'GPU:1', as `kexp doctor` lists them; received "
            f"{shown(devices)}."
        )


def check_rise(options: Mapping[str, Any]) -> None:
    """Refuse a warm-up before a schedule that rises itself, from a rate far below that of the warm-up's end.

    A run that was begun before this was refused goes on as it was: this is asked where one begins.

    Args:
        options: Complete training options, or those of a phase.

    Raises:
        InputError: Both are there.

    Example:
        >>> check_rise({"schedule": "one_cycle", "warmup": 0.1})
        Traceback (most recent call last):
        ...
        kexp.InputError: warmup must be 0 with schedule 'one_cycle', which rises to the peak itself, from far
        below it; received 0.1, so leave warmup out or take one such as 'cosine'.
    """
    if options["schedule"] in RISING and options["warmup"]:
        raise InputError(
            f"warmup must be 0 with schedule {options['schedule']!r}, which rises to the peak itself, from "
            f"far below it; received {options['warmup']}, so leave warmup out or take one such as 'cosine'."
        )


class Holdout(TypedDict):
    """The training options that choose the validation data, which a recipe hands to its data set."""

    validation: float
    seed: int
    least_validation: NotRequired[int]


def holdout(train: TrainOptions) -> Holdout:
    """Return the options that choose the validation data, for `kexp.data.load(data, **kexp.holdout(train))`.

    In a recipe all options are there; of `train["seed"]` a type checker cannot know it. `least_validation` is
    among them where there is one and no epoch has to be chosen: the learning rate ends near 0, and neither
    `monitor` nor `early_stop` asks for validation data.

    Example:
        >>> holdout(complete({"seed": 3}))
        {'validation': 0.1, 'seed': 3}
        >>> holdout(complete({"least_validation": 30, "schedule": "cosine"}))
        {'validation': 0.1, 'seed': 0, 'least_validation': 30}
    """
    options = TrainOptions(**{**DEFAULTS, **train})
    held: Holdout = {"validation": options["validation"], "seed": options["seed"]}
    least, chooses = options["least_validation"], options["monitor"] is not None or options["early_stop"]
    if least is not None and options["schedule"] in ANNEALED and not chooses:
        held["least_validation"] = least
    return held


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
    amount = float(parse_number(number) or 0.0)
    whole = amount.is_integer() or unit == "minutes"
    if not 0 < amount <= _MOST or unit not in ("steps", "epochs", "minutes") or not whole:
        raise InputError(
            f'checkpoint_every must read like "10 steps", "1 epoch" or "5 minutes"; received {shown(text)}.'
        )
    return amount, unit


__all__ = [
    "ANNEALED",
    "DEFAULTS",
    "OPTIONS",
    "OUTPUT_ONLY",
    "RISING",
    "Option",
    "TrainOptions",
    "Unpack",
    "check_rise",
    "complete",
    "holdout",
    "option_types",
    "parse_interval",
]
