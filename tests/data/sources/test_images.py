import numpy as np
import pytest
from PIL import Image

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.sources.image_folder import read_images


def write(path, array, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(array, np.uint8))
    (image.convert(mode) if mode else image).save(path, **options)


def flipped(path):
    """The bytes of a file with one bit of its last fifth turned over."""
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    return bytes(content)


@pytest.fixture
def folder(tmp_path):
    """Five grey images for each of two classes; the first pixel of each is its number."""
    for label, first in (("cat", 0), ("dog", 100)):
        for number in range(5):
            write(tmp_path / "pets" / label / f"{number}.png", np.full((4, 6), first + number))
    return tmp_path / "pets"


def test_a_folder_of_class_folders_is_a_data_set(folder):
    data = load(folder, validation=0, test=0)
    assert (data.name, data.spec.kind, data.spec.input_shape) == ("pets", "image", (4, 6, 1))
    assert data.spec.class_names == ("cat", "dog")
    assert data.train.inputs[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]
    assert data.train.targets.tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_train_validation_and_test_folders_are_the_parts(folder, tmp_path, validation):
    for part in ("train", validation, "test"):
        for label in ("cat", "dog"):
            for number in range(2):
                write(
                    tmp_path / "parts" / part / label / f"{number}.png", np.full((4, 6), len(part) + number)
                )
    data = load(tmp_path / "parts")
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 4, 4)
    assert data.test.inputs[:, 0, 0, 0].tolist() == [4, 5, 4, 5]
    assert len(load(tmp_path / "parts", validation=0).train) == 8


def test_train_is_a_class_among_vehicles(folder):
    (folder / "cat").rename(folder / "train")
    assert load(folder).spec.class_names == ("dog", "train")


def test_class_folders_that_are_numbers_are_sorted_as_numbers(folder):
    (folder / "cat").rename(folder / "10")
    (folder / "dog").rename(folder / "9")
    assert load(folder).spec.class_names == ("9", "10")


def test_what_systems_leave_behind_is_not_an_image(folder):
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "cat" / "._0.png").write_bytes(b"x")
    (folder / "cat" / "README.txt").write_text("hello")
    (folder / "__MACOSX").mkdir()
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("hello")
    assert load(folder, validation=0, test=0).train.inputs.shape == (10, 4, 6, 1)


def test_a_corrupt_png_is_named(folder):
    path = folder / "dog" / "3.png"
    for content in (path.read_bytes()[:40], b"", b"no image", path.read_bytes()[:-20], flipped(path)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"dog/3.png: cannot be read as an image \(.*\); replace"):
            load(folder)


def test_images_of_two_sizes_are_both_named_with_the_remedy(folder):
    write(folder / "dog" / "9.png", np.zeros((5, 6)))
    message = r"dog/9.png has size \(5, 6\) and .*cat/0.png has \(4, 6\).*image_size=\(height, width\)"
    with pytest.raises(InputError, match=message):
        load(folder)


def test_image_size_brings_all_images_to_one_size(folder):
    write(folder / "dog" / "9.png", np.full((5, 7), 9))
    data = load(folder, image_size=(3, 2), validation=0, test=0)
    assert data.spec.input_shape == (3, 2, 1)
    assert (data.train.inputs[-1] == 9).all()


def test_image_size_resizes_arrays_too_and_keeps_what_fits():
    data = load("digits", image_size=(16, 12))
    assert data.spec.input_shape == (16, 12, 1)
    assert load("digits", image_size=(8, 8)).fingerprint == load("digits").fingerprint != data.fingerprint


def test_one_coloured_image_makes_all_of_them_coloured(folder):
    write(folder / "cat" / "9.jpg", np.full((4, 6, 3), 50))
    data = load(folder, validation=0, test=0)
    assert data.spec.input_shape == (4, 6, 3)
    assert (data.train.inputs[1] == 1).all()  # a grey image: its value in each channel


def test_transparency_is_dropped_and_palettes_are_resolved(tmp_path):
    colour = np.zeros((4, 6, 4))
    colour[..., 0], colour[..., 3] = 255, 7
    write(tmp_path / "a.png", colour)
    write(tmp_path / "b.gif", colour[..., :3], "P")
    images = read_images([tmp_path / "a.png", tmp_path / "b.gif"])
    assert images.shape == (2, 4, 6, 3)
    assert (images == [255, 0, 0]).all()


def test_a_photograph_stands_as_it_was_taken(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    write(tmp_path / "a.jpg", np.zeros((4, 6, 3)), exif=exif)
    assert read_images([tmp_path / "a.jpg"]).shape == (1, 6, 4, 3)


def test_sixteen_bits_per_channel_are_refused_rather_than_cut(tmp_path):
    Image.fromarray(np.full((4, 6), 60000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match=r"deep.png: expected 8 bits"):
        read_images([tmp_path / "deep.png"])


def test_an_empty_class_folder_is_named(folder):
    (folder / "bird").mkdir()
    with pytest.raises(InputError, match=r"image folder .*bird: expected at least one image"):
        load(folder)


def test_a_test_folder_with_another_class_is_refused(folder, tmp_path):
    folder.rename(tmp_path / "train")
    write(tmp_path / "test" / "bird" / "0.png", np.zeros((4, 6)))
    with pytest.raises(InputError, match="test part has the label 'bird'"):
        load(tmp_path)


def test_a_single_class_folder_is_refused(folder):
    for path in (folder / "dog").iterdir():
        path.unlink()
    (folder / "dog").rmdir()
    with pytest.raises(InputError, match="every label is 'cat'"):
        load(folder)


def test_images_without_class_folders_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match="expected class folders with images in them"):
        load(folder / "cat")
    (folder / "cat").rename(tmp_path / "train")
    with pytest.raises(InputError, match="expected class folders with images in them"):
        load(tmp_path / "train")
