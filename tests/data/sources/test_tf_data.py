import numpy as np
import pytest
import tensorflow as tf

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.sources import tf_data

X = np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)
Y = np.arange(22) % 2


def whole(dataset):
    return load(dataset, validation=0, test=0).train


@pytest.mark.parametrize("batch_size", [None, 4, 22])
def test_samples_and_batches_of_them_give_the_same(batch_size):
    dataset = tf.data.Dataset.from_tensor_slices((X, Y))
    split = whole(dataset.batch(batch_size) if batch_size else dataset)
    np.testing.assert_array_equal(split.inputs, X)
    np.testing.assert_array_equal(split.targets, Y)


def test_vectors_as_targets_are_no_batch_when_they_are_shorter_than_the_inputs():
    dataset = tf.data.Dataset.from_tensor_slices((X, X[:, :2]))
    assert whole(dataset).targets.shape == whole(dataset.batch(5)).targets.shape == (22, 2)


def test_images_in_batches_are_images():
    images = np.zeros((22, 5, 6, 3), np.uint8)
    assert load(tf.data.Dataset.from_tensor_slices((images, Y)).batch(8)).spec.kind == "image"


def test_text_labels_are_class_names():
    labels = np.where(Y == 1, "yes", "no")
    for dataset in (
        tf.data.Dataset.from_tensor_slices((X, labels)),
        tf.data.Dataset.from_tensor_slices((X, labels)).batch(5),
    ):
        assert load(dataset).spec.class_names == ("no", "yes")


def test_a_dataset_of_unknown_length_is_read_to_its_end():
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: y < 9)
    assert len(whole(dataset)) == 22


def test_an_infinite_dataset_is_refused():
    with pytest.raises(InputError, match=r"infinite.*without repeat"):
        load(tf.data.Dataset.from_tensor_slices((X, Y)).repeat())


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: tf.data.Dataset.from_tensor_slices(X), "pairs of tensors"),
        (lambda: tf.data.Dataset.from_tensor_slices((X, Y, Y)), "pairs of tensors"),
        (lambda: tf.data.Dataset.from_tensor_slices(({"a": X}, Y)), "pairs of tensors"),
        (lambda: tf.data.Dataset.from_tensor_slices((X, Y)).take(0), "received an empty one"),
        (lambda: tf.data.Dataset.range(1, 5).map(lambda n: (tf.zeros([n]), n)), "differ in shape"),
    ],
)
def test_a_dataset_of_no_use_is_refused_with_the_reason(dataset, message):
    with pytest.raises(InputError, match=message):
        load(dataset())


@pytest.mark.parametrize(
    "dataset",
    [
        lambda pairs: pairs.repeat().filter(lambda x, y: y == 1),
        lambda pairs: (
            pairs.repeat().filter(lambda x, y: y == 1).map(lambda x, y: (x, y)).batch(2).prefetch(1)
        ),
        lambda pairs: pairs.concatenate(pairs.repeat().filter(lambda x, y: y == 1)),
    ],
)
def test_what_is_made_of_an_infinite_dataset_is_infinite_too(dataset):
    with pytest.raises(InputError, match=r"infinite.*without repeat"):
        load(dataset(tf.data.Dataset.from_tensor_slices((X, Y))))


def test_an_infinite_dataset_that_is_ended_is_read():
    pairs = tf.data.Dataset.from_tensor_slices((X, Y)).repeat()
    assert len(whole(pairs.take(30))) == 30
    ended = pairs.enumerate().take_while(lambda number, pair: number < 30)
    assert len(whole(ended.map(lambda number, pair: pair))) == 30


def endless():
    while True:
        yield X[0], 0


def torn():
    yield X[0], 0
    raise KeyError("torn")


def generated(function):
    signature = tf.TensorSpec((3,), tf.float32), tf.TensorSpec((), tf.int64)
    return tf.data.Dataset.from_generator(function, output_signature=signature)


def test_a_dataset_that_may_be_endless_is_given_up_after_many_samples(monkeypatch):
    monkeypatch.setattr(tf_data, "MOST_UNKNOWN", 50)
    with pytest.raises(InputError, match="has not ended after 50 elements; say its length with assert_cardi"):
        load(generated(endless))


def test_a_dataset_that_does_not_fit_into_memory_is_given_up(monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", "5000")
    with pytest.raises(InputError, match=r"the tf.data.Dataset takes .* GB in memory"):
        load(generated(endless))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: generated(torn), "KeyError: 'torn'"),
        (lambda: tf.data.TFRecordDataset("absent").map(lambda record: (record, record)), "absent"),
        (lambda: tf.data.Dataset.from_tensor_slices(([b"\xff"] * 22, Y)), "cannot be read as UTF-8 text"),
    ],
)
def test_a_dataset_that_raises_or_is_no_text_is_one_sentence(dataset, message):
    with pytest.raises(InputError, match=rf"^data: the tf.data.Dataset: [^\n]*{message}[^\n]*\.$"):
        load(dataset())
