import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from kexp.core.errors import InputError
from kexp.data import check_source, load, names, prepare

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (24, 5, 6, 3), dtype=np.uint8)
REVIEWS = ["dull", "très bien", "", "fine\nfilm"]
PETS = {
    "image": tfds.features.Image(shape=(5, 6, 3)),
    "label": tfds.features.ClassLabel(names=["cat", "dog"]),
}


def store(folder, name, features, splits, version="1.0.0", config=None):
    """Prepare a data set on disk, as TFDS does it."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        config=config,
        features=tfds.features.FeaturesDict(features),
        split_datasets=splits,
        data_dir=folder,
        disable_shuffling=True,
    )


def pets(first=0, count=8, **images):
    examples = {"image": IMAGES[first : first + count], "label": np.arange(count) % 2} | images
    return tf.data.Dataset.from_tensor_slices(examples)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A TFDS folder with a few tiny data sets, made once."""
    folder = tmp_path_factory.mktemp("prepared")
    parts = {"train": pets(0), "validation": pets(8), "test": pets(16)}
    store(folder, "pets", PETS, parts)
    store(folder, "versions", PETS, {"train": pets(0)}, version="1.9.0")
    store(folder, "versions", PETS, {"train": pets(8)}, version="1.10.0")
    store(folder, "configs", PETS, {"train": pets(0)}, config="small")
    store(folder, "configs", PETS, {"train": pets(8)}, config="large")
    store(folder, "headless", PETS, {"extra": pets(0)})
    numbers = {"a": np.arange(6, dtype=np.float32), "b": np.arange(6, dtype=np.float32)}
    scalar = tfds.features.Scalar(np.float32)
    store(
        folder,
        "columns",
        {"a": scalar, "b": scalar},
        {"train": tf.data.Dataset.from_tensor_slices(numbers)},
    )
    reviews = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["bad", "good"])}
    texts = tf.data.Dataset.from_tensor_slices({"text": REVIEWS, "label": [0, 1, 0, 1]})
    store(folder, "reviews", reviews, {"train": texts})
    sizes = {"image": tfds.features.Image(shape=(None, None, 3)), "label": PETS["label"]}
    store(folder, "sizes", sizes, {"train": uneven()})
    return folder


def uneven():
    def examples():
        for number in range(8):
            yield {"image": np.full((4 + number, 6, 3), number, np.uint8), "label": number % 2}

    image = tf.TensorSpec((None, None, 3), tf.uint8)
    return tf.data.Dataset.from_generator(
        examples, output_signature={"image": image, "label": tf.TensorSpec((), tf.int64)}
    )


@pytest.fixture
def tfds_dir(prepared, monkeypatch, no_data_around):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    return prepared


def test_a_prepared_data_set_is_found_by_its_name(tfds_dir):
    check_source("pets")
    data = load("pets")
    assert (data.name, data.spec.kind, data.spec.input_shape) == ("pets", "image", (5, 6, 3))
    assert data.spec.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.train.inputs, IMAGES[:8])
    np.testing.assert_array_equal(data.validation.inputs, IMAGES[8:16])
    np.testing.assert_array_equal(data.test.inputs, IMAGES[16:])
    assert data.train.targets.tolist() == [0, 1] * 4


def test_text_that_is_prepared_is_text(tfds_dir):
    data = load("reviews", validation=0, test=0)
    assert (data.spec.kind, data.spec.class_names) == ("text", ("bad", "good"))
    assert data.train.inputs.tolist() == REVIEWS


def test_without_validation_its_validation_split_is_trained_on(tfds_dir):
    assert len(load("pets", validation=0).train) == 16


def test_it_is_found_in_the_data_dir_and_by_path_too(prepared, monkeypatch):
    fingerprint = load(prepared / "pets").fingerprint
    assert load(prepared / "pets" / "1.0.0").fingerprint == fingerprint
    monkeypatch.setenv("KEXP_DATA_DIR", str(prepared))
    assert load("pets").fingerprint == fingerprint
    assert names()["pets"].startswith("prepared by tensorflow-datasets")
    assert "configs" in names()


def test_the_newest_version_is_read_unless_one_is_named(tfds_dir):
    assert load("versions", validation=0, test=0).train.inputs[0, 0, 0, 0] == IMAGES[8, 0, 0, 0]
    older = load("versions:1.9.0", validation=0, test=0)
    assert older.train.inputs[0, 0, 0, 0] == IMAGES[0, 0, 0, 0]
    with pytest.raises(InputError, match="no such data set"):
        load("versions:2.0.0")


def test_one_of_several_configurations_has_to_be_named(tfds_dir):
    with pytest.raises(InputError, match=r"several configurations \(large, small\); pass 'configs/large'"):
        load("configs")
    assert load("configs/small", validation=0, test=0).train.inputs[0, 0, 0, 0] == IMAGES[0, 0, 0, 0]


def test_images_of_several_sizes_need_image_size(tfds_dir):
    with pytest.raises(InputError, match=r"several shapes, such as \(4, 6, 3\) and \(11, 6, 3\).*image_size"):
        load("sizes")
    assert load("sizes", image_size=(4, 4), test=0).spec.input_shape == (4, 4, 3)


def test_data_without_a_train_split_or_without_pairs_is_refused(tfds_dir):
    with pytest.raises(InputError, match="expected a train split, it has extra"):
        load("headless")
    with pytest.raises(
        InputError,
        match=r"expected supervised pairs or the features image \(or text\) and label, it has a, b",
    ):
        load("columns")


class Weights(tfds.core.GeneratorBasedBuilder):
    """A builder as the catalogue's are, with supervised keys of other names."""

    VERSION = tfds.core.Version("2.0.0")

    def _info(self):
        features = {
            "sizes": tfds.features.Tensor(shape=(2,), dtype=np.float32),
            "weight": tfds.features.Scalar(np.float32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=("sizes", "weight")
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(10):
            yield number, {"sizes": [number, 1.0], "weight": number / 2}


def test_supervised_pairs_of_any_name_are_read(tmp_path, monkeypatch):
    Weights(data_dir=tmp_path).download_and_prepare()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    data = load("weights", validation=0, test=0)
    assert (data.spec.kind, data.spec.task, data.spec.input_shape) == ("array", "regression", (2,))
    np.testing.assert_array_equal(data.train.targets[:, 0] * 2, data.train.inputs[:, 0])


def test_what_is_prepared_already_is_not_downloaded_again(tfds_dir, capsys):
    assert prepare("pets") == tfds_dir / "pets" / "1.0.0"
    assert capsys.readouterr().out == f"pets is in {tfds_dir / 'pets' / '1.0.0'}\n"


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"no such data set \(did you mean .*'cifar10'"):
        prepare("cifar1O", tmp_path)
    with pytest.raises(InputError, match="expected a tensorflow-datasets name"):
        prepare("my data", tmp_path)


def test_without_a_network_prepare_says_so_at_once(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):  # nobody listens there: refused, as if unplugged
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"no connection to storage.googleapis.com"):
        prepare("mnist", tmp_path)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replaced(old, new):
    return lambda path: path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("features.json", lambda path: path.write_text("{"), "features.json: is not JSON"),
        ("features.json", lambda path: path.write_text("[]"), "features.json: must hold a JSON object"),
        ("features.json", lambda path: path.write_text("{}"), "pets/1.0.0: "),
        (
            "features.json",
            replaced("tensorflow_datasets.", "antigravity."),
            "received 'antigravity.*imported",
        ),
        (
            "dataset_info.json",
            lambda path: path.write_text("null"),
            "pets/1.0.0: cannot be read as data prep",
        ),
        (
            "dataset_info.json",
            replaced("numBytes", "numBites"),
            "pets/1.0.0: cannot be read as data prepared",
        ),
        ("pets-train.tfrecord*", flipped, "pets/1.0.0: cannot be read as data prepared"),
        ("pets-train.tfrecord*", lambda path: path.write_bytes(b""), "pets"),
        ("pets-train.tfrecord*", lambda path: path.unlink(), "pets/1.0.0: cannot be read as data prepared"),
        ("pets-train.tfrecord*", lambda path: (path.unlink(), os.mkfifo(path)), "tfrecord.*received a pipe"),
        ("*label.labels.txt", lambda path: path.write_text("cat\ncat\n"), "every class name once|pets/1.0.0"),
    ],
)
def test_a_damaged_folder_is_one_sentence_that_names_it(prepared, tmp_path, name, damage, said):
    folder = shutil.copytree(prepared / "pets", tmp_path / "pets")
    damage(next((folder / "1.0.0").glob(name)))
    with pytest.raises(InputError, match=rf"^[^\n]*{said}[^\n]*\.$"):
        load(folder)


def test_a_folder_that_does_not_fit_into_memory_is_refused(prepared, monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", "700")
    with pytest.raises(InputError, match=r"takes .* GB in memory"):
        load(prepared / "pets")
