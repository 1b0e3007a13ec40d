"""Batches that come as they are: by number, one after the other, with and without a known end."""

import itertools

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.data.order import epoch_order
from tests.api.small_fits import EPOCHS, SAMPLES, Cut, X, Y, assert_same_weights, compiled


class Rows(keras.utils.PyDataset):
    """The samples in batches of ten."""

    def __len__(self):
        return SAMPLES // 10

    def __getitem__(self, number):
        return X[10 * number : 10 * number + 10], Y[10 * number : 10 * number + 10]


def batches_for_ever():
    while True:
        yield from (Rows()[number] for number in range(len(Rows())))


def shuffled():
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(SAMPLES, seed=3).batch(10)


def pieces():
    return (Rows()[number] for number in range(4))


def of_unknown_size():
    signature = (tf.TensorSpec((None, 4)), tf.TensorSpec((None,), tf.int64))
    return tf.data.Dataset.from_generator(pieces, output_signature=signature)


def pieces_twice():
    return itertools.chain(pieces(), pieces())


FEEDS = {
    "PyDataset": (Rows, {}),
    "generator": (batches_for_ever, {"steps_per_epoch": 4}),
    "dataset": (shuffled, {}),
    "dataset of a generator": (
        lambda: tf.data.Dataset.from_generator(
            lambda: (Rows()[number] for number in range(4)),
            output_signature=(tf.TensorSpec((None, 4)), tf.TensorSpec((None,), tf.int64)),
        ),
        {"steps_per_epoch": 4},
    ),
    "generator to its end": (pieces_twice, {}),
    "dataset of unknown size": (of_unknown_size, {}),
    "epochs of unequal steps": (of_unknown_size, {"steps_per_epoch": 3, "epochs": 4}),
}


@pytest.mark.filterwarnings("ignore:The data ended after 1 of 2 epochs")
@pytest.mark.parametrize("name", FEEDS)
def test_batches_of_ones_own_go_on_exactly_where_a_run_was_cut(tmp_path, name):
    feed, options = FEEDS[name]
    own = {"epochs": EPOCHS, "checkpoint_every": "1 steps", "quiet": True, **options}
    whole, resumed = compiled(), compiled()
    kexp.fit(whole, feed(), run_dir=str(tmp_path / "whole"), **own)
    with pytest.raises(SystemExit):
        kexp.fit(compiled(), feed(), run_dir=str(tmp_path / "cut"), callbacks=[Cut(6)], **own)
    kexp.fit(resumed, feed(), run_dir=str(tmp_path / "cut"), callbacks=[Cut(99)], **own)
    assert_same_weights(resumed, whole, 0)


def test_batches_by_number_train_as_the_same_batches_in_plain_keras(tmp_path):
    model, plain = compiled(), compiled()
    kexp.fit(model, Rows(), epochs=EPOCHS, quiet=True, run_dir=str(tmp_path / "run"))
    for epoch in range(EPOCHS):
        for number in epoch_order(4, 0, epoch):
            plain.train_on_batch(*Rows()[number])
    assert_same_weights(model, plain)


def of_known_size():
    return of_unknown_size().apply(tf.data.experimental.assert_cardinality(4))


# What kexp is given, what Keras is, which takes a step without data where it does not know the size, and how.
FORMS = {
    "arrays": (lambda: (X, Y), lambda: (X, Y), {"batch_size": 10, "shuffle": False}),
    "dataset": (lambda: (of_known_size(),), lambda: (of_known_size(),), {"shuffle": False}),
    "dataset of unknown size": (lambda: (of_unknown_size(),), lambda: (of_known_size(),), {"shuffle": False}),
}


class Ends(keras.callbacks.Callback):
    """Keeps after which steps an epoch ended."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_epoch_end(self, epoch, logs=None):
        self.steps.append(int(self.model.optimizer.iterations))


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize(
    ("name", "steps", "at_once"),
    [(name, steps, at_once) for name in FORMS for steps, at_once in ((None, 1), (3, 2), (7, 1))]
    + [("arrays", None, 2), ("arrays", 3, 1)],
)
def test_epochs_of_some_steps_are_those_of_keras(tmp_path, name, steps, at_once):
    (data, known, options), given = FORMS[name], {"steps_per_epoch": steps, "epochs": 3}
    plain, model, expected, found = compiled(), compiled(), Ends(), Ends()
    for one in (plain, model):
        one.steps_per_execution = at_once
    plain.fit(*known(), verbose=0, callbacks=[expected], **options, **given)
    kexp.fit(model, *data(), quiet=True, run_dir=str(tmp_path), callbacks=[found], **options, **given)
    assert found.steps == expected.steps
    assert_same_weights(model, plain)


def test_a_generator_is_an_epoch_and_what_it_lacks_is_said(tmp_path):
    model, plain = compiled(), compiled()
    with pytest.warns(RuntimeWarning, match="The data ended after 1 of 3 epochs, and so does the training"):
        result = kexp.fit(model, pieces(), epochs=3, quiet=True, run_dir=str(tmp_path / "run"))
    for batch in pieces():
        plain.train_on_batch(*batch)
    assert_same_weights(model, plain)
    assert len(result.history["loss"]) == 1
    assert (tmp_path / "run" / "result.json").is_file()


def test_a_generator_that_ends_within_an_epoch_ends_it(tmp_path):
    with pytest.warns(RuntimeWarning, match="The data ended after 2 of 3 epochs"):
        result = kexp.fit(
            compiled(), pieces(), epochs=3, steps_per_epoch=3, quiet=True, run_dir=str(tmp_path / "run")
        )
    assert len(result.history["loss"]) == 2


def test_a_callback_stops_a_generator_without_end(tmp_path):
    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 6

    model, plain = compiled(), compiled()
    kexp.fit(model, batches_for_ever(), quiet=True, run_dir=str(tmp_path / "run"), callbacks=[Stops()])
    for batch in itertools.islice(batches_for_ever(), 7):
        plain.train_on_batch(*batch)
    assert_same_weights(model, plain)


@pytest.mark.parametrize("options", [{"schedule": "cosine"}, {"warmup": 0.1}])
def test_a_schedule_needs_to_know_the_steps(tmp_path, options):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with pytest.raises(InputError, match="steps_per_epoch must be given for a schedule or warmup"):
        kexp.fit(model, of_unknown_size(), loss=loss, quiet=True, run_dir=str(tmp_path / "run"), **options)
    assert not (tmp_path / "run").exists()


WEIGHTED = {
    "PyDataset": (Rows, lambda: [Rows()[number] for number in epoch_order(4, 0, 0)]),
    "generator": (pieces, pieces),
    "dataset": (of_unknown_size, pieces),
    "one-hot": (lambda: ((x, np.eye(3)[y]) for x, y in pieces()), pieces),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_of_classes_count_in_batches_too(tmp_path, name):
    feed, batches = WEIGHTED[name]
    loss = "categorical_crossentropy" if name == "one-hot" else "sparse_categorical_crossentropy"

    def model():
        keras.utils.set_random_seed(1)
        made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
        made.compile(keras.optimizers.SGD(0.5), loss=loss)
        return made

    trained, plain = model(), model()
    given = {"epochs": 1, "class_weight": {1: 5.0}, "quiet": True, "run_dir": str(tmp_path / "run")}
    kexp.fit(trained, feed(), **given)
    for x, y in batches():
        targets = np.eye(3)[y] if name == "one-hot" else y
        plain.train_on_batch(x, targets, sample_weight=np.where(y == 1, 5.0, 1.0))
    assert_same_weights(trained, plain)


def test_balanced_classes_are_for_data_that_can_be_counted(tmp_path):
    with pytest.raises(InputError, match="class_weight 'balanced' is for data in memory"):
        kexp.fit(compiled(), Rows(), class_weight="balanced", quiet=True, run_dir=str(tmp_path / "run"))


@pytest.mark.parametrize("form", ["SciPy", "TensorFlow"])
def test_sparse_batches_train_as_the_same_numbers_in_dense_ones(tmp_path, form):
    make = scipy.sparse.csr_matrix if form == "SciPy" else tf.sparse.from_dense
    some = np.where(X > 0.5, X, 0)
    model, dense = compiled(), compiled()
    for one, convert in ((model, make), (dense, np.asarray)):
        feed = ((convert(some[first : first + 10]), Y[first : first + 10]) for first in range(0, SAMPLES, 10))
        kexp.fit(one, feed, epochs=1, quiet=True, run_dir=str(tmp_path / convert.__name__))
    assert_same_weights(model, dense)
    assert_same_weights(dense, compiled(), 0.5)
