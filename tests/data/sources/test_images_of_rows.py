"""Images whose paths are in a table, in one file or in one for each part, or in memory."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kexp
from kexp.data import load


@pytest.fixture
def folder(tmp_path):
    """Return a folder with 20 images in a folder of it, and a table of their paths and names."""
    (tmp_path / "pictures").mkdir()
    for number in range(20):
        pixels = np.full((6, 8, 3), number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    rows = {"path": [f"pictures/{number}.png" for number in range(20)]}
    rows |= {"name": [f"name {number % 5}" for number in range(20)], "artist": np.arange(20) % 4}
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def test_a_table_has_images_and_their_texts(folder):
    data = load(folder / "table.csv", image="path", target="name", task="retrieval")
    assert (data.spec.kind, data.spec.input_shape, data.spec.task) == ("image", (6, 8, 3), "retrieval")
    for part in (data.train, data.validation, data.test):
        numbers = part.inputs[:, 0, 0, 0]
        assert part.targets.tolist() == [f"name {number % 5}" for number in numbers]
    small = load(folder / "table.csv", image="path", target="name", task="retrieval", image_size=(3, 4))
    assert small.spec.input_shape == (3, 4, 3)
    assert any("were stretched to it" in note for note in small.notes)


def test_the_same_table_has_classes_and_groups(folder):
    data = load(folder / "table.csv", image="path", target="name", group="artist")
    assert (data.spec.task, data.spec.outputs) == ("classification", 5)
    artists = [{int(number) % 4 for number in part.inputs[:, 0, 0, 0]} for part in (data.train, data.test)]
    assert not artists[0] & artists[1]


def test_tables_by_part_may_lie_beside_their_images(folder):
    table = pd.read_csv(folder / "table.csv")
    table[:12].to_csv(folder / "train.csv", index=False)
    table[12:].to_csv(folder / "test.csv", index=False)
    (folder / "table.csv").unlink()
    data = load(folder, image="path", target="name", task="retrieval", validation=0)
    assert (len(data.train), len(data.test)) == (12, 8)
    assert data.test.inputs[:, 0, 0, 0].tolist() == list(range(12, 20))
    assert not any("left out" in note for note in data.notes)
    frame = table[:12].assign(path=[str(folder / path) for path in table.path[:12]])
    mixed = {"train": frame, "test": folder / "test.csv"}
    assert (
        load(mixed, image="path", target="name", task="retrieval", validation=0).fingerprint
        == data.fingerprint
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "must have a path in each row; received an empty one"),
        ("../outside.png", "files below the folder of the table"),
        ("pictures/0.txt", r"must have paths of images \(.*\.png.*\); received 'pictures/0.txt'"),
        ("pictures/none.png", "pictures/none.png"),
    ],
)
def test_a_path_that_leads_to_no_image_is_one_sentence(folder, path, message):
    table = pd.read_csv(folder / "table.csv")
    table.loc[3, "path"] = path
    table.to_csv(folder / "table.csv", index=False)
    with pytest.raises(kexp.InputError, match=message):
        load(folder / "table.csv", image="path", target="name", task="retrieval")


def test_what_the_column_contradicts_is_refused(folder):
    with pytest.raises(kexp.InputError, match="image='path': the images are the only input, and text='name'"):
        load(folder / "table.csv", image="path", text="name", target="artist")
    with pytest.raises(kexp.InputError, match="image='path': only a CSV, Parquet or DataFrame has columns"):
        load("digits", image="path")
    with pytest.raises(kexp.InputError, match="image=3: expected the name of a column"):
        load(folder / "table.csv", image=3, target="name")
    with pytest.raises(kexp.InputError, match="task='retrieval': data 'iris' is of kind 'table'"):
        load("iris", task="retrieval")
