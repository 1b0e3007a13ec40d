"""Damaged and odd files and folders of data: each is one sentence that names the file, in no time."""

import gzip
import io
import os
import random
import socket
import struct
import time
import zipfile
import zlib

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from PIL import Image

from kexp.data import Column, DatasetSpec, load, passages, text_parts, windows
from kexp.data.adapters import read_inputs
from tests.campaign.damages import (
    a_circular_link,
    a_folder,
    a_pipe,
    changed,
    flip_in_the_middle,
    refused,
    replaced_by,
)

N = 24
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (N, 5, 4), np.uint8), np.arange(N) % 2
LIMIT_S = 5.0
GREY = DatasetSpec("image", (5, 4, 1), "uint8", "classification", 2)
ARRAY = DatasetSpec("array", (4,), "float32", "classification", 2)
TEXT = DatasetSpec("text", (), "string", "classification", 2)
TABLE = DatasetSpec(
    "table", (2,), "mixed", "classification", 2, columns=(Column("n", "number"), Column("c", "category"))
)


@pytest.fixture(autouse=True)
def in_time():
    started = time.process_time()
    yield
    assert time.process_time() - started < LIMIT_S


def cases(damages):
    return {"argvalues": damages.values(), "ids": list(damages)}


def npy(array, **header):
    """The bytes of an .npy file, with something else in its header."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    content = stream.getvalue()
    for old, new in header.items():
        content = content.replace(old.encode(), new.encode())
    return content


def headed(text, values=b""):
    """The bytes of an .npy file with a header of one's own."""
    header = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def npz(**members):
    """Return what writes an archive, by name with "__" for a dot, of two sound members and others."""

    def damage(path):
        given = {"x_train__npy": npy(X), "y_train__npy": npy(Y)} | members
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in given.items():
                if content is not None:
                    archive.writestr(name.replace("__", "."), content)

    return damage


def patched(signature, offset, value, size=2):
    """Return what changes a number in every zip header of a kind, at an offset from its signature."""

    def change(content):
        at = content.find(signature)
        while at >= 0:
            place = at + offset
            content = content[:place] + value.to_bytes(size, "little") + content[place + size :]
            at = content.find(signature, at + 4)
        return content

    return changed(change)


def both(*damages):
    def damage(path):
        for each in damages:
            each(path)

    return damage


def twice_the_same(path):
    npz(z_train__npy=npy(Y))(path)
    changed(lambda content: content.replace(b"z_train", b"y_train"))(path)


def a_socket(path):
    path.unlink()
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
PLAIN = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }"
FILE_DAMAGES = {
    "empty": replaced_by(""),
    "three bytes": replaced_by("abc"),
    "zeros": changed(lambda content: bytes(len(content))),
    "cut": changed(lambda content: content[: len(content) // 2]),
    "cut at its end": changed(lambda content: content[:-5]),
    "a folder": a_folder,
    "a pipe": a_pipe,
    "a circular link": a_circular_link,
    "a broken link": lambda path: (path.unlink(), path.symlink_to("gone")),
    "a socket": a_socket,
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
}
NPZ_DAMAGES = {
    "a flipped bit": changed(flip_in_the_middle),
    "encrypted": both(patched(CENTRAL, 8, 1), patched(LOCAL, 6, 1)),
    "an unknown method": both(patched(CENTRAL, 10, 99), patched(LOCAL, 8, 99)),
    "LZMA that is none": both(patched(CENTRAL, 10, 14), patched(LOCAL, 8, 14)),
    "a far version": patched(CENTRAL, 6, 255),
    "an announced terabyte": patched(CENTRAL, 24, 0xFFFFFFFE, 4),
    "a wrong checksum": patched(CENTRAL, 16, 7, 4),
    "an offset beyond its end": patched(CENTRAL, 42, 0x7FFFFFF0, 4),
    "a member that is there twice": twice_the_same,
    "one .npy array": replaced_by(npy(X)),
    "a name without .npy": npz(x_train__npy=None, x_train=b"bytes"),
    "a member that is no array": npz(y_train__npy=b"bytes"),
    "an empty member": npz(y_train__npy=b""),
    "a header that is code": npz(y_train__npy=headed("__import__('os').abort()")),
    "a header that is no dictionary": npz(y_train__npy=headed("[1, 2]")),
    "a header that is cut": npz(y_train__npy=headed("{'descr': '|u1', 'shape'")),
    "a header nested deep": npz(y_train__npy=headed("(" * 5000)),
    "a header of another key": npz(y_train__npy=headed(PLAIN % "(2,)" + "{'a': 1}")),
    "a shape beyond its bytes": npz(y_train__npy=headed(PLAIN % "(1000000000000,)", b"12")),
    "a shape below its bytes": npz(y_train__npy=headed(PLAIN % "(1,)", b"12")),
    "a negative shape": npz(y_train__npy=headed(PLAIN % "(-2,)", b"12")),
    "a shape of 4000 digits": npz(y_train__npy=headed(PLAIN % f"({'9' * 4000},)", b"12")),
    "a shape of text": npz(y_train__npy=headed(PLAIN % "('2',)", b"12")),
    "a type that is none": npz(y_train__npy=npy(Y).replace(b"<i8", b"<q9")),
    "a type of a gigabyte each": npz(y_train__npy=npy(Y).replace(b"'<i8', ", b"'<U9" + b"9" * 9 + b"',")),
    "fields": npz(y_train__npy=npy(np.zeros(N, [("a", "i4")]))),
    "Python objects": npz(y_train__npy=npy(np.array([None] * N))),
    "a version of the format to come": npz(y_train__npy=npy(Y).replace(b"NUMPY\x01", b"NUMPY\x09")),
    "dates": npz(y_train__npy=npy(np.zeros(N, "M8[D]"))),
    "complex numbers": npz(y_train__npy=npy(np.zeros(N, complex))),
    "bytes as labels": npz(y_train__npy=npy(np.array([b"a", b"b"] * (N // 2)))),
    "class names that are bytes": npz(class_names__npy=npy(np.array([b"a", b"b"]))),
    "class names of characters that are none": npz(
        class_names__npy=npy(np.frombuffer(b"\xff\xff\xff\xffb\0\0\0", "<U1"))
    ),
    "labels of characters that are none": npz(y_train__npy=npy(np.frombuffer(b"\0\0\x12\0" * N, ">U1"))),
    "class names twice": npz(class_names__npy=npy(np.array(["a", "a"]))),
    "too few class names": npz(class_names__npy=npy(np.array(["a"]))),
    "class names of two axes": npz(class_names__npy=npy(np.array([["a", "b"]]))),
}


@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | NPZ_DAMAGES))
def test_an_npz_file_that_cannot_be_used_is_named(tmp_path, damage):
    path = tmp_path / "tiny.npz"
    np.savez_compressed(path, x_train=X, y_train=Y)
    damage(path)
    with refused("tiny"):
        load(path)


NPY_DAMAGES = {
    "an archive": npz(),
    "Python objects": replaced_by(npy(np.array([{}]))),
    "fields": replaced_by(npy(np.zeros(4, [("a", "f4")]))),
    "text": replaced_by(npy(np.array(["a", "b"]))),
    "a shape beyond its bytes": replaced_by(headed(PLAIN % "(4, 9999999999)", b"1234")),
    "a shape of a product of 8000 digits": replaced_by(headed(PLAIN % f"({'9' * 4000}, {'9' * 4000})", b"1")),
    "no axes": replaced_by(npy(np.array(3.0))),
    "NaN": replaced_by(npy(np.full((2, 4), np.nan))),
    "bytes after its end": changed(lambda content: content + b"more"),
    "another shape": replaced_by(npy(np.zeros((2, 5)))),
    "no samples": replaced_by(npy(np.zeros((0, 4)))),
}


@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | NPY_DAMAGES))
def test_an_npy_file_that_cannot_be_used_is_named(tmp_path, damage):
    path = tmp_path / "inputs.npy"
    np.save(path, np.zeros((3, 4), np.float32))
    damage(path)
    with refused("inputs.npy"):
        read_inputs(path, ARRAY)


def idx(code, *sizes, values=b""):
    return bytes([0, 0, code, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes) + values


IDX_DAMAGES = {
    "a type that is none": replaced_by(idx(0x07, 2, values=b"12")),
    "no axes": replaced_by(idx(0x08)),
    "255 axes": replaced_by(b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"1"),
    "an axis without its size": replaced_by(b"\0\0\x08\x02\0\0\0\1"),
    "absurd sizes": replaced_by(idx(0x0E, 2**32 - 1, 2**32 - 1, 2**32 - 1)),
    "a size of 0": replaced_by(idx(0x08, 0)),
    "absurd sizes, one of them 0": replaced_by(idx(0x08, 0, 2**32 - 1, 2**32 - 1)),
    "bytes after its end": changed(lambda content: content + b"1"),
    "another first byte": changed(lambda content: b"\1" + content[1:]),
}


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | IDX_DAMAGES))
def test_an_idx_file_that_cannot_be_used_is_named(tmp_path, damage, ending):
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(0x08, N, values=Y.astype(np.uint8).tobytes()))
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(idx(0x08, *X.shape, values=X.tobytes()))
    damage(path)
    if ending and path.is_file() and not path.is_symlink():
        changed(gzip.compress)(path)
    with refused("train-images-idx3-ubyte"):
        load(path.rename(f"{path}{ending}").parent)


CSV_DAMAGES = {
    "column names only": replaced_by("n,c,y\n"),
    "blank lines": replaced_by("\n\n\n"),
    "rows that are too long": replaced_by("n,c,y\n1,a,0,7\n2,b,1,8\n"),
    "a row of ten million values": replaced_by("n,c,y\n" + "1," * 10**7),
    "a row that is too long": changed(lambda content: content + b"1,a,0,7\n"),
    "a quote without end": changed(lambda content: content + b'1,"a,0\n'),
    "Latin-1": changed(lambda content: content + "1,Zoë,0\n".encode("latin-1")),
    "UTF-16 without a mark": changed(lambda content: content.decode().encode("utf-16")[2:]),
    "a surrogate": changed(lambda content: content + b"1,\xed\xa0\x80,0\n"),
    "a column name twice": changed(lambda content: content.replace(b"n,c", b"c,c")),
    "a column name with NUL": changed(lambda content: content.replace(b"n,c", b"n,\0c")),
    "a value with NUL": changed(lambda content: content + b"1,a\0b,0\n"),
    "a million columns": replaced_by(",".join(f"c{n}" for n in range(10**6)) + ",y\n"),
    "a column name of a megabyte": changed(lambda content: content.replace(b"n,", b"n" * 10**6 + b",")),
    "a header of 20 megabytes": replaced_by("a," * 10**7),
    "a number of 500 digits": changed(lambda content: content + b"1" * 500 + b",a,0\n"),
    "a negative number of 500 digits": changed(lambda content: content + b"-" + b"1" * 500 + b",a,0\n"),
    "an infinite number": changed(lambda content: content + b"1e999,a,0\n"),
    "a number beyond float32": changed(lambda content: content + b"1e300,a,0\n"),
    "a missing target": changed(lambda content: content + b"1,a,\n"),
    "an infinite target": changed(lambda content: content + b"1,a,inf\n"),
    "a target of 500 digits": changed(lambda content: content + b"1,a," + b"7" * 500 + b"\n"),
    "no target": changed(lambda content: content.replace(b"y", b"z", 1)),
    "dates of several formats": changed(
        lambda content: content.replace(b",a,", b",2020-01-01,").replace(b",b,", b",01.02.2020,")
    ),
}
TEXT_DAMAGES = {
    "Latin-1": changed(lambda content: content + "Zoë".encode("latin-1")),
    "white space": replaced_by(" \n\t\n"),
    "NUL": changed(lambda content: content + b"\0"),
    "a surrogate": changed(lambda content: content + b"\xed\xa0\x80"),
}
GZIP_DAMAGES = {
    "a flipped bit": changed(flip_in_the_middle),
    "a wrong checksum": changed(lambda content: content[:-8] + b"1234" + content[-4:]),
    "a wrong size": changed(lambda content: content[:-4] + b"1234"),
    "another method": changed(lambda content: content[:2] + b"\7" + content[3:]),
    "bytes after its end": changed(lambda content: content + b"more"),
    "not compressed": changed(gzip.decompress),
    "cut in its header": changed(lambda content: content[:7]),
}


def as_gzip(damage):
    """Return a damage of what a .gz file holds, or of the file where it is no file afterwards."""

    def of_content(path):
        replaced_by(gzip.decompress(path.read_bytes()))(path)
        damage(path)
        if path.is_file() and not path.is_symlink():
            changed(gzip.compress)(path)

    return of_content


def in_gzip(damages):
    return {f"{name}, compressed": as_gzip(damage) for name, damage in damages.items()}


TABLE_TEXT = "n,c,y\n" + "1,a,0\n2,b,1\n" * (N // 2)


@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | CSV_DAMAGES))
def test_a_csv_file_that_cannot_be_used_is_named(tmp_path, damage):
    path = tmp_path / "tiny.csv"
    path.write_text(TABLE_TEXT)
    damage(path)
    with refused("tiny"):
        load(path, target="y", task="regression")


@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | GZIP_DAMAGES | in_gzip(CSV_DAMAGES)))
def test_a_compressed_csv_file_that_cannot_be_used_is_named(tmp_path, damage):
    path = tmp_path / "tiny.csv.gz"
    path.write_bytes(gzip.compress(TABLE_TEXT.encode()))
    damage(path)
    with refused("tiny"):
        load(path, target="y", task="regression")


@pytest.mark.parametrize("read", [lambda path: passages(path, context=9), text_parts])
@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | GZIP_DAMAGES | in_gzip(TEXT_DAMAGES)))
def test_a_compressed_text_that_cannot_be_used_is_named(tmp_path, damage, read):
    path = tmp_path / "book.txt.gz"
    path.write_bytes(gzip.compress(b"Call me Ishmael. Some years ago\n" * 9))
    damage(path)
    with refused("book.txt.gz"):
        read(path)


PARQUET_DAMAGES = {
    "a footer of zeros": changed(lambda content: content[:-200] + bytes(192) + content[-8:]),
    "text that is no UTF-8": changed(lambda content: content.replace(b"aa", b"\xa2\xa2")),
    "a footer that is too long": changed(lambda content: content[:-8] + b"\xff\xff\xff\x7fPAR1"),
    "the metadata of pandas null": changed(
        lambda content: content.replace(b'"index_columns": [', b'"index_columns":  3')
    ),
    "lists": lambda path: pd.DataFrame({"n": [[1]] * N, "y": Y}).to_parquet(path),
    "objects": lambda path: pd.DataFrame({"n": [{"a": 1}] * N, "y": Y}).to_parquet(path),
    "bytes": lambda path: pd.DataFrame({"n": [b"a"] * N, "y": Y}).to_parquet(path),
    "lengths of time": lambda path: pd.DataFrame({"n": pd.to_timedelta(Y), "y": Y}).to_parquet(path),
    "no rows": lambda path: pd.DataFrame({"n": [], "y": []}).to_parquet(path),
}


@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | PARQUET_DAMAGES))
def test_a_parquet_file_that_cannot_be_used_is_named(tmp_path, damage):
    path = tmp_path / "tiny.parquet"
    texts = ["aa", "b"] * (N // 2)
    pd.DataFrame({"n": np.arange(N) / 7, "c": texts, "y": Y}).to_parquet(path)
    damage(path)
    with refused("tiny"):
        load(path, target="y")


def test_a_flipped_bit_in_a_parquet_file_with_checksums_is_noticed(tmp_path):
    path = tmp_path / "tiny.parquet"
    table = pyarrow.table({"n": np.arange(N) / 7, "y": Y})
    pyarrow.parquet.write_table(table, path, write_page_checksum=True, compression="none")
    changed(lambda content: content.replace(np.float64(3 / 7).tobytes(), np.float64(4 / 7).tobytes()))(path)
    with refused("tiny.parquet", "write it again"):
        load(path, target="y")


@pytest.mark.parametrize("damage", [FILE_DAMAGES["a pipe"], FILE_DAMAGES["a device"], FILE_DAMAGES["cut"]])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.npy", "a.png", "a.txt"])
def test_inputs_to_predict_that_cannot_be_read_are_named(tmp_path, name, damage):
    path = tmp_path / name
    path.write_bytes(random.Random(0).randbytes(200))
    damage(path)
    spec = {"a.npy": ARRAY, "a.png": GREY, "a.txt": TEXT}.get(name, TABLE)
    with refused(name):
        read_inputs(path, spec)


def picture(name, size=(4, 5), mode="L", **options):
    """Return what writes an image of (width, height) pixels in a file's place."""

    def damage(path):
        path.unlink(missing_ok=True)
        Image.new(mode, size).save(path, format=name, **options)

    return damage


def chunk(kind, content):
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + checksum


def png_of(width, height, pixels=b"", bits=8):
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff_with(tag, kind, count, value):
    """Return what sets an entry of the first directory of a little-endian TIFF file."""

    def change(content):
        at = int.from_bytes(content[4:8], "little") + 2
        entries = int.from_bytes(content[at - 2 : at], "little")
        for place in range(at, at + 12 * entries, 12):
            if int.from_bytes(content[place : place + 2], "little") == tag:
                entry = struct.pack("<HHII", tag, kind, count, value)
                return content[:place] + entry + content[place + 12 :]
        raise AssertionError(f"no tag {tag}")

    return changed(change)


TIFF = picture("TIFF", tiffinfo={282: 72.0, 274: 6})
IMAGE_DAMAGES = {
    "a flipped bit": changed(flip_in_the_middle),
    "a PNG of 30000 x 30000": replaced_by(png_of(30000, 30000)),
    "a PNG of 2**31 x 2**31": replaced_by(png_of(2**31 - 1, 2**31 - 1)),
    "a PNG of no pixels": replaced_by(png_of(0, 5)),
    "a PNG whose pixels are cut": replaced_by(png_of(4, 5, zlib.compress(b"123"))),
    "a PNG whose pixels are no zlib": replaced_by(png_of(4, 5, b"123456789")),
    "a TIFF of floats": picture("TIFF", mode="F"),
    "a TIFF of a rotation that is a place beyond it": both(TIFF, tiff_with(274, 3, 99999, 2**31)),
    "a TIFF of strips beyond it": both(TIFF, tiff_with(273, 4, 1, 2**31)),
    "a TIFF of another compression": both(TIFF, tiff_with(259, 3, 1, 9999)),
    "a TIFF of absurd width": both(TIFF, tiff_with(256, 4, 1, 2**31)),
    "a cut TIFF": both(TIFF, changed(lambda content: content[:60])),
    "a cut JPEG": both(picture("JPEG"), changed(lambda content: content[:300])),
    "a cut GIF": both(picture("GIF"), changed(lambda content: content[:20])),
    "a cut WebP": both(picture("WEBP"), changed(lambda content: content[:20])),
    "a cut BMP": both(picture("BMP"), changed(lambda content: content[:60])),
    "PostScript": replaced_by("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 5\n%%EndComments\nshowpage\n"),
    "text": replaced_by("no image"),
}


@pytest.fixture
def pets(tmp_path):
    """Five grey images for each of two classes."""
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(X[number]).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


@pytest.mark.parametrize("options", [{}, {"image_size": (3, 3)}], ids=["as they are", "resized"])
@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | IMAGE_DAMAGES))
def test_an_image_in_a_folder_that_cannot_be_used_is_named(pets, damage, options):
    damage(pets / "dog" / "3.png")
    with refused("dog/3.png"):
        load(pets, **options)


@pytest.mark.parametrize("damage", **cases(FILE_DAMAGES | IMAGE_DAMAGES))
def test_an_image_to_predict_that_cannot_be_used_is_named(pets, damage):
    path = pets / "dog" / "3.png"
    damage(path)
    with refused("dog/3.png"):
        read_inputs(path, GREY)


def without(place):
    def damage(folder):
        for path in sorted(folder.glob(place), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    return damage


def linked(name, target):
    return lambda folder: (folder / name).symlink_to(target)


FOLDER_DAMAGES = {
    "a class without images": without("dog/*"),
    "no classes": without("**/*"),
    "a class that is a broken link": linked("emu", "gone"),
    "a class that is a circular link": linked("emu", "emu"),
    "classes that are two circular links": both(linked("emu", "fox"), linked("fox", "emu")),
    "an image that is a broken link": linked("dog/9.png", "gone.png"),
    "an image that is a circular link": linked("dog/9.png", "9.png"),
    "an image that is a folder": lambda folder: (folder / "dog" / "9.png").mkdir(),
    "an image that is a pipe": lambda folder: os.mkfifo(folder / "dog" / "9.png"),
    "an image of another size": lambda folder: Image.new("L", (9, 9)).save(folder / "dog" / "9.png"),
    "a class of a name that is no Unicode": lambda folder: os.rename(
        folder / "dog", os.fsencode(folder) + b"/\xff"
    ),
    "a single class": both(without("dog/*"), without("dog")),
}


@pytest.mark.parametrize("damage", **cases(FOLDER_DAMAGES))
def test_a_folder_of_images_that_cannot_be_used_is_named(pets, damage):
    damage(pets)
    with refused("pets"):
        load(pets)


PATHS = {
    "empty": "",
    "NUL": "a\0b.csv",
    "a surrogate": "\ud800.csv",
    "no such user": "~nosuchuser/a.csv",
    "300 characters": "a" * 300,
    "300 characters in a folder": f"data/{'a' * 300}.csv",
    "an ending that nothing reads": "a.xlsx",
    "nothing there": "absent.csv",
}


@pytest.mark.parametrize(
    "read", [load, lambda path: passages(path, context=9), lambda path: windows(path, history=2, test=1)]
)
@pytest.mark.parametrize("path", **cases(PATHS))
def test_a_path_that_leads_nowhere_is_refused(tmp_path, monkeypatch, path, read):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.xlsx").touch()
    with refused("data"):
        read(path)


@pytest.mark.parametrize("path", **cases(PATHS))
def test_a_path_of_inputs_that_leads_nowhere_is_refused(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.xlsx").touch()
    with refused("path" if path != "absent.csv" else "absent.csv"):
        read_inputs(path, TABLE)


def test_a_data_dir_that_cannot_be_one_is_refused(tmp_path, monkeypatch):
    for value in ("~nosuchuser", "b" * 300, " "):
        monkeypatch.setenv("KEXP_DATA_DIR", value)
        with refused("KEXP_DATA_DIR"):
            load("mine")


# Bombs: what they announce, or how they begin, is more than what they may take.


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train.npy", "y_train.npy"):
            with archive.open(name, "w") as file:
                file.write(headed(PLAIN % f"({2**24},)"))
                file.write(bytes(2**24))


def gzip_bomb(beginning, block, times):
    packed = gzip.compress(block)
    return replaced_by(gzip.compress(beginning) + packed * times)


def large_parquet(path):
    pd.DataFrame({"n": np.zeros(10**6), "y": np.zeros(10**6, np.int8)}).to_parquet(path)


def repeated_text(path):
    """Write a text of a megabyte once, which each of a thousand rows has."""
    column = pyarrow.DictionaryArray.from_arrays(np.zeros(1000, np.int32), ["x" * 10**6])
    table = pyarrow.table({"a": column, "y": np.arange(1000) % 2})
    pyarrow.parquet.write_table(table, path, store_schema=False, compression="zstd")


BOMBS = {
    "a.npz": zip_bomb,
    "a.npy": replaced_by(headed(PLAIN % f"({2**24},)", bytes(2**24))),
    "a.csv": replaced_by("n,y\n" + "1,0\n" * 2**20),
    "a.csv.gz": gzip_bomb(b"n,y\n", b"1,0\n" * 2**22, 1000),
    "b.csv.gz": gzip_bomb(b"n,y\n" + random.Random(0).randbytes(99).hex().encode(), bytes(2**22), 10**4),
    "a.txt": replaced_by("x" * 2**23),
    "a.txt.gz": gzip_bomb(b"It was", b" " * 2**22, 10**4),
    "a.parquet": large_parquet,
    "b.parquet": repeated_text,
    "a.png": picture("PNG", size=(3000, 3000)),
    "a.tif": picture("TIFF", size=(3000, 3000), compression="tiff_deflate"),
    "a.webp": picture("WEBP", size=(3000, 3000)),
}


@pytest.mark.parametrize(("name", "damage"), BOMBS.items(), ids=BOMBS)
def test_what_becomes_more_than_may_be_taken_is_refused_before_it_is_read(
    tmp_path, monkeypatch, name, damage
):
    monkeypatch.setenv("KEXP_MAX_BYTES", str(2**22))
    (tmp_path / "all").mkdir()
    path = tmp_path / "all" / name
    damage(path)
    readers = {
        ".npy": lambda: read_inputs(path, ARRAY),
        ".txt": lambda: passages(path, context=9),
        ".gz": lambda: passages(path, context=9) if ".txt" in name else load(path, target="y"),
        ".csv": lambda: load(path, target="y"),
        ".parquet": lambda: load(path, target="y"),
    }
    with refused(name, "more than the 0.00419 GB that one source may", "KEXP_MAX_BYTES"):
        readers.get(path.suffix, lambda: load(path if path.suffix == ".npz" else tmp_path))()


def test_a_compressed_idx_file_is_refused_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setenv("KEXP_MAX_BYTES", str(2**22))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(0x08, 2, values=b"12"))
    content = gzip.compress(idx(0x08, 2**24) + bytes(2**24))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with refused("train-images-idx3-ubyte.gz takes 0.0168 GB"):
        load(tmp_path)


@pytest.mark.parametrize("size", [(30000, 30000), (10**9, 10**9), (10**300, 10**300)])
def test_a_size_of_images_is_compared_with_memory_before_one_is_resized(pets, size):
    with refused("images", "takes", "GB in memory"):
        load(pets, image_size=size)
    with refused("image_size=", "takes", "GB in memory"):
        load((np.repeat(X, 50, axis=0), np.repeat(Y, 50)), image_size=size)


@pytest.mark.parametrize("value", ["", "0", "-1", "1e9", "many", "1.5", "nan", "\u0663"])
def test_a_budget_that_is_no_number_of_bytes_is_refused(monkeypatch, tmp_path, value):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y)
    monkeypatch.setenv("KEXP_MAX_BYTES", value)
    with refused("KEXP_MAX_BYTES must be a whole number of bytes, 1 or more"):
        load(tmp_path / "a.npz")


def test_what_fits_into_the_budget_is_read(monkeypatch, tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y)
    monkeypatch.setenv("KEXP_MAX_BYTES", "5000")
    assert load(tmp_path / "a.npz", validation=0, test=0).train.inputs[..., 0].tolist() == X.tolist()
