import gzip

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.sources.array_files import read_idx


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def idx_folder(tmp_path, arrays):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for part, axis in (("train", "train"), ("t10k", "test")):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(arrays[f"x_{axis}"]))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(arrays[f"y_{axis}"])))
    return folder


def test_an_npz_file_is_read_as_it_was_written(tmp_path, arrays):
    np.savez_compressed(tmp_path / "tiny.npz", **arrays)
    data = load(tmp_path / "tiny.npz", validation=0)
    assert data.name == "tiny"
    np.testing.assert_array_equal(data.train.inputs[..., 0], arrays["x_train"])
    np.testing.assert_array_equal(data.test.targets, arrays["y_test"])


def test_an_npz_file_without_a_test_part_is_split(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", x_train=arrays["x_train"], y_train=arrays["y_train"])
    assert len(load(tmp_path / "a.npz").test) == 8


def test_an_npz_file_may_name_its_classes(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays, class_names=np.array(["a", "b", "c", "d"]))
    assert load(tmp_path / "a.npz").spec.class_names == ("a", "b", "c", "d")


def test_python_objects_in_an_npz_file_are_never_unpickled(tmp_path, arrays):
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return (touched.touch, ())

    np.savez(tmp_path / "evil.npz", x_train=np.array([Evil()], object), y_train=[0])
    with pytest.raises(InputError, match="x_train holds Python objects, which are never unpickled"):
        load(tmp_path / "evil.npz")
    assert not touched.exists()


def test_an_npz_file_that_lacks_a_key_names_it_and_the_file(tmp_path, arrays):
    np.savez(tmp_path / "half.npz", x_train=arrays["x_train"])
    with pytest.raises(InputError, match=r"'half'.*received x_train; add or rename y_train"):
        load(tmp_path / "half.npz")


def test_a_damaged_npz_file_is_named(tmp_path, arrays):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    for content in (path.read_bytes()[:300], b"", b"hello", path.read_bytes()[:400] + bytes(9)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"bad.npz.* cannot be read as an "):
            load(path)


def test_a_flipped_bit_in_an_npz_file_is_noticed(tmp_path, arrays):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    content = bytearray(path.read_bytes())
    content[700] ^= 1  # among the pixels
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad.npz"):
        load(path)


def test_a_single_array_called_npz_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "a.npy").rename(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"received one .npy array"):
        load(tmp_path / "a.npz")


def test_a_folder_of_idx_files_is_read_compressed_or_not(idx_folder, arrays):
    data = load(idx_folder, validation=0)
    assert (data.name, data.spec.kind) == ("tiny", "image")
    np.testing.assert_array_equal(data.train.inputs[..., 0], arrays["x_train"])
    np.testing.assert_array_equal(data.test.targets, arrays["y_test"])


def test_a_missing_idx_file_is_named(idx_folder):
    (idx_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="no test-labels-idx"):
        load(idx_folder)


def test_a_truncated_idx_file_is_named_with_its_sizes(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte: expected 1216 bytes.*received 1215"):
        load(idx_folder)


def test_a_truncated_gzip_file_is_named(idx_folder):
    path = idx_folder / "train-labels-idx1-ubyte.gz"
    for content in (path.read_bytes()[:-10], b"hello"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"train-labels-idx1-ubyte.gz: cannot be read as an IDX file"):
            load(idx_folder)


@pytest.mark.parametrize("magic", [b"", b"\0", b"PK\x03\x04", b"\0\0\x07\x01", b"\0\0\x08\0"])
def test_a_wrong_magic_number_is_shown(tmp_path, magic):
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(magic + bytes(8) if len(magic) == 4 else magic)
    with pytest.raises(InputError, match=f"received {magic.hex(' ') or 'no bytes'}"):
        read_idx(tmp_path / "train-labels-idx1-ubyte")


def test_idx_values_of_several_bytes_come_in_the_order_of_the_machine(tmp_path):
    values = np.array([1, -2, 70000], np.int32)
    path = tmp_path / "values"
    path.write_bytes(bytes([0, 0, 0x0C, 1, 0, 0, 0, 3]) + values.astype(">i4").tobytes())
    np.testing.assert_array_equal(read_idx(path), values)
    assert read_idx(path).dtype == np.int32


def test_mnist_is_sixty_thousand_and_ten_thousand_digits(real_data):
    data = load("mnist")
    assert (len(data.train) + len(data.validation), len(data.test)) == (60000, 10000)
    assert data.spec.class_names == tuple("0123456789")
    assert data.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert round(float(data.test.inputs.mean()), 2) == 33.79


def test_japanese_vowels_are_series(real_data):
    data = load("japanese_vowels")
    assert (data.spec.kind, data.spec.input_shape, data.spec.dtype) == ("series", (29, 12), "float32")
    assert (len(data.train) + len(data.validation), len(data.test), data.spec.outputs) == (270, 370, 9)
