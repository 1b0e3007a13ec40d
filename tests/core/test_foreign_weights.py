"""Weights from elsewhere are read without trust: nothing of a file is called, and false sizes are refused."""

import io
import json
import os
import pickle
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.core.hdf5_file import require_own_hdf5
from kexp.core.keras_file import read_keras_file
from kexp.core.safetensors_file import read_safetensors
from kexp.core.torch_checkpoint import read_torch_checkpoint

ADVICE = "save it again"
LONGEST_WORDS = 60
NUMBERS = np.arange(6, dtype=np.float32)
CONTENT = NUMBERS.tobytes()


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(value):
    content = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def row(*parts):
    return b"(" + b"".join(parts) + b"t"


def tensor(key="0", kind="FloatStorage", count=6, offset=0, shape=(2, 3), strides=(3, 1), view=b"N"):
    storage = (
        row(text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), whole(count), view) + b"Q"
    )
    sizes = row(*map(whole, shape)), row(*map(whole, strides))
    arguments = row(storage, whole(offset), *sizes, b"\x89", b"ccollections\nOrderedDict\n)R")
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def checkpoint(**tensors):
    return (
        b"\x80\x02ccollections\nOrderedDict\n)R("
        + b"".join(text(name) + one for name, one in tensors.items())
        + b"u."
    )


def archive(path, described, storages=(("0", CONTENT),), **members):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", described)
        for key, content in storages:
            file.writestr(f"model/data/{key}", content)
        for name, content in members.items():
            file.writestr(f"model/{name}", content)
    return path


def pickles(path, described, storages=(("0", CONTENT),), count=6):
    keys = pickle.dumps([key for key, _ in storages], 2)
    start = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    content = b"".join(pickle.dumps(one, 2) for one in start) + described + keys
    for _, numbers in storages:
        content += struct.pack("<q", count) + numbers
    path.write_bytes(content)
    return path


FORMATS = pytest.mark.parametrize("write", [archive, pickles], ids=["zip", "legacy"])


def refused(read, path):
    """Return the one sentence that a file is refused with."""
    with pytest.raises(InputError) as caught:
        read(path, ADVICE)
    message = str(caught.value)
    assert message.startswith(f"file {path}")
    assert message.endswith(f"{ADVICE}.")
    assert "\n" not in message
    assert len(message.replace(str(path), "path").split()) <= LONGEST_WORDS
    return message


@FORMATS
def test_tensors_are_read_by_name_also_views_of_one_storage(write, tmp_path):
    described = checkpoint(
        plain=tensor(),
        turned=tensor(shape=(3, 2), strides=(1, 3)),
        part=tensor(offset=4, shape=(2,), strides=(1,)),
    )
    found = read_torch_checkpoint(write(tmp_path / "a.pth", described), ADVICE)
    plain = NUMBERS.reshape(2, 3)
    assert list(found) == ["plain", "turned", "part"]
    for name, expected in {"plain": plain, "turned": plain.T, "part": NUMBERS[4:]}.items():
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        ("HalfStorage", np.float16([1.5, -2]), np.float16([1.5, -2])),
        ("LongStorage", np.int64([2**40, -1]), np.int64([2**40, -1])),
        ("BFloat16Storage", np.uint16([0x3F80, 0xC040]), np.float32([1, -3])),
    ],
)
def test_types_of_numbers_are_those_of_the_storages(kind, numbers, expected, tmp_path):
    described = checkpoint(a=tensor(kind=kind, count=2, shape=(2,), strides=(1,)))
    found = read_torch_checkpoint(archive(tmp_path / "a.pth", described, [("0", numbers.tobytes())]), ADVICE)
    np.testing.assert_array_equal(found["a"], expected)
    assert found["a"].dtype == expected.dtype


def test_a_state_dict_among_other_things_is_what_is_read(tmp_path):
    inner = checkpoint(a=tensor())[2:-1]
    described = b"\x80\x02}(" + text("epoch") + whole(3) + text("state_dict") + inner + b"u."
    assert list(read_torch_checkpoint(archive(tmp_path / "a.pth", described), ADVICE)) == ["a"]


class Attack:
    """Something that runs a line when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@FORMATS
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", ["system", "eval", "exec", "in a dictionary"])
def test_nothing_that_a_pickle_asks_for_is_called(write, protocol, kind, tmp_path):
    sentinel = tmp_path / "called"
    line = f"__import__('pathlib').Path({str(sentinel)!r}).touch()"
    attack = {
        "system": Attack(os.system, f"touch {sentinel}"),
        "eval": Attack(eval, line),
        "exec": Attack(exec, line),
        "in a dictionary": {"weights": Attack(os.system, f"touch {sentinel}")},
    }[kind]
    described = pickle.dumps(attack, protocol)
    message = refused(read_torch_checkpoint, write(tmp_path / "a.pth", described))
    assert "nothing but tensors is read" in message
    assert not sentinel.exists()
    pickle.loads(described)
    assert sentinel.exists()  # else it was no attack


def test_the_first_pickle_of_the_old_format_is_not_trusted_either(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps(Attack(os.system, f"touch {tmp_path / 'called'}"), 2))
    assert "system" in refused(read_torch_checkpoint, path)
    assert not (tmp_path / "called").exists()


@FORMATS
@pytest.mark.parametrize(
    ("described", "said"),
    [
        (tensor(offset=1), "do not hold it"),
        (tensor(shape=(2, 4), strides=(4, 1)), "do not hold it"),
        (tensor(shape=(2**40, 2**40), strides=(0, 0)), "do not hold it"),
        (tensor(shape=(2, 3), strides=(-1, 1)), "do not fit together"),
        (tensor(count=-6), "unknown form"),
        (tensor(kind="UntypedStorage"), "UntypedStorage"),
        (tensor(view=whole(3)), "unknown form"),
        (whole(3), "received a int"),
        (b"h\x07", "do not fit together"),
        (b"0000", "operation POP"),
        (b"(l", "operation LIST"),
    ],
)
def test_tensors_that_cannot_be_are_refused(write, described, said, tmp_path):
    assert said in refused(read_torch_checkpoint, write(tmp_path / "a.pth", checkpoint(a=described)))


@FORMATS
def test_a_storage_that_claims_more_than_there_is_is_refused(write, tmp_path):
    described = checkpoint(a=tensor(count=2**50, shape=(2**50,), strides=(1,)))
    path = write(tmp_path / "a.pth", described)
    with pytest.raises(InputError, match=r"in memory|bytes of the storage"):
        read_torch_checkpoint(path, ADVICE)


def test_a_storage_that_is_cut_is_refused_in_both_formats(tmp_path):
    described = checkpoint(a=tensor())
    assert "has 23" in refused(read_torch_checkpoint, archive(tmp_path / "a", described, [("0", bytes(23))]))
    assert "has 0" in refused(
        read_torch_checkpoint, archive(tmp_path / "b", described, [("../0", bytes(24))])
    )
    assert "has 23" in refused(read_torch_checkpoint, pickles(tmp_path / "c", described, [("0", bytes(23))]))
    assert "lacks 1 of 1" in refused(read_torch_checkpoint, pickles(tmp_path / "d", described, []))
    many = pickles(tmp_path / "e", described, count=2**40)
    assert "truncated" in refused(read_torch_checkpoint, many)


def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path):
    for name, content in {
        "empty": b"",
        "text": b"weights",
        "cut": pickle.dumps(0x1950A86A20F9469CFC6C, 2),
    }.items():
        (tmp_path / name).write_bytes(content)
        refused(read_torch_checkpoint, tmp_path / name)
    with zipfile.ZipFile(tmp_path / "zip", "w") as file:
        file.writestr("notes.txt", "none")
    assert "no data.pkl" in refused(read_torch_checkpoint, tmp_path / "zip")
    big = archive(tmp_path / "big", checkpoint(a=tensor()), byteorder=b"big")
    assert "big-endian" in refused(read_torch_checkpoint, big)


def test_tensors_larger_than_the_memory_budget_are_refused_before_they_are_made(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", "3000")
    described = checkpoint(**{f"a{number}": tensor() for number in range(50)})
    path = pickles(tmp_path / "a.pth", described)
    with pytest.raises(InputError, match="in memory"):
        read_torch_checkpoint(path, ADVICE)


def safetensors(path, entries, content=CONTENT, length=None):
    header = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + content)
    return path


def entry(first, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, end]}


def test_safetensors_are_read_by_name(tmp_path):
    path = safetensors(
        tmp_path / "a",
        {"__metadata__": {"by": "me"}, "b": entry(8, 24, [4, 1]), "a": entry(0, 8, [4], "I16")},
    )
    found = read_safetensors(path, ADVICE)
    np.testing.assert_array_equal(found["b"], NUMBERS[2:, None])
    np.testing.assert_array_equal(found["a"], NUMBERS[:2].view(np.int16))
    assert list(found) == ["b", "a"]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"a": entry(0, 24, [7])}, "not those of its shape"),
        ({"a": entry(0, 48, [12])}, "announces 48 bytes"),
        ({"a": entry(0, 16, [4])}, "announces 16 bytes"),
        ({"a": entry(0, 16, [4]), "b": entry(8, 24, [4])}, "ends at 16"),
        ({"a": entry(0, 8, [2]), "b": entry(16, 24, [2])}, "ends at 8"),
        ({"a": entry(24, 0, [6])}, "not those of its shape"),
        ({"a": entry(-8, 16, [6])}, "data_offsets must be"),
        ({"a": entry(0, 24, [-2, -3])}, "shape must be"),
        ({"a": entry(0, 24, [6], "F8_E4M3")}, "F8_E4M3"),
        ({"a": [0, 24]}, "must hold a JSON object"),
        ({"a": {"dtype": "F32", "shape": [6]}}, "lacks the key data_offsets"),
        (b"[" * 100_000, "nested too deep"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_a_false_header_of_safetensors_is_refused(entries, said, tmp_path):
    assert said in refused(read_safetensors, safetensors(tmp_path / "a", entries))


@pytest.mark.parametrize("length", [0, 1, 10_000, 2**40, 2**64 - 1])
def test_a_header_beyond_the_file_is_refused(length, tmp_path):
    path = safetensors(tmp_path / "a", {"a": entry(0, 24, [6])}, length=length)
    assert f"a header of {length} bytes" in refused(read_safetensors, path)


def other_file(tmp_path):
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = NUMBERS
    (tmp_path / "secret.bin").write_bytes(CONTENT)
    return path


def external_link(file, other):
    file["layers/a"] = h5py.ExternalLink(other, "/numbers")


def symbolic_link(file, other):
    file["layers/a"] = h5py.SoftLink("/elsewhere")


def external_dataset(file, other):
    numbers = str(other.with_suffix(".bin"))
    file.create_dataset("layers/a", (6,), "f4", external=[(numbers, 0, NUMBERS.nbytes)])


def virtual_dataset(file, other):
    layout = h5py.VirtualLayout((6,), "f4")
    layout[:] = h5py.VirtualSource(str(other), "numbers", (6,))
    file.create_virtual_dataset("layers/a", layout)


def too_large(file, other):
    file.create_dataset("layers/a", (2**50,), "f4", chunks=(1024,))


ELSEWHERE = pytest.mark.parametrize(
    ("add", "said"),
    [
        (external_link, "an external link"),
        (symbolic_link, "a symbolic link"),
        (external_dataset, "a dataset in another file"),
        (virtual_dataset, "a dataset made of others"),
        (too_large, "in memory"),
    ],
)


@ELSEWHERE
def test_hdf5_weights_that_are_elsewhere_are_refused(add, said, tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        add(file, other_file(tmp_path))
    with pytest.raises(InputError, match=said) as caught:
        require_own_hdf5(path, ADVICE)
    assert len(str(caught.value).split()) <= LONGEST_WORDS


def test_hdf5_weights_of_keras_are_let_through_and_a_circle_of_links_ends(tmp_path):
    path = tmp_path / "a.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/again"] = file["/"]
    require_own_hdf5(path, ADVICE)
    path.write_bytes(path.read_bytes()[:100])
    assert "cannot be read as an HDF5 file" in refused(require_own_hdf5, path)


@ELSEWHERE
def test_a_keras_file_with_weights_that_are_elsewhere_is_refused(add, said, tmp_path):
    path, changed = tmp_path / "a.keras", tmp_path / "b.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(path)
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        add(file, other_file(tmp_path))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, weights.getvalue() if name.endswith(".h5") else old.read(name))
    assert isinstance(read_keras_file(path, ADVICE), keras.Model)
    with pytest.raises(InputError, match=said):
        read_keras_file(changed, ADVICE)
