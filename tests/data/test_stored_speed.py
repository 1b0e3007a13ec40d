"""Images on the disk: 10,000 in as little memory as 2,000, as fast as a hand-written tf.data pipeline."""

import json
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from tests.data.test_stored_images import write_images
from tests.forked_python import forked

SIDE, BATCH = 64, 64
MORE_MEMORY = 50e6  # bytes; the images of 10,000 are 98e6 more than those of 2,000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("many")
    write_images(place / "2000", 2_000, side=SIDE)
    for path in (place / "2000").glob("*/*.png"):
        folder = place / "10000" / path.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        for turn in range(5):  # files as any others for who reads them, but quickly written
            (folder / f"{turn}_{path.name}").hardlink_to(path)
    return {count: place / str(count) for count in (2_000, 10_000)}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KEXP_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


def measured(folder, run_dir, replicas=1):
    command = [sys.executable, "-m", "tests.data.stored_run", str(folder), str(run_dir), str(replicas)]
    process = forked.Popen(command, stdout=forked.PIPE, text=True)
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


def test_five_times_the_images_take_no_more_memory(folders, tmp_path):
    few, many = (measured(folders[count], tmp_path / str(count))["peak_bytes"] for count in (2_000, 10_000))
    print(f"peak of 2,000 images {few / 1e6:.0f} MB, of 10,000 images {many / 1e6:.0f} MB")
    assert many - few < MORE_MEMORY


def test_two_replicas_read_from_disk_what_one_does(folders, tmp_path):
    one, two = (measured(folders[2_000], tmp_path / str(count), count) for count in (1, 2))
    assert two["metrics"]["loss"] == pytest.approx(one["metrics"]["loss"], rel=1e-4)


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch's steps."""

    def __init__(self):
        super().__init__()
        self.epochs_s = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start_s = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.epochs_s.append(time.perf_counter() - self.start_s)


def made(data):
    keras.utils.set_random_seed(0)
    # One that takes little time, so that what is measured is the reading.
    return kexp.models.mlp(data.spec.input_shape, data.spec.outputs, hidden=(16,), dtype="uint8")


def by_hand(folder, data):
    """A function that trains an epoch, as tf.data's guide on performance says, and returns its seconds."""
    files = sorted(folder.glob("*/*.png"))
    labels = np.array([int(file.parent.name[-1]) for file in files], np.int32)

    def decoded(path, label):
        image = tf.io.decode_png(tf.io.read_file(path), channels=3)
        image.set_shape((SIDE, SIDE, 3))
        return image, label

    batches = (
        tf.data.Dataset.from_tensor_slices(([str(file) for file in files], labels))
        .shuffle(len(files), seed=0)
        .map(decoded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )
    model, optimizer = made(data), keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    def epoch():
        start_s = time.perf_counter()
        for images, labels in batches:
            step(images, labels)
        return time.perf_counter() - start_s

    return epoch


def test_training_from_disk_is_as_fast_as_hand_written_tf_data(folders, tmp_path):
    data = kexp.data.load(folders[2_000], in_memory=False, validation=0, test=0)
    epoch = by_hand(folders[2_000], data)
    epoch()
    hand_s, own_s = [], []
    for turn in range(3):
        clock = Clock()
        kexp.fit(
            made(data),
            data,
            epochs=3,
            batch_size=BATCH,
            optimizer="adam",
            callbacks=[clock],
            run_dir=str(tmp_path / str(turn)),
            quiet=True,
        )
        hand_s += [epoch(), epoch()]
        own_s += clock.epochs_s[1:]
    # The least of each: whatever else runs on the machine only adds to them.
    ratio = min(hand_s) / min(own_s)
    print(f"steps a second, against hand-written tf.data: {ratio:.2f} ({hand_s} and {own_s} s)")
    assert ratio > 1.0
