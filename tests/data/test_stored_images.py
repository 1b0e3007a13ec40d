"""Folders of images that are read from disk train as those in memory, to the bit, and in constant memory."""

import os
from pathlib import Path

import numpy as np
import pytest
from kexp.recipes.cnn_images import cnn_images
from PIL import Image

import kexp
from kexp.core.errors import InputError
from kexp.data.sources.image_folder import read_images
from kexp.data.stored_arrays import StoredArray, is_stored
from tests.train.iris_runs import Cut, CutAfter, assert_same, weights
from tests.verify.killed_runs import difference_after_a_kill

SMALL = {"epochs": 2, "batch_size": 16, "filters": (8,), "quiet": True}


def write_images(folder, count, side=16, channels=3):
    """PNG files of three classes, each with a brightness of its own under noise."""
    rng = np.random.default_rng(0)
    for number in range(count):
        label = number % 3
        shape = (side, side, channels) if channels > 1 else (side, side)
        image = rng.integers(0, 100, shape, np.uint8) + np.uint8(70 * label)
        path = folder / f"class{label}" / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, compress_level=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "photos"
    write_images(folder, 300)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("KEXP_CACHE_DIR", str(folder))
    return folder


def test_images_on_the_disk_are_those_in_memory(photos):
    held, stored = (kexp.data.load(photos, in_memory=in_memory) for in_memory in (True, False))
    assert isinstance(stored.train.inputs, StoredArray)
    assert not is_stored(held.train.inputs)
    assert (stored.fingerprint, stored.spec) == (held.fingerprint, held.spec)
    for name in ("train", "validation", "test"):
        one, other = getattr(held, name), getattr(stored, name)
        np.testing.assert_array_equal(np.asarray(other.inputs), one.inputs)
        np.testing.assert_array_equal(other.targets, one.targets)
    backwards = np.arange(len(held.train))[::-7]
    np.testing.assert_array_equal(stored.train.inputs[backwards], held.train.inputs[backwards])


@pytest.mark.parametrize(
    "options",
    [{}, {"shift": 0.1, "flip": True, "accumulate": 3, "batch_size": 5}],
    ids=["plain", "augmented 3x5"],
)
def test_training_from_disk_gives_the_weights_of_training_in_memory_to_the_bit(photos, tmp_path, options):
    runs = [
        cnn_images(
            str(photos), in_memory=in_memory, run_dir=str(tmp_path / str(in_memory)), **{**SMALL, **options}
        )
        for in_memory in (True, False)
    ]
    assert_same(*map(weights, runs))
    assert runs[0].history == runs[1].history
    assert runs[0].metrics == runs[1].metrics


def test_a_run_from_disk_that_was_killed_goes_on_to_the_same_bits(photos, tmp_path):
    assert (
        difference_after_a_kill(
            cnn_images, tmp_path, data=str(photos), in_memory=False, epochs=2, batch_size=16, filters=[8]
        )
        is None
    )


def test_a_run_that_was_cut_in_memory_goes_on_from_disk(photos, tmp_path, monkeypatch):
    def run(folder, **options):
        whole = {**SMALL, "checkpoint_every": "1 steps", "run_dir": str(tmp_path / folder), **options}
        return cnn_images(str(photos), **whole)

    alone = run("alone")
    with pytest.raises(Cut):
        run("cut", callbacks=[CutAfter(17)])
    monkeypatch.setenv("KEXP_MAX_BYTES", "100000")
    assert is_stored(kexp.data.load(photos).train.inputs)
    continued = run("cut")
    assert_same(weights(continued), weights(alone))
    assert continued.history == alone.history


def test_what_does_not_fit_is_read_from_disk_and_that_is_said(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KEXP_MAX_BYTES", "100000")
    result = cnn_images(str(photos), **{**SMALL, "quiet": False, "run_dir": str(tmp_path / "run")})
    assert "300 images are read from disk while they are trained on" in capsys.readouterr().out
    page = Path(result.report()).read_text(encoding="utf-8")
    assert "300 images are read from disk" in page
    checked = str(kexp.check(cnn_images, data=str(photos), filters=(8,)))
    assert "more read from disk" in checked
    assert "300 images are read from disk" in checked


def test_images_that_fit_are_held_in_memory(photos):
    data = kexp.data.load(photos)
    assert not is_stored(data.train.inputs)
    assert not data.notes


def test_images_that_must_be_in_memory_are_refused_when_they_do_not_fit(photos, monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", "100000")
    with pytest.raises(InputError, match=r"300 images such as .* in memory, more than the"):
        kexp.data.load(photos, in_memory=True)


def test_pixels_are_decoded_once_and_again_when_an_image_changes(photos, cache):
    folder = photos.parent / "changing"
    write_images(folder, 12)
    first = kexp.data.load(folder, in_memory=False)
    (file,) = cache.glob("*/*.pixels")
    written = file.stat().st_mtime_ns
    assert kexp.data.load(folder, in_memory=False).fingerprint == first.fingerprint
    assert [path.stat().st_mtime_ns for path in cache.glob("*/*.pixels")] == [written]
    changed = folder / "class0" / "000000.png"
    Image.fromarray(np.full((16, 16, 3), 7, np.uint8)).save(changed)
    again = kexp.data.load(folder, in_memory=False, validation=0, test=0)
    assert (again.train.inputs[0] == 7).all()
    assert len(list(cache.glob("*/*.pixels"))) == 1
    assert not file.exists()


def test_a_file_of_pixels_that_was_cut_short_is_written_again(photos, cache):
    first = kexp.data.load(photos, in_memory=False)
    (file,) = cache.glob("*/*.pixels")
    os.truncate(file, 1000)
    assert kexp.data.load(photos, in_memory=False).fingerprint == first.fingerprint


def test_a_grey_image_before_coloured_ones_has_three_channels(tmp_path):
    write_images(tmp_path / "mixed", 6, channels=1)
    write_images(tmp_path / "coloured", 6)
    for path in sorted((tmp_path / "coloured").glob("class2/*")):
        path.rename(tmp_path / "mixed" / "class2" / f"coloured-{path.name}")
    paths = sorted((tmp_path / "mixed").glob("*/*.png"))
    held, _ = read_images(paths)
    stored = kexp.data.load(tmp_path / "mixed", in_memory=False, validation=0, test=0)
    assert stored.spec.input_shape == (16, 16, 3)
    np.testing.assert_array_equal(np.asarray(stored.train.inputs), held)


def test_resized_images_on_the_disk_are_those_in_memory(photos):
    held, stored = (kexp.data.load(photos, image_size=(9, 7), in_memory=one) for one in (True, False))
    np.testing.assert_array_equal(np.asarray(stored.test.inputs), held.test.inputs)


def test_a_broken_image_is_named_and_leaves_no_file_behind(tmp_path, cache):
    write_images(tmp_path / "photos", 20)
    broken = tmp_path / "photos" / "class1" / "000004.png"
    broken.write_bytes(broken.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"000004\.png"):
        kexp.data.load(tmp_path / "photos", in_memory=False)
    assert not [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]


def test_only_what_can_be_read_from_disk_may_be_asked_for(tmp_path):
    with pytest.raises(InputError, match="in_memory=False: only class folders of images and Parquet files"):
        kexp.data.load("digits", in_memory=False)
    with pytest.raises(InputError, match="in_memory='no': expected True, False or None"):
        kexp.data.load("digits", in_memory="no")


def test_no_room_on_the_disk_is_said_before_anything_is_decoded(photos, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match=r"300 images .* GB free; free some space, or set KEXP_CACHE_DIR"):
        kexp.data.load(photos, in_memory=False)
