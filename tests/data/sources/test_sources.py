"""Sources are found by scanning: a file with a source is all that a new form takes."""

import numpy as np

from kexp.data import load, names
from kexp.data.dataset import Source
from kexp.data.sources import DataSource, data_sources, source_of_value


class Halves(DataSource):
    """A file whose every byte is a sample: itself, and whether it is odd."""

    name = "halves"
    description = "bytes and whether they are odd"
    suffixes = (".halves",)

    def read(self, place, options):
        numbers = np.frombuffer(place.path.read_bytes(), np.uint8)
        return Source(place.name, {"train": (numbers[:, None].astype("float32"), numbers % 2)})


def test_a_new_source_is_listed_and_read_by_name_and_path(monkeypatch, data_dir):
    monkeypatch.setitem(data_sources(), "halves", Halves())
    (data_dir / "odd.halves").write_bytes(bytes(range(60)))
    assert names()["odd"].startswith("bytes and whether they are odd: ")
    assert load("odd").spec.outputs == 2
    assert load(data_dir / "odd.halves").name == "odd"


def test_objects_in_memory_have_one_source_each():
    values = {"mapping": {}, "pairs": ([], [])}
    assert {name: source_of_value(value).name for name, value in values.items()} == dict(
        zip(values, values, strict=True)
    )
    assert source_of_value(3) is None


def test_every_form_has_what_a_list_shows():
    for source in data_sources().values():
        assert bool(source.description) == bool(source.suffixes or source.folder_noun)
