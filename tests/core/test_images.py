"""Images beside and below one another, and PNG files that are whole."""

import numpy as np
import pytest
from PIL import Image

from kexp.core.errors import InputError
from kexp.core.images import grid, save_png, to_uint8

GREY = np.arange(5, dtype="uint8").reshape(5, 1, 1, 1) * 50 * np.ones((1, 30, 40, 1), "uint8")


def test_images_stand_in_the_order_of_reading_with_a_pixel_between_them():
    whole = grid(GREY, 3)
    assert whole.shape == (61, 122, 3)
    for index in range(5):
        top, left = index // 3 * 31, index % 3 * 41
        assert (whole[top : top + 30, left : left + 40] == 50 * index).all()
    gap = whole[30, 0]
    assert (whole[30] == gap).all()
    assert (whole[:, 40] == gap).all()
    assert (whole[31:, 82:] == gap).all()  # where a sixth image would be


def test_tiny_images_are_enlarged_by_a_whole_number():
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 12, 3), dtype="uint8")
    whole = grid(image, 1)
    assert whole.shape == (32, 48, 3)
    np.testing.assert_array_equal(whole[::4, ::4], image[0])
    np.testing.assert_array_equal(whole[3::4, 3::4], image[0])
    assert grid(image, 1, least=60).shape == (64, 96, 3)


def test_colours_are_kept_and_what_lies_behind_them_is_left_out():
    image = np.zeros((1, 28, 28, 4), "uint8")
    image[..., 0], image[..., 3] = 200, 7
    assert grid(image, 1)[0, 0].tolist() == [200, 0, 0]


@pytest.mark.parametrize("images", [GREY[0], GREY.astype("float32"), GREY[:0]])
def test_what_is_no_images_is_refused(images):
    with pytest.raises(InputError, match="images must be uint8 of shape"):
        grid(images, 2)


def test_no_columns_are_refused():
    with pytest.raises(InputError, match="columns must be 1 or more; received 0"):
        grid(GREY, 0)


def test_numbers_become_the_nearest_shades():
    assert to_uint8(np.array([[-1.0, 0.499 / 255, 0.501 / 255, 2.0]])).tolist() == [[0, 0, 1, 255]]


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    save_png(path, grid(GREY, 3))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), grid(GREY, 3))
    before = path.read_bytes()

    def broken(pixels):
        raise OSError("disk full")

    monkeypatch.setattr("kexp.core.images.png", broken)
    with pytest.raises(OSError, match="disk full"):
        save_png(path, grid(GREY, 2))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["grid.png"]
