"""Trains a model whose batches of 64 do not fit into the memory that this process may take.

python hungry_run.py FOLDER
"""

import io
import json
import resource
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import psutil
import scipy.linalg
import tensorflow as tf

import kexp
from kexp.run.learning_curves import draw_curves

WIDTH = 3_000_000  # numbers of 4 bytes for each sample, several times over


@keras.saving.register_keras_serializable(package="tests")
class Hungry(keras.layers.Layer):
    """Returns its inputs, by way of very much memory."""

    def call(self, inputs):
        wide = keras.ops.repeat(inputs[:, :1], WIDTH, axis=1)
        return inputs + 0.0 * keras.ops.mean(keras.ops.sin(wide), axis=1, keepdims=True)


def main(folder: Path) -> None:
    """Print the warnings and the size of batches in the end."""
    data = kexp.data.load("digits")
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10)(Hungry()(flat)))
    model(tf.zeros((1, 8, 8, 1), tf.uint8))
    # What else takes its memory once, at first use: linear algebra of NumPy and SciPy, and the drawing.
    np.linalg.norm(np.ones((64, 64)) @ np.ones((64, 64)), 2)
    scipy.linalg.norm(np.ones((64, 64)), 2)
    draw_curves({"loss": [1.0]}).savefig(io.BytesIO(), format="png")
    limit = psutil.Process().memory_info().vms + 700_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = kexp.fit(
            model, data, epochs=1, batch_size="auto", overfit_batches=1, quiet=True, run_dir=str(folder)
        )
    said = [str(warning.message) for warning in caught if "Memory ran out" in str(warning.message)]
    print(json.dumps({"said": said, "loss": result.history["loss"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
