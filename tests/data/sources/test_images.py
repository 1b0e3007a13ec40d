import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kexp
from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.adapters import read_inputs
from kexp.data.sources.image_folder import read_images


def write(path, array, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(array, np.uint8))
    (image.convert(mode) if mode else image).save(path, **options)


DEEP = np.array([[0, 128, 129, 257, 386, 65_535]] * 4, np.uint16)  # 129 and 386 tell rounding from cutting


def save_deep(path, values):
    """Write (height, width[, 3]) uint16 whole, as Pillow can with grey alone."""
    if values.ndim == 2:
        Image.fromarray(values).save(path)
    else:
        path.write_bytes(tf.io.encode_png(values).numpy())


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


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "dev", "Val", "VALID"])
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


def write_parts(folder, *parts):
    for part in parts:
        for label, shade in (("dark", 10), ("light", 200)):
            for number in range(4):
                write(folder / part / label / f"{number}.png", np.full((4, 6), shade + number))


def test_folders_called_training_and_testing_are_parts(tmp_path):
    write_parts(tmp_path / "x", "Training", "Testing")
    data = load(tmp_path / "x", validation=0)
    assert (len(data.train), data.validation, len(data.test)) == (8, None, 8)


def test_two_folders_of_one_part_are_refused(tmp_path):
    write_parts(tmp_path, "train", "val", "valid")
    with pytest.raises(InputError, match="validation part, received 'val', 'valid'; keep one"):
        load(tmp_path)


@pytest.mark.parametrize("other", ["holdout", "extra"])
def test_a_folder_beside_train_that_is_no_part_is_refused_with_its_images(tmp_path, other):
    write_parts(tmp_path, "train", "test", other)
    with pytest.raises(InputError, match=f"received '{other}' with 8 images beside 'test', 'train'; rename"):
        load(tmp_path)


def test_a_folder_beside_train_without_images_is_left_out_and_said(tmp_path):
    write_parts(tmp_path / "x", "train", "test")
    (tmp_path / "x" / "labels").mkdir()
    for number in range(3):
        (tmp_path / "x" / "labels" / f"{number}.xml").write_text("<a/>")
    (tmp_path / "x" / "drafts").mkdir()
    write(tmp_path / "x" / "cover.png", np.zeros((9, 9)))
    assert load(tmp_path / "x").notes == (
        "image folder x: left out are .xml: 3, empty folders: 1, images outside the class folders: 1.",
    )


def test_parts_without_a_training_part_are_refused(tmp_path):
    write_parts(tmp_path, "test", "valid")
    with pytest.raises(InputError, match="expected a folder train beside 'test', 'valid'"):
        load(tmp_path)


def test_images_of_a_class_further_down_are_refused_with_their_number(folder):
    write(folder / "cat" / "siamese" / "0.png", np.zeros((4, 6)))
    write(folder / "cat" / "persian" / "old" / "0.png", np.zeros((4, 6)))
    message = r"pets: .* received 2 images further down, such as in cat/persian; move them up"
    with pytest.raises(InputError, match=message):
        load(folder)


def test_class_folders_in_a_folder_of_their_own_are_found_and_said(folder, tmp_path):
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "__MACOSX").mkdir()
    folder.rename(tmp_path / "outer" / "pets")
    data = load(tmp_path / "outer", validation=0, test=0)
    assert data.spec.class_names == ("cat", "dog")
    assert data.notes == (
        f"image folder outer: the images are those in {tmp_path / 'outer' / 'pets'}.",
        "image folder outer: left out are hidden: 1.",
    )


def test_a_class_of_files_that_are_no_images_is_named_with_their_number(folder):
    (folder / "bird").mkdir()
    for number in range(2):
        (folder / "bird" / f"{number}.heic").write_bytes(b"x")
    with pytest.raises(InputError, match=r"bird: expected at least one image .* other kinds \(\.heic: 2\)"):
        load(folder)


def test_the_content_alone_makes_the_fingerprint(folder):
    whole = load(folder).fingerprint
    (folder / "cat" / "README.txt").write_text("hello")
    assert load(folder).notes
    assert load(folder).fingerprint == whole


def test_train_is_a_class_among_vehicles(folder):
    (folder / "cat").rename(folder / "train")
    assert load(folder).spec.class_names == ("dog", "train")


def test_class_folders_that_are_numbers_are_sorted_as_numbers(folder):
    (folder / "cat").rename(folder / "10")
    (folder / "dog").rename(folder / "9")
    assert load(folder).spec.class_names == ("9", "10")


def test_the_size_proposed_is_the_median_of_all_images(folder):
    for number, height in enumerate([10, 12, 14, 30, 30, 30, 30, 30, 30, 30, 30, 30]):
        write(folder / "dog" / f"tall{number}.png", np.zeros((height, 7)))
    with pytest.raises(InputError, match=r"image_size=\(11, 7\).*--image-size 11 7\."):
        load(folder)


def test_what_systems_leave_behind_is_not_an_image(folder):
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "cat" / "._0.png").write_bytes(b"x")
    (folder / "cat" / "README.txt").write_text("hello")
    (folder / "__MACOSX").mkdir()
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("hello")
    data = load(folder, validation=0, test=0)
    assert data.train.inputs.shape == (10, 4, 6, 1)
    assert data.notes == ("image folder pets: left out are .md: 1, .txt: 1, hidden: 4.",)


def test_a_corrupt_png_is_named(folder):
    path = folder / "dog" / "3.png"
    for content in (path.read_bytes()[:40], b"", b"no image", path.read_bytes()[:-20], flipped(path)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"dog/3.png: cannot be read as an image \(.*\); replace"):
            load(folder)


def test_images_of_two_sizes_are_both_named_with_the_remedy(folder):
    write(folder / "dog" / "9.png", np.zeros((5, 6)))
    message = r"dog/9.png has size \(5, 6\) and .*cat/0.png has \(4, 6\).*image_size=\(4, 6\).*-size 4 6\."
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
    images, _ = read_images([tmp_path / "a.png", tmp_path / "b.gif"])
    assert images.shape == (2, 4, 6, 3)
    assert (images == [255, 0, 0]).all()


def test_a_photograph_stands_as_it_was_taken(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    write(tmp_path / "a.jpg", np.zeros((4, 6, 3)), exif=exif)
    assert read_images([tmp_path / "a.jpg"])[0].shape == (1, 6, 4, 3)


@pytest.mark.parametrize("kind", ["grey.png", "grey.tif", "colour.png"])
def test_sixteen_bits_per_channel_are_scaled_to_eight_and_said(folder, kind):
    values = DEEP if kind.startswith("grey") else np.stack([DEEP, DEEP[::-1], DEEP // 2], axis=-1)
    save_deep(folder / "cat" / f"9{kind[-4:]}", values)
    data = load(folder, validation=0, test=0)
    assert data.train.inputs[5].tolist() == np.round(values.reshape(4, 6, -1) / 257).tolist()
    assert data.notes == (
        "images of 16 bits per channel, 1 of them, are scaled to 8 bits, value / 257 rounded; their largest "
        "value is 65,535 of 65,535.",
    )


def test_an_image_of_sixteen_bits_is_predicted_from_as_it_was_trained_on(tmp_path):
    spec = kexp.data.DatasetSpec("image", (4, 6, 3), "uint8", "classification", 2)
    save_deep(tmp_path / "deep.png", np.stack([DEEP] * 3, axis=-1))
    assert read_inputs(tmp_path / "deep.png", spec)[0, ..., 1].tolist() == np.round(DEEP / 257).tolist()


def test_numbers_of_thirty_two_bits_are_refused_rather_than_cut(tmp_path):
    Image.fromarray(np.full((4, 6), 60000, np.int32)).save(tmp_path / "deep.tif")
    with pytest.raises(InputError, match=r"deep.tif: expected 8 or 16 bits"):
        read_images([tmp_path / "deep.tif"])


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
