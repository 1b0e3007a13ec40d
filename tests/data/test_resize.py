"""Images of any size come to one in the way that was asked for, and what was done is said and recorded."""

import json

import numpy as np
import pytest
from kexp.recipes.mlp_images import mlp_images
from PIL import Image

import kexp
from kexp import recipes
from kexp.core.call_signatures import argument_docs
from kexp.core.errors import InputError
from kexp.data import DatasetSpec, load
from kexp.data.adapters import adapt_inputs
from kexp.data.sources.image_resizing import Resizing

WAYS = ("stretch", "crop", "pad")


def photo(height, width, seed=0, mode="RGB"):
    """An image with edges and noise, so that each pixel of what becomes of it counts."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (height, width, 3), np.uint8)
    values[: height // 2, : width // 2] //= 4
    return Image.fromarray(values).convert(mode)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Twelve photographs of five sizes, one of them turned by its camera, in two classes."""
    folder = tmp_path_factory.mktemp("mixed") / "photos"
    for number in range(12):
        place = folder / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        height, width = [(16, 16), (20, 30), (33, 21), (7, 40), (9, 9)][number % 5]
        image = photo(height, width, number)
        if number == 1:
            exif = Image.Exif()
            exif[0x0112] = 6
            image.save(place / f"{number:02d}.jpg", exif=exif)
        else:
            image.save(place / f"{number:02d}.png")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cropped_is_the_middle_in_the_proportions_of_the_size():
    wide = photo(10, 40)
    expected = wide.crop((10, 0, 30, 10)).resize((8, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(Resizing((4, 8), "crop").image(wide), expected)
    tall = photo(41, 10)
    expected = tall.crop((0, 15, 10, 25)).resize((6, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(Resizing((6, 6), "crop").image(tall), expected)


def test_padded_is_the_whole_image_amid_black():
    padded = np.asarray(Resizing((8, 8), "pad").image(photo(10, 40)))
    assert not padded[:3].any()
    assert not padded[5:].any()
    expected = photo(10, 40).resize((8, 2), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(padded[3:5], expected)
    padded = np.asarray(Resizing((8, 5), "pad").image(photo(3, 1, mode="L")))
    expected = photo(3, 1, mode="L").resize((3, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(padded[:, 1:4], expected)
    assert not padded[:, [0, 4]].any()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("found", [(1, 500), (500, 1), (1, 1), (6, 9), (7, 9)])
def test_any_shape_comes_to_the_size(way, found):
    image = Resizing((6, 9), way).image(photo(*found))
    assert image.size == (9, 6)
    if found == (6, 9):
        np.testing.assert_array_equal(image, photo(6, 9))


@pytest.mark.parametrize("way", WAYS)
def test_images_on_the_disk_are_those_in_memory_in_each_way(photos, cache, way):
    held, stored = (
        load(photos, image_size=(16, 12), resize=way, in_memory=one, validation=0) for one in (True, False)
    )
    np.testing.assert_array_equal(np.asarray(stored.train.inputs), held.train.inputs)
    assert stored.fingerprint == held.fingerprint
    assert stored.spec.resize == held.spec.resize == way
    assert stored.notes[0] == held.notes[0]
    others = {load(photos, image_size=(16, 12), resize=one, in_memory=False).fingerprint for one in WAYS}
    assert len(others) == len(list(cache.glob("*/*.pixels"))) == 3


def test_what_was_done_is_said_with_the_sizes_that_were_found(photos):
    assert load(photos, image_size=(16, 16), resize="crop").notes == (
        "9 of 12 images had another size than 16 × 16 (height × width) and were cropped to it: they were 7 "
        "to 33 pixels high and 9 to 40 wide; 4 of them are smaller and were enlarged.",
    )
    # The turned one is 30 high. A cropped 7 × 40 is enlarged, a padded one is not.
    stretched = load(photos, image_size=(30, 20)).notes[0]
    assert stretched.startswith("11 of 12 images had another size than 30 × 20")
    assert load(photos, image_size=(16, 16), resize="pad").notes == (
        "9 of 12 images had another size than 16 × 16 (height × width) and were padded to it: they were 7 "
        "to 33 pixels high and 9 to 40 wide; 2 of them are smaller and were enlarged.",
    )


def test_arrays_are_resized_in_each_way_and_it_is_said():
    images = np.stack([np.asarray(photo(10, 20, seed)) for seed in range(6)])
    data = load((images, [0, 1] * 3), image_size=(5, 5), resize="crop", validation=0, test=0)
    np.testing.assert_array_equal(data.train.inputs[3], Resizing((5, 5), "crop").image(photo(10, 20, 3)))
    assert data.notes == (
        "6 of 6 images had another size than 5 × 5 (height × width) and were cropped to it: they were 10 "
        "pixels high and 20 wide.",
    )
    assert not load((images, [0, 1] * 3), image_size=(10, 20), resize="crop").notes


def test_the_way_is_no_part_of_the_fingerprint_of_the_pixels():
    images = np.stack([np.asarray(photo(8, 8, seed)) for seed in range(6)])
    plain = load((images, [0, 1] * 3))
    asked = load((images, [0, 1] * 3), image_size=(8, 8), resize="pad")
    assert plain.fingerprint == asked.fingerprint
    assert (plain.spec.resize, asked.spec.resize) == ("", "pad")
    assert "resize" not in plain.spec.to_json()
    assert DatasetSpec.from_json(json.loads(json.dumps(asked.spec.to_json()))).resize == "pad"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "crop"}, "resize='crop': there is no size to bring images to; give image_size"),
        ({"resize": "croup", "image_size": (4, 4)}, r"resize='croup': expected one of .*mean 'crop'\?"),
    ],
)
def test_a_way_that_says_nothing_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        load("digits", **options)


@pytest.mark.parametrize("name", [name for name in recipes.__all__ if name.endswith("_images")])
def test_every_recipe_of_images_takes_the_way_and_refuses_it_without_a_size(name):
    recipe = getattr(recipes, name)
    assert "amid black" in argument_docs(recipe)["resize"]
    # Fine-tuning has a size without being asked, that of the network: there it is another way that is none.
    way, said = "crop", "resize='crop': there is no size"
    if name == "finetune_images":
        way, said = "croup", "resize must be one of .* received 'croup'"
    with pytest.raises(InputError, match=said):
        recipe("digits", resize=way)


def test_a_dataset_that_was_made_in_another_way_is_refused():
    data = load("digits", image_size=(4, 4), resize="pad")
    assert load(data, image_size=(4, 4), resize="pad") is data
    assert load(data, image_size=(4, 4)) is data
    with pytest.raises(InputError, match="resize='crop': data 'digits' is a Dataset"):
        load(data, image_size=(4, 4), resize="crop")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_file_of_a_photograph_comes_to_the_model_as_those_of_training_did(tmp_path, way, channels):
    exif = Image.Exif()
    exif[0x0112] = 8
    photo(20, 31).save(tmp_path / "turned.png", exif=exif)
    photo(9, 4).convert("RGBA").save(tmp_path / "small.png")
    spec = DatasetSpec("image", (10, 12, channels), "uint8", "classification", 2, resize=way)
    images = adapt_inputs([tmp_path / "turned.png", str(tmp_path / "small.png")], spec)
    mode = "RGB" if channels == 3 else "L"
    turned = photo(20, 31).transpose(Image.Transpose.ROTATE_90).convert(mode)
    for image, expected in zip(images, (turned, photo(9, 4, mode=mode)), strict=True):
        wanted = np.asarray(Resizing((10, 12), way).image(expected)).reshape(10, 12, channels)
        np.testing.assert_array_equal(image, wanted)


def test_a_model_whose_images_all_had_one_size_refuses_others(tmp_path):
    photo(9, 4).save(tmp_path / "small.png")
    spec = DatasetSpec("image", (10, 12, 3), "uint8", "classification", 2)
    with pytest.raises(InputError, match=r"expected an image of 12 x 10 .* received 4 x 9"):
        adapt_inputs(tmp_path / "small.png", spec)


def test_a_run_records_the_way_and_says_what_was_done(photos, tmp_path):
    arguments = {"data": str(photos), "image_size": (8, 8), "resize": "crop", "hidden": (16,)}
    assert "12 of 12 images had another size than 8 × 8" in str(kexp.check(mlp_images, **arguments))
    result = mlp_images(**arguments, epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    assert result.config["arguments"]["resize"] == "crop"
    assert kexp.load(tmp_path / "run").spec.resize == "crop"
    assert "were cropped to it" in result.report().read_text(encoding="utf-8")
    path = photos / "dog" / "02.png"
    pixels = np.asarray(Resizing((8, 8), "crop").image(Image.open(path)))
    np.testing.assert_array_equal(
        result.predict(path).probabilities, result.predict(pixels[None]).probabilities
    )
