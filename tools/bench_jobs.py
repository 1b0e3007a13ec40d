"""The jobs that `bench.py` times: a model, a batch size, and arrays from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Job(NamedTuple):
    """What is trained.

    Attributes:
        inputs: Shape of a sample.
        classes: Number of classes; None where the targets are numbers of the shape of the inputs.
        batch_size: Samples of a step.
        steps: Of an epoch.
        model: Its builder in `kexp.models` with its arguments, beside shape and outputs; `bench_torch.py` has
            the same models by the job's name.
        dtype: Of the inputs.
    """

    inputs: tuple[int, ...]
    classes: int | None
    batch_size: int
    steps: int
    model: tuple[str, dict]
    dtype: str = "uint8"


IMAGE = {"dtype": "uint8"}
JOBS = {
    "perceptron": Job((28, 28, 1), 10, 64, 600, ("mlp", {"hidden": (256, 128), "dropout": 0.2, **IMAGE})),
    "convnet": Job(
        (28, 28, 1),
        10,
        128,
        60,
        ("cnn", {"filters": (32, 64), "padding": "valid", "dropout": 0.5, **IMAGE}),
    ),
    "resnet20": Job((32, 32, 3), 10, 128, 6, ("resnet20", IMAGE)),
    "lstm": Job((29, 12), 9, 32, 150, ("rnn", {"units": (128,)}), "float32"),
    "transformer": Job((64, 128), 9, 32, 25, ("transformer_encoder", {"width": 128, "depth": 2}), "float32"),
    # The noise in an image, as a diffusion model is asked for it.
    "unet": Job((28, 28, 1), None, 32, 15, ("unet", {"filters": (32, 64), "dtype": "float32"}), "float32"),
}


def arrays(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of one epoch."""
    rng = np.random.default_rng(0)
    shape = (job.batch_size * job.steps, *job.inputs)
    if job.dtype == "uint8":
        inputs = rng.integers(0, 256, shape, np.uint8)
    else:
        inputs = rng.normal(size=shape).astype(np.float32)
    if job.classes is None:
        return inputs, rng.normal(size=shape).astype(np.float32)
    return inputs, rng.integers(0, job.classes, len(inputs)).astype(np.int32)


def keras_model(job: Job) -> object:
    """Return a new model with the same weights each time."""
    import keras

    import kexp

    keras.utils.set_random_seed(0)
    name, arguments = job.model
    build: Callable[..., keras.Model] = getattr(kexp.models, name)
    return build(job.inputs, job.classes or job.inputs[-1], **arguments)
