"""Versions of a served model: the newest whole one, whatever is being written beside it."""

import shutil

import pytest

from kexp.core.errors import InputError
from kexp.serve.model_versions import ModelVersions


@pytest.fixture
def folder(served_models, tmp_path):
    return shutil.copytree(served_models / "digits", tmp_path / "digits")


def versions(folder, said=None):
    return ModelVersions(str(folder), lambda name, exported: None, ([] if said is None else said).append)


def test_a_version_that_is_being_written_is_served_once_it_is_whole(folder):
    said = []
    found = versions(folder, said)
    found.refresh()
    files = sorted(path for path in (folder / "1").rglob("*") if path.is_file())
    for file in files:  # kexp.json comes first, and the weights last
        assert found.newest.number == 1
        target = folder / "2" / file.relative_to(folder / "1")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes()[:-1])
        found.refresh()
        assert found.newest.number == 1
        shutil.copy(file, target)
        found.refresh()
    assert found.newest.number == 2
    assert found.newest.exported.directory == folder / "2"
    assert said[-1] == "digits is version 2"


def test_a_server_that_starts_meanwhile_takes_the_last_whole_one_and_what_is_damaged_is_said_once(folder):
    shutil.copytree(folder / "1", folder / "7")
    next((folder / "7" / "variables").iterdir()).write_bytes(b"")
    (folder / "8").mkdir()
    said = []
    found = versions(folder, said)
    found.check()
    for _ in range(3):
        found.refresh()
    assert found.newest.number == 1
    assert [line.split(" of")[0] for line in said] == ["version 8", "version 7", "digits is version 1"]
    with pytest.raises(LookupError, match="no version 7 of digits"):
        found.version(7)


def test_a_version_that_is_taken_away_gives_way_to_the_one_before_and_the_last_one_stays(folder):
    shutil.copytree(folder / "1", folder / "2")
    found = versions(folder)
    found.refresh()
    assert (found.newest.number, found.version(1).number) == (2, 1)
    shutil.rmtree(folder / "2")
    found.refresh()
    assert found.newest.number == 1
    shutil.rmtree(folder / "1")
    found.refresh()
    assert found.newest.number == 1
    with pytest.raises(LookupError):
        found.version(2)


def test_the_folder_of_one_version_is_served_as_that_one(folder):
    shutil.copytree(folder / "1", folder / "2")
    found = versions(folder / "1")
    found.refresh()
    assert (found.name, found.newest.number) == ("digits", 1)
    with pytest.raises(InputError, match="does not exist"):
        versions(folder / "3").check()
