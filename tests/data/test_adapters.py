"""What a user has becomes what a model takes, or a sentence that says why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kexp.core.errors import InputError
from kexp.data.adapters import adapt_inputs, read_inputs
from kexp.data.dataset import Column, DatasetSpec

GREY = DatasetSpec("image", (4, 6, 1), "uint8", "classification", 10)
COLOUR = DatasetSpec("image", (4, 6, 3), "uint8", "classification", 10)
SERIES = DatasetSpec("series", (5, 2), "float32", "regression", 1)
COLUMNS = (Column("age", "number"), Column("code", "category"), Column("home town", "category"))
TABLE = DatasetSpec("table", (3,), "mixed", "classification", 2, ("no", "yes"), COLUMNS, "bought")


@pytest.mark.parametrize("shape", [(3, 4, 6, 1), (3, 4, 6), (4, 6, 1), (4, 6)])
def test_batch_and_channel_axes_are_added_where_they_lack(shape):
    images = np.arange(np.prod(shape), dtype="int64").reshape(shape)
    inputs = adapt_inputs(images, GREY)
    assert inputs.shape == (3 if shape[0] == 3 else 1, 4, 6, 1)
    assert inputs.dtype == np.uint8
    assert inputs.ravel().tolist() == images.ravel().tolist()


def test_one_sample_of_a_series_becomes_a_batch_of_float32():
    inputs = adapt_inputs([[1, 2]] * 5, SERIES)
    assert (inputs.shape, inputs.dtype.name) == ((1, 5, 2), "float32")


@pytest.mark.parametrize(
    ("raw", "spec", "message"),
    [
        (np.zeros((3, 4, 5, 1), "uint8"), GREY, r"shape \(samples, 4, 6, 1\), .* received \(3, 4, 5, 1\)"),
        (np.zeros((4, 6), "uint8"), COLOUR, r"shape \(samples, 4, 6, 3\), .* received \(4, 6\)"),
        (np.zeros((0, 4, 6, 1), "uint8"), GREY, r"received \(0, 4, 6, 1\)"),
        (
            np.full((4, 6), 0.5),
            GREY,
            r"whole numbers from 0 to 255 \(uint8\), received float64 from 0.5 to 0.5",
        ),
        (np.full((4, 6), 256), GREY, "received int64 from 256 to 256"),
        (np.full((4, 6), -1), GREY, "received int64 from -1 to -1"),
        (np.full((4, 6), True), GREY, "received bool"),
        (np.full((4, 6), "a"), GREY, "must be an array of numbers, received an array of <U1"),
        ({"age": 3}, GREY, "must be an array of numbers, received a dict"),
        ([[1, 2], [3]], SERIES, "differ in shape"),
        (np.full((5, 2), np.nan), SERIES, "must be finite, received NaN or infinity in sample 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(raw, spec, message):
    with pytest.raises(InputError, match=message):
        adapt_inputs(raw, spec)


def test_a_frame_gives_a_vector_per_column_and_other_columns_are_ignored():
    frame = pd.DataFrame(
        {
            "bought": ["yes", "no"],
            "home town": ["Zürich", None],
            "age": [31, None],
            "code": [1, 2],
            "id": [7, 8],
        }
    )
    inputs = adapt_inputs(frame, TABLE)
    assert list(inputs) == ["age", "code", "home town"]
    np.testing.assert_array_equal(inputs["age"], np.array([31, np.nan], "float32"))
    assert inputs["age"].dtype == np.float32
    assert inputs["code"].tolist() == ["1", "2"]
    assert inputs["home town"].tolist() == ["Zürich", ""]
    assert inputs["home town"].dtype == object


def test_inputs_stay_as_they_are_when_converted_again():
    once = adapt_inputs({"age": [31, None], "code": ["a", ""], "home town": ["b", None]}, TABLE)
    twice = adapt_inputs(once, TABLE)
    for name, values in once.items():
        np.testing.assert_array_equal(twice[name], values)


def test_plain_values_are_one_sample():
    inputs = adapt_inputs({"age": None, "code": "a", "home town": "Graz"}, TABLE)
    assert {name: values.tolist() for name, values in inputs.items() if name != "age"} == {
        "code": ["a"],
        "home town": ["Graz"],
    }
    assert np.isnan(inputs["age"]).tolist() == [True]


@pytest.mark.parametrize("values", [[True, False], pd.array([1, 0], "Int64"), ["1", "0"], [1.0, 0]])
def test_whatever_is_a_number_is_taken_as_one(values):
    inputs = adapt_inputs({"age": values, "code": ["a", "b"], "home town": ["a", "b"]}, TABLE)
    assert inputs["age"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, ""])
def test_every_kind_of_gap_is_a_missing_number(gap):
    inputs = adapt_inputs({"age": [gap, 1], "code": ["a", "b"], "home town": ["a", "b"]}, TABLE)
    assert np.isnan(inputs["age"]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"age": ["old", 3]}, "numbers in column 'age', received 'old' in row 1 of 2"),
        ({"age": [3, np.inf]}, "received inf in row 2 of 2"),
        ({"age": [3, 1e300]}, "received 1e[+]300 in row 2 of 2"),
        ({"age": pd.to_datetime(["2020-01-01", "2020-01-02"])}, "received '2020-01-01 00:00:00' in row 1"),
        ({"age": [[1, 2], [3, 4]]}, r"column 'age' must be one value per sample, received \[1, 2\]"),
        ({"age": [1, 2, 3]}, "as many in every column, received 3 in 'age', 2 in 'code'"),
        ({"age": [], "code": [], "home town": []}, "must have one or more samples"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        adapt_inputs({"age": [1, 2], "code": ["a", "b"], "home town": ["a", "b"], **changes}, TABLE)


def test_missing_columns_are_named():
    with pytest.raises(
        InputError, match="inputs lack the columns 'code', 'home town', expected 'age', 'code'"
    ):
        adapt_inputs(pd.DataFrame({"age": [1]}), TABLE)
    with pytest.raises(
        InputError, match=r"must be a pandas DataFrame or a mapping .* received an array of float64"
    ):
        adapt_inputs(np.zeros((2, 3)), TABLE)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA"])
@pytest.mark.parametrize("spec", [GREY, COLOUR])
def test_an_image_file_gets_the_channels_of_the_data(tmp_path, mode, spec):
    Image.new("L", (6, 4), 255).convert(mode).save(tmp_path / "white.PNG")
    inputs = read_inputs(tmp_path / "white.PNG", spec)
    assert inputs.shape == (1, *spec.input_shape)
    assert (inputs == 255).all()


def test_a_jpeg_that_lies_on_its_side_is_turned(tmp_path):
    image = Image.new("L", (4, 6))
    image.paste(255, (0, 0, 4, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    image.save(tmp_path / "turned.jpg", exif=exif)
    pixels = read_inputs(tmp_path / "turned.jpg", GREY)[0, ..., 0]
    assert (pixels[:, 4:] > 200).all()
    assert (pixels[:, :2] < 50).all()


def test_an_image_of_16_bits_is_scaled_by_its_depth(tmp_path):
    Image.new("I;16", (6, 4), 257 * 200).save(tmp_path / "deep.png")
    assert (read_inputs(tmp_path / "deep.png", GREY) == 200).all()


def test_images_that_do_not_fit_are_refused(tmp_path):
    Image.new("L", (4, 6)).save(tmp_path / "upright.png")
    Image.new("L", (9, 9)).save(tmp_path / "large.png")
    Image.new("RGB", (6, 4)).save(tmp_path / "whole.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-30])
    (tmp_path / "noise.jpg").write_bytes(b"\xff\xd8 no picture")
    for name, message in [
        ("upright.png", r"expected an image of 6 x 4 pixels \(width x height\), received 4 x 6"),
        ("large.png", "expected an image of 6 x 4 .* received 9 x 9"),
        ("torn.png", "cannot be read as an image"),
        ("noise.jpg", "cannot be read as an image"),
    ]:
        with pytest.raises(InputError, match=f"file .*{name}: {message}"):
            read_inputs(tmp_path / name, GREY)


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz", "new.parquet"])
def test_a_table_file_is_read_with_its_strings_and_gaps(tmp_path, name):
    frame = pd.DataFrame({"code": ["007", "12"], "age": [1.5, None], "home town": [None, "São, Paulo"]})
    frame.to_parquet(tmp_path / name) if name.endswith("parquet") else frame.to_csv(
        tmp_path / name, index=False
    )
    inputs = read_inputs(tmp_path / name, TABLE)
    assert inputs["code"].tolist() == ["007", "12"]
    assert inputs["home town"].tolist() == ["", "São, Paulo"]
    np.testing.assert_array_equal(inputs["age"], np.array([1.5, np.nan], "float32"))


def test_damaged_tables_are_refused(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "latin.csv").write_bytes("age,code,home town\n1,a,Zürich\n".encode("latin-1"))
    (tmp_path / "torn.csv.gz").write_bytes(b"\x1f\x8b\x08 torn")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    for name in ("empty.csv", "latin.csv", "torn.csv.gz", "torn.parquet"):
        with pytest.raises(
            InputError, match=f"file .*{name}: (cannot be read|expected a line of column names)"
        ):
            read_inputs(tmp_path / name, TABLE)


def test_an_array_file_is_read_but_never_unpickled(tmp_path):
    np.save(tmp_path / "images.npy", np.full((2, 4, 6), 9))
    assert read_inputs(tmp_path / "images.npy", GREY).shape == (2, 4, 6, 1)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "noise.npy").write_bytes(b"noise")
    for name in ("objects.npy", "noise.npy"):
        with pytest.raises(InputError, match=r"array.* file|never unpickled"):
            read_inputs(tmp_path / name, GREY)
    np.save(tmp_path / "floats.npy", np.full((2, 4, 6), 0.5))
    with pytest.raises(InputError, match=r"file .*floats\.npy: inputs must be whole numbers"):
        read_inputs(tmp_path / "floats.npy", GREY)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("absent.png", GREY, r"expected an image \(.*\.png.*\) or an array \(\.npy\) \(No such file"),
        ("folder.png", GREY, "received a folder"),
        ("data.csv", GREY, r"must be an image .* for a model of this kind of data \(image\)"),
        ("data.npy", TABLE, r"must be a table \(\.csv, \.csv\.gz, \.parquet\)"),
        ("data.png", SERIES, r"must be an array \(\.npy\)"),
        ("data", TABLE, "must be a table"),
    ],
)
def test_a_file_of_the_wrong_kind_is_refused(tmp_path, name, spec, message):
    (tmp_path / "folder.png").mkdir()
    for written in ("data.csv", "data.npy", "data.png", "data"):
        (tmp_path / written).touch()
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / name, spec)
