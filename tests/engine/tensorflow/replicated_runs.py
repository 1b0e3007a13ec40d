"""Trains every supervised recipe on so many logical CPU devices, and saves what came of it.

python replicated_runs.py REPLICAS FOLDER
"""

import json
import sys
from functools import partialmethod
from pathlib import Path

import numpy as np
import tensorflow as tf

COMMON = {"epochs": 1, "validation": 0.0, "quiet": True, "seed": 5, "checkpoint_every": "1 epoch"}
# Of the 1437 training digits, batches of 84 leave 9 for the last step, of 718 one and of 75 twelve: with
# two replicas, shares of unlike sizes and one without a sample.
CASES = {
    "one sample left": (
        "mlp_images",
        {"batch_size": 718, "dropout": 0.0, "hidden": (16,), "epochs": 4, "class_weight": "balanced"},
    ),
    "clipped and accumulated": (
        "mlp_images",
        {
            "batch_size": 25,
            "accumulate": 3,
            "dropout": 0.2,
            "hidden": (16,),
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "clip_norm": 0.1,
            "ema": 0.9,
            "schedule": "one_cycle",
        },
    ),
    "by value, momentum": (
        "cnn_images",
        {"batch_size": 84, "dropout": 0.0, "filters": (8,), "optimizer": "momentum", "clip_value": 1e-3},
    ),
    "float16": (
        "mlp_images",
        {
            "batch_size": 84,
            "dropout": 0.0,
            "hidden": (16,),
            "precision": "float16",
            "optimizer": "momentum",
            "clip_norm": 0.5,
            "ema": 0.9,
            "accumulate": 2,
        },
    ),
    "table": ("mlp_tabular", {"batch_size": 84, "dropout": 0.0, "epochs": 3, "label_smoothing": 0.1}),
}

# Whose steps XLA compiles on the replicas, and nothing on one device.
COMPILED = ("one sample left", "clipped and accumulated", "float16")
# As for a TPU: every share of one size, every size of a batch a program of its own.
STATIC = ("clipped and accumulated", "by value, momentum")
# Two replicas with half of batch and learning rate each are one device with all of it.
SCALED = ("cnn_images", {"dropout": 0.0, "filters": (8,), "optimizer": "momentum"})
WHOLE = {"batch_size": 84, "learning_rate": 0.02}
HALF = {"batch_size": 42, "learning_rate": 0.01, "scale_by_replicas": True}
APART = {**WHOLE, "sync_normalization": False}


def train(name: str, run_dir: Path, strategy: str, case: tuple | None = None) -> dict[str, np.ndarray]:
    """Return final weights and loss of a case."""
    from kexp import recipes

    recipe, arguments = CASES[name] if case is None else case
    result = getattr(recipes, recipe)(
        **{**COMMON, **arguments}, run_dir=str(run_dir / name.replace(" ", "-")), strategy=strategy
    )
    environment = json.loads((result.run_dir / "env.json").read_text())
    asked = arguments.get("jit") == "on"
    assert environment["computation"]["jit"] == asked, environment["jit"]
    weights = {f"weight/{number}": np.array(w) for number, w in enumerate(result.model.get_weights())}
    return {
        **weights,
        "loss": np.array(result.history["loss"]),
        "test": np.array(result.metrics["test_loss"]),
    }


def main(replicas: int, folder: Path) -> None:
    """Train all cases under MirroredStrategy, and some of them with shapes that are known beforehand."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * replicas)
    for name in CASES:
        np.savez(folder / f"{name}.npz", **train(name, folder, "mirrored"))
    for name, own in (("scaled", HALF), ("apart", APART)):
        case = (SCALED[0], {**SCALED[1], **own})
        np.savez(folder / f"{name}.npz", **train(name, folder, "mirrored", case))
    for name in COMPILED:
        recipe, arguments = CASES[name]
        case = (recipe, {**arguments, "jit": "on"})
        np.savez(folder / f"compiled-{name}.npz", **train(name, folder / "compiled", "mirrored", case))
    from kexp.engine.tensorflow.replicas import Replicas

    Replicas.__init__ = partialmethod(Replicas.__init__, static=True)
    for name in STATIC:
        np.savez(folder / f"static-{name}.npz", **train(name, folder / "static", "mirrored"))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
