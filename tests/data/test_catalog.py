import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import check_source, load, names
from kexp.data.catalog import locate
from kexp.data.sources.builtin_datasets import BUILTIN_DATASETS


def test_nothing_heavy_is_imported_to_check_a_source_or_list_names():
    code = (
        "import sys, kexp.data as data; data.check_source('digits'); data.names();"
        "print([name for name in ('pandas', 'tensorflow', 'sklearn', 'PIL', 'tensorflow_datasets')"
        " if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_an_unknown_name_names_the_nearest_and_says_where_it_looked(data_dir):
    with pytest.raises(InputError, match="data='fashon_mnist_small': there is no") as error:
        check_source("fashon_mnist_small")
    assert "(did you mean 'fashion_mnist_small'?)" in str(error.value)
    assert f"KEXP_DATA_DIR is {data_dir}" in str(error.value)


def test_a_data_dir_that_does_not_exist_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("KEXP_DATA_DIR", str(tmp_path / "no"))
    with pytest.raises(InputError, match="no, which is not a folder"):
        check_source("mnist")
    check_source("digits")


def test_a_name_in_the_data_dir_comes_before_an_embedded_one(data_dir, arrays):
    assert locate("digits").form == "embedded"
    np.savez(data_dir / "digits.npz", **arrays)
    assert locate("digits").form == "npz"
    assert load("digits").spec.input_shape == (5, 6, 1)


def test_a_path_object_is_never_taken_for_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such data set or path"):
        check_source(Path("digits"))


def test_a_bare_file_name_is_looked_for_in_the_data_dir_too(data_dir):
    (data_dir / "a.csv").write_text("x,y\n")
    assert locate("a.csv").path == data_dir / "a.csv"


@pytest.mark.parametrize("source", ["no/such/folder", "no.csv", "../digits"])
def test_a_missing_path_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such data set or path"):
        check_source(source)


@pytest.mark.parametrize("source", ["", " ", "a\0b", "~nosuchuser/a.csv", "x" * 300])
def test_what_can_be_no_path_is_refused(source):
    with pytest.raises(InputError, match="data must be a path"):
        check_source(source)


def test_a_file_of_another_type_and_an_empty_folder_are_refused(tmp_path):
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(
        InputError, match=r"ends in .npz, .csv, .csv.gz, .parquet, .txt, .txt.gz, received 'a.xlsx'"
    ):
        check_source(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="received a folder with none of them"):
        check_source(str(tmp_path))


def test_an_empty_folder_in_the_data_dir_is_not_called_unknown(data_dir):
    (data_dir / "flowers").mkdir()
    with pytest.raises(InputError, match="flowers': expected class folders"):
        check_source("flowers")


def test_what_is_no_path_is_left_to_load():
    check_source((np.zeros(3), np.zeros(3)))


def test_a_name_cannot_lead_out_of_the_data_dir(data_dir, arrays):
    np.savez(data_dir.parent / "secret.npz", **arrays)
    with pytest.raises(InputError):
        check_source("../secret")


def test_names_are_the_embedded_ones_and_those_of_the_data_dir(data_dir, arrays):
    np.savez(data_dir / "mine.npz", **arrays)
    (data_dir / "notes.md").touch()
    (data_dir / "book.txt").touch()
    (data_dir / "empty").mkdir()
    (data_dir / "idx").mkdir()
    (data_dir / "idx" / "train-images-idx3-ubyte.gz").touch()
    found = names()
    assert set(found) == {*BUILTIN_DATASETS, "mine", "idx", "book"}
    assert found["mine"].startswith("arrays in an .npz file: ")
    assert found["idx"].startswith("images in IDX files: ")
    assert list(found) == sorted(found)


def test_the_real_data_dir_lists_mnist(real_data):
    assert names()["mnist"].startswith("images in IDX files")
    assert "japanese_vowels" in names()
