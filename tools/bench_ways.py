"""One way of training one job of `bench.py`, in a process of its own.

    python tools/bench_ways.py WAY JOB EPOCHS

One line of JSON says the steps of an epoch, the seconds of each and the memory that the process took at most.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from bench_jobs import JOBS, arrays, keras_model

import kexp
from kexp.data.order import batches, epoch_order


class EpochTimes(keras.callbacks.Callback):
    """Notes how long each epoch takes."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._began)


def loss_of(job):
    """Return the loss and the metrics of a job."""
    if job.classes is None:
        return keras.losses.MeanSquaredError(), []
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]


def compiled(job, **options):
    """Return a compiled model."""
    model = keras_model(job)
    loss, metrics = loss_of(job)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=metrics, **options)
    return model


def dataset(job):
    """Return the arrays as kexp's recipes have them, by a task."""
    inputs, targets = arrays(job)
    kind = "image" if job.dtype == "uint8" else "array"
    names = tuple(map(str, range(job.classes)))
    spec = kexp.data.DatasetSpec(kind, job.inputs, job.dtype, "classification", job.classes, names)
    return kexp.data.Dataset(
        "bench", kexp.data.Split(inputs, targets), None, None, spec, fingerprint="0" * 64
    )


def by_kexp(job, epochs, *, compiles=False, checkpoint_every=f"{10**9} steps", **options):
    """Return the seconds of each epoch of `kexp.fit`."""
    times = EpochTimes()
    model = compiled(job) if compiles else keras_model(job)
    by_task = job.classes is not None and not compiles
    given = (dataset(job),) if by_task else arrays(job)
    asked = {} if by_task or compiles else {"loss": loss_of(job)[0]}
    with tempfile.TemporaryDirectory() as folder:
        options = {"quiet": True, "checkpoint_every": checkpoint_every, **asked, **options}
        options |= {"epochs": epochs, "batch_size": job.batch_size, "callbacks": [times]}
        kexp.fit(model, *given, run_dir=str(Path(folder) / "run"), **options)
    return times.seconds


def by_fit(job, epochs):
    """Return the seconds of each epoch of Keras's `fit` as it is by default."""
    times = EpochTimes()
    options = {"epochs": epochs, "batch_size": job.batch_size, "verbose": 0, "callbacks": [times]}
    compiled(job).fit(*arrays(job), **options)
    return times.seconds


def by_best_fit(job, epochs):
    """Return those of `fit` at its best: a prefetching dataset, and many steps a call."""
    times = EpochTimes()
    read = tf.data.Dataset.from_tensor_slices(arrays(job)).shuffle(job.batch_size * job.steps)
    read = read.batch(job.batch_size, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    jit = "auto" if tf.config.list_physical_devices("GPU") else False
    model = compiled(job, steps_per_execution=min(100, job.steps), jit_compile=jit)
    model.fit(read, shuffle=False, epochs=epochs, verbose=0, callbacks=[times])
    return times.seconds


def by_hand(job, epochs, *, loop, jit=False):
    """Return those of a hand-written step, or with `loop` of an epoch in one `tf.while_loop`."""
    model, optimizer = keras_model(job), keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    measure, _ = loss_of(job)
    mean, accuracy = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()
    inputs, targets = map(tf.constant, arrays(job))

    def step(rows):
        x, y = tf.gather(inputs, rows), tf.gather(targets, rows)
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = measure(y, outputs)
        optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        mean.update_state(loss)
        if job.classes is not None:
            accuracy.update_state(y, outputs)

    one = tf.function(step, autograph=False, jit_compile=jit)

    @tf.function(autograph=False)
    def all_steps(rows):
        def take(number):
            (one if jit else step)(rows[number])
            return (number + 1,)

        tf.while_loop(lambda number: number < rows.shape[0], take, (0,), parallel_iterations=1)

    seconds = []
    for epoch in range(epochs):
        began = time.perf_counter()
        full, _ = batches(epoch_order(len(targets), 0, epoch), job.batch_size)
        for rows in (full,) if loop else full:
            (all_steps if loop else one)(tf.constant(rows))
        float(mean.result()), float(accuracy.result())
        seconds.append(time.perf_counter() - began)
    return seconds


WAYS = {
    "kexp": lambda job, epochs: by_kexp(job, epochs, jit="off"),
    "kexp_jit": lambda job, epochs: by_kexp(job, epochs, jit="on"),
    "kexp_compiled": lambda job, epochs: by_kexp(job, epochs, compiles=True),
    "kexp_checkpoints": lambda job, epochs: by_kexp(job, epochs, checkpoint_every="0.5 minutes"),
    "fit": by_fit,
    "best_fit": by_best_fit,
    "step": lambda job, epochs: by_hand(job, epochs, loop=False),
    "while": lambda job, epochs: by_hand(job, epochs, loop=True),
    "while_xla": lambda job, epochs: by_hand(job, epochs, loop=True, jit=True),
}


def main(way, name, epochs):
    """Train and print what it took."""
    job = JOBS[name]
    seconds = WAYS[way](job, int(epochs))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    print(json.dumps({"steps": job.steps, "seconds": seconds, "peak_mb": round(peak), "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
