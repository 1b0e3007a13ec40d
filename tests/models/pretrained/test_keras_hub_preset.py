"""Presets of KerasHub lie in a folder, where a command has put them, and see images as they want them."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.models.pretrained.keras_hub_preset import hub_folder, image_backbone


def test_a_backbone_sees_images_as_its_converter_makes_them():
    convolution = keras.layers.Conv2D(5, 3, name="seen")
    backbone = keras.Sequential([keras.Input((8, 8, 3)), convolution])
    converter = SimpleNamespace(image_size=(8, 8), scale=[0.5, 1.0, 2.0], offset=[-1.0, 0.0, 1.0])
    model = image_backbone(backbone, converter, None, None, "uint8")
    image = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    expected = np.asarray(convolution(image * np.float32(converter.scale) + np.float32(converter.offset)))
    np.testing.assert_allclose(np.asarray(model(image)), expected.mean(axis=(1, 2)), rtol=1e-4)
    assert [layer.name for layer in model.layers if layer.weights] == ["seen"]
    plain = SimpleNamespace(image_size=None, scale=None, offset=None)
    of_grey = image_backbone(
        keras.Sequential([keras.Input((None, None, 3)), convolution]), plain, (9, 7, 1), (8, 8), "uint8"
    )
    assert of_grey.output_shape == (None, 5)


def test_without_kerashub_a_preset_is_refused_with_the_extra_that_has_it(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_CACHE_DIR", str(tmp_path))
    name = "hub:resnet_18_imagenet"
    with pytest.raises(InputError, match=f"kexp models prepare {name}"):
        kexp.models.pretrained(name)
    hub_folder(name).mkdir(parents=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'kexp\[hub\]'"):
        kexp.models.pretrained(name)
    hub_folder(name).rmdir()
    with pytest.raises(InputError, match=r"pip install 'kexp\[hub\]'"):
        kexp.models.prepare_pretrained(name)
