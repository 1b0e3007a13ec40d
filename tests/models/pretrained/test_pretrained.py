"""Pretrained networks answer from raw images as their weights were trained to; what does not fit is "
"refused."""

import importlib
import inspect
import json
import shutil
import struct
import zipfile

import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import kexp
from kexp.core.errors import InputError
from kexp.core.keras_private import application_weights
from kexp.core.pretrained_catalog import package_file, pretrained_catalog
from kexp.core.torch_checkpoint import read_torch_checkpoint
from kexp.models.pretrained.efficientnet_lite0 import load_efficientnet_lite0
from kexp.models.pretrained.image_input import scaled_pixels

LITE0 = "efficientnet_lite0"
PALACE, MONASTERY, CASTLE, DAISY = 698, 663, 483, 985
SMALL = {"input_shape": (40, 40, 3), "image_size": (32, 32)}


def answers(model, images):
    return np.asarray(model(images, training=False))


def require_alike(found, expected):
    """Compare what networks give, in units of the largest: untrained ones of many layers give small "
    "numbers."""
    largest = np.abs(expected).max()
    assert largest > 0
    np.testing.assert_allclose(found / largest, expected / largest, atol=1e-3)


def square(name):
    """Return the middle of a photograph that comes with scikit-learn, (427, 427, 3)."""
    image = load_sample_image(name)
    rest = (image.shape[1] - image.shape[0]) // 2
    return image[:, rest : rest + image.shape[0]]


@pytest.fixture(scope="module")
def photographs():
    return np.stack([square("flower.jpg"), square("china.jpg")])


@pytest.fixture(scope="module")
def classifier():
    return kexp.models.pretrained(LITE0, (427, 427, 3), top=True)


@pytest.fixture(scope="module")
def small_lite0():
    return kexp.models.pretrained(LITE0, **SMALL, weights="random")


@pytest.fixture(scope="module")
def tensors():
    return read_torch_checkpoint(package_file(kexp.models.pretrained_facts(LITE0)), "mend it")


def test_efficientnet_lite0_knows_what_is_on_photographs(classifier, photographs):
    logits = answers(classifier, photographs)
    assert logits.shape == (2, 1000)
    flower, china = logits.argmax(axis=1)
    assert flower == DAISY
    assert china in (PALACE, MONASTERY, CASTLE)


def test_all_numbers_of_the_checkpoint_are_in_the_network_and_none_is_left_over(classifier, tensors):
    assert classifier.count_params() == 4_694_024
    counters = sum(name.endswith("num_batches_tracked") for name in tensors)
    assert sum(tensor.size for tensor in tensors.values()) == 4_694_024 + counters
    sums = sum(float(np.asarray(weight, np.float64).sum()) for weight in classifier.weights)
    kept = [tensor for name, tensor in tensors.items() if "num_batches" not in name]
    assert sums == pytest.approx(sum(tensor.sum(dtype=np.float64) for tensor in kept), rel=1e-9)


def test_features_are_what_the_head_sees(classifier, photographs):
    model = kexp.models.pretrained(LITE0, (427, 427, 3))
    assert model.name == "backbone"
    features = answers(model, photographs)
    assert features.shape == (2, 1280)
    assert features.dtype == np.float32
    head = classifier.get_layer("classes")
    np.testing.assert_allclose(np.asarray(head(features)), answers(classifier, photographs), atol=1e-4)


def test_tensors_that_are_not_the_networks_are_refused(small_lite0, tensors):
    def without(name):
        return {key: value for key, value in tensors.items() if key != name}

    stem = "_conv_stem.weight"
    for changed, said in (
        (without(stem), f"lacks the tensor {stem}"),
        ({**tensors, "other": np.zeros(3)}, "1 tensors that EfficientNet-Lite0 has not, such as 'other'"),
        ({**tensors, stem: np.zeros((32, 3, 5, 5), np.float32)}, "expected finite numbers of shape"),
        ({**tensors, stem: np.full((32, 3, 3, 3), np.nan, np.float32)}, "expected finite numbers of shape"),
    ):
        with pytest.raises(InputError, match=said):
            load_efficientnet_lite0(small_lite0, changed, "file x")


def test_weights_of_a_file_are_those_of_the_package(small_lite0, tensors, tmp_path):
    entries, content = {}, b""
    for name, tensor in tensors.items():
        first = len(content)
        content += tensor.tobytes()
        kind = "F32" if tensor.dtype == np.float32 else "I64"
        entries[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [first, len(content)]}
    header = json.dumps(entries).encode()
    path = tmp_path / "lite0.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)
    found = kexp.models.pretrained(LITE0, **SMALL, weights=path)
    image = np.arange(40 * 40 * 3, dtype=np.uint8).reshape(1, 40, 40, 3)
    load_efficientnet_lite0(small_lite0, tensors, "file x")
    np.testing.assert_array_equal(answers(found, image), answers(small_lite0, image))
    small_lite0.save_weights(tmp_path / "lite0.weights.h5")
    again = kexp.models.pretrained(LITE0, **SMALL, weights=tmp_path / "lite0.weights.h5")
    np.testing.assert_array_equal(answers(again, image), answers(small_lite0, image))


def test_grey_images_are_seen_as_coloured_ones_and_floats_as_bytes(small_lite0):
    grey = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 1)).astype(np.uint8)
    of_grey = kexp.models.pretrained(
        LITE0, (40, 40, 1), image_size=(32, 32), weights="random", dtype="float32"
    )
    of_grey.set_weights(small_lite0.get_weights())
    coloured = answers(small_lite0, np.repeat(grey, 3, axis=-1))
    require_alike(answers(of_grey, grey.astype(np.float32)), coloured)


def test_images_of_any_size_are_resized_inside_and_the_model_can_be_saved(tmp_path):
    model = kexp.models.pretrained(LITE0, (None, None, 3), image_size=(32, 32), weights="random", outputs=4)
    assert model.output_shape == (None, 4)
    images = [
        np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype(np.uint8)
        for size in ((20, 50), (70, 64))
    ]
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    for image in images:
        np.testing.assert_array_equal(answers(model, image), answers(loaded, image))


@pytest.mark.parametrize("name", [LITE0, "mobilenet"])
def test_a_network_is_flat_and_its_layers_have_the_same_names_each_time(name, small_lite0):
    keras.layers.Conv2D(1, 1)  # counts as one more of Keras's own names
    one = kexp.models.pretrained(name, **SMALL, weights="random")
    other = small_lite0 if name == LITE0 else kexp.models.pretrained(name, **SMALL, weights="random")
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    assert not any(isinstance(layer, keras.Model) for layer in one.layers)
    assert len({layer.name for layer in one.layers}) == len(one.layers)


def test_every_builder_of_keras_applications_has_a_name_and_all_names_are_different():
    builders = {
        name
        for name in dir(keras.applications)
        if name[0].isupper() and inspect.isfunction(getattr(keras.applications, name))
    }
    catalog = pretrained_catalog()
    assert {facts.keras_name for facts in catalog.values()} - {""} == builders
    assert all(
        facts.keras_name.lower() == name.replace("_", "")
        for name, facts in catalog.items()
        if facts.keras_name
    )


@pytest.mark.parametrize("name", [name for name, facts in pretrained_catalog().items() if facts.keras_name])
def test_pixels_are_scaled_as_the_module_of_the_network_does(name):
    facts = kexp.models.pretrained_facts(name)
    module = importlib.import_module(f"keras.applications.{facts.module}")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.float32)
    found = np.asarray(scaled_pixels(keras.ops.convert_to_tensor(pixels), facts.scaling))
    np.testing.assert_allclose(found, module.preprocess_input(pixels.copy()), atol=1e-5)


# The second has models inside.
@pytest.mark.parametrize("name", ["MobileNetV3Small", pytest.param("ConvNeXtTiny", marks=pytest.mark.slow)])
def test_a_network_of_keras_takes_weights_that_keras_saved_of_it_and_then_computes_the_same(name, tmp_path):
    build = getattr(keras.applications, name)
    plain = build(weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3))
    path = tmp_path / "small.weights.h5"
    plain.save_weights(path)
    options = {"input_shape": (32, 32, 3), "image_size": (32, 32)}
    model = kexp.models.pretrained(name, **options, weights=path)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    require_alike(answers(model, image), answers(plain, image.astype(np.float32)))


@pytest.mark.slow
def test_a_network_is_the_one_that_keras_loads_its_weights_into():
    # Keras scales the inputs of this one once more for the weights that it downloads.
    options = {"include_top": False, "pooling": "avg", "input_shape": (32, 32, 3)}
    with application_weights(lambda *_: None):
        plain = keras.applications.EfficientNetB0(weights="imagenet", **options)
    without = keras.applications.EfficientNetB0(weights=None, **options)
    model = kexp.models.pretrained(
        "efficientnet_b0", **SMALL | {"input_shape": (32, 32, 3)}, weights="random"
    )
    model.set_weights(plain.get_weights())
    without.set_weights(plain.get_weights())
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    expected, other = answers(plain, image.astype(np.float32)), answers(without, image.astype(np.float32))
    require_alike(answers(model, image), expected)
    assert not np.allclose(other, expected, rtol=0.1, atol=0)


def test_weights_of_another_network_are_refused(small_lite0, tmp_path):
    small_lite0.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(InputError, match="give weights that Keras saved of this network"):
        kexp.models.pretrained("mobilenet", image_size=(32, 32), weights=tmp_path / "a.weights.h5")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "mobilenet_v4"}, "did you mean 'mobilenet_v"),
        ({"name": "mobilenet_v2"}, "kexp models prepare mobilenet_v2"),
        ({"name": "MobileNetV2", "top": True}, "kexp models prepare mobilenet_v2 --top"),
        ({"name": "mobilenet_v2", "top": True, "image_size": (96, 96)}, r"image_size must be \(224, 224\)"),
        ({"name": "vgg16", "image_size": (8, 8), "weights": "random"}, "pass another image_size"),
        ({"name": LITE0, "input_shape": (32, 32, 2)}, "1 or 3"),
        ({"name": LITE0, "input_shape": (32, 32)}, "input_shape must be"),
        ({"name": LITE0, "image_size": (0, 32)}, "image_size must be"),
        ({"name": LITE0, "weights": "imagenet"}, "weights must be 'random' or a file"),
        ({"name": "vgg16", "weights": "a.pth"}, "ends in .h5"),
        ({"name": LITE0, "weights": "absent.pth"}, "absent.pth"),
        ({"name": LITE0, "outputs": 3, "top": True}, "exclude each other"),
        ({"name": LITE0, "outputs": 0}, "outputs must be"),
        ({"name": "hub:absent"}, "kexp models prepare hub:absent"),
        ({"name": "hub:../absent"}, "the name of a preset"),
        ({"name": "absent.keras"}, "absent.keras"),
        ({"name": "a.keras", "weights": "random"}, "leave weights and top out"),
        ({"name": "a.keras", "image_size": (32, 32)}, "expected a saved Keras model"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(arguments, said):
    with pytest.raises(InputError, match=said) as caught:
        kexp.models.pretrained(**arguments)
    assert str(caught.value).count(". ") == 0


def test_a_package_that_is_absent_or_holds_other_weights_is_said_to(monkeypatch, tmp_path):
    facts = kexp.models.pretrained_facts(LITE0)
    other = tmp_path / facts.package / facts.file
    other.parent.mkdir(parents=True)
    (tmp_path / facts.package / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"pip install 'kexp\[pretrained\]'"):
        kexp.models.pretrained(LITE0)
    shutil.copy(__file__, other)
    with pytest.raises(InputError, match="its checksum differs"):
        kexp.models.pretrained(LITE0)


def test_a_saved_model_gives_what_its_last_layer_sees_without_models_inside(tmp_path):
    inner = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.Conv2D(5, 3, name="seen")], name="inner")
    whole = keras.Sequential([keras.Input((6, 6, 2)), inner, keras.layers.Flatten(), keras.layers.Dense(3)])
    whole.save(tmp_path / "a.keras")
    model = kexp.models.pretrained(tmp_path / "a.keras")
    image = np.random.default_rng(0).normal(size=(2, 6, 6, 2)).astype(np.float32)
    assert [layer.name for layer in model.layers if layer.weights] == ["seen"]
    np.testing.assert_allclose(answers(model, image), answers(inner, image).reshape(2, -1), atol=1e-6)
    with pytest.raises(InputError, match=r"image_size must be what .* was saved with, \(6, 6\)"):
        kexp.models.pretrained(tmp_path / "a.keras", image_size=(8, 8))
    headed = kexp.models.pretrained(tmp_path / "a.keras", outputs=7)
    assert answers(headed, image).shape == (2, 7)


def test_what_has_nothing_before_its_last_layer_is_refused(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(tmp_path / "a.keras")
    with pytest.raises(InputError, match="expected layers with weights"):
        kexp.models.pretrained(tmp_path / "a.keras")


def test_a_layer_that_cannot_be_made_is_said_to_be_the_reason(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)]).save(
        tmp_path / "a.keras"
    )
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        parts = {name: file.read(name) for name in file.namelist()}
    parts["config.json"] = parts["config.json"].replace(b'"units": 3', b'"units": -5')
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    with pytest.raises(InputError, match=r"a saved Keras model \(.*Received: units=-5\)"):
        kexp.models.pretrained(tmp_path / "b.keras")


def test_the_model_of_a_run_takes_raw_inputs_and_is_compared_with_its_checksum(digits_run, tmp_path):
    record = kexp.load(digits_run)
    model = kexp.models.pretrained(digits_run)
    images = kexp.data.load("digits").test.inputs[:5]
    features = answers(model, images)
    head = [layer for layer in record.model.layers if layer.weights][-1]
    while hasattr(head, "layers"):
        head = [layer for layer in head.layers if layer.weights][-1]
    logits = features @ np.asarray(head.kernel) + np.asarray(head.bias)
    require_alike(logits, answers(record.model, images))
    copied = shutil.copytree(digits_run, tmp_path / "run")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(copied / "model.keras")
    with pytest.raises(InputError, match="checksum differs"):
        kexp.models.pretrained(copied)
