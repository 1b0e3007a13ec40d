"""What kexp's loop costs over one written by hand: same model, data, order and Keras optimizer.

The hand-written loop is the best that is commonly written: one `tf.function` for a step, which gathers its
samples on the device, takes the gradient, applies it and updates loss and accuracy. Runs are paired, one of
each in turn, and medians are compared; the first epoch of a run, which traces, is left out. With
--checkpoints kexp saves its state every 30 seconds, and whole runs of over a minute are compared. With
--compiled the model is compiled, and kexp's loop with one that is not stands for the hand-written one.

    python tools/benchmark_loop.py [--pairs 7] [--model mlp|cnn] [--checkpoints] [--compiled]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kexp
from kexp.data.order import batches, epoch_order

BATCH_SIZE = 64
EPOCHS = 4


class EpochTimes(keras.callbacks.Callback):
    """Notes how long each epoch takes."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._began)


def built(name: str, data: kexp.data.Dataset) -> keras.Model:
    """Return a new model with the same weights each time."""
    keras.utils.set_random_seed(0)
    if name == "mlp":
        return kexp.models.mlp(data.spec.input_shape, data.spec.outputs, hidden=(256, 128), dtype="uint8")
    return kexp.models.cnn(data.spec.input_shape, data.spec.outputs, filters=(8, 16), dtype="uint8")


def by_kexp(
    name: str, data: kexp.data.Dataset, epochs: int, checkpoint_every: str, *, compiled: bool = False
) -> list[float]:
    """Return the seconds of each epoch but the first."""
    times, model = EpochTimes(), built(name, data)
    if compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        options = {"batch_size": BATCH_SIZE, "quiet": True, "checkpoint_every": checkpoint_every}
        run_dir = str(Path(folder) / "run")
        kexp.fit(model, data, epochs=epochs, run_dir=run_dir, callbacks=[times], **options)
    return times.seconds[1:]


def by_hand(name: str, data: kexp.data.Dataset, epochs: int) -> list[float]:
    """Return the seconds of each epoch but the first."""
    model, optimizer = built(name, data), keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    measure = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    mean, accuracy = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()
    inputs, targets = tf.constant(data.train.inputs), tf.constant(data.train.targets)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def step(rows):
        x, y = tf.gather(inputs, rows), tf.gather(targets, rows)
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = measure(y, outputs)
        optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        mean.update_state(loss)
        accuracy.update_state(y, outputs)

    seconds = []
    for epoch in range(epochs):
        began = time.perf_counter()
        full, tail = batches(epoch_order(len(targets), 0, epoch), BATCH_SIZE)
        for rows in (*full, tail):
            step(tf.constant(rows))
        float(mean.result()), float(accuracy.result())
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def main() -> None:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--model", choices=["mlp", "cnn"], default="mlp")
    parser.add_argument("--checkpoints", action="store_true")
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    data = kexp.data.load("fashion_mnist_small", validation=0.0)
    epochs, every = EPOCHS, f"{10**9} steps"
    if options.checkpoints:
        second = float(np.mean(by_hand(options.model, data, EPOCHS)))
        epochs, every = 1 + round(65 / second), "0.5 minutes"
    ratios, kexp_s, hand_s = [], [], []
    for _ in range(options.pairs):
        # A sum over epochs where a checkpoint falls into one of them, else one epoch as good as another.
        joined = sum if options.checkpoints else statistics.median
        kexp_s.append(joined(by_kexp(options.model, data, epochs, every, compiled=options.compiled)))
        other = by_kexp(options.model, data, epochs, every) if options.compiled else None
        hand_s.append(joined(other or by_hand(options.model, data, epochs)))
        ratios.append(kexp_s[-1] / hand_s[-1])
    steps = -(-len(data.train) // BATCH_SIZE) * (epochs - 1 if options.checkpoints else 1)
    kexp_ms, hand_ms = (1e3 * statistics.median(seconds) / steps for seconds in (kexp_s, hand_s))
    other_name = "not compiled" if options.compiled else "by hand"
    print(
        f"{options.model}: kexp {kexp_ms:.3f} ms a step, {other_name} {hand_ms:.3f} ms; median ratio", end=" "
    )
    print(f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} pairs)")


if __name__ == "__main__":
    main()
