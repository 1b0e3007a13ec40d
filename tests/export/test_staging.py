"""A folder that is there as a whole or not at all."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from kexp.core.errors import InputError
from kexp.export.staging import staged
from tests.forked_python import forked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_export(directory: Path, text: str = "model") -> None:
    (directory / "1" / "assets.extra").mkdir(parents=True)
    (directory / "1" / "saved_model.pb").write_text(text)
    (directory / "1" / "assets.extra" / "kexp.json").write_text("{}")


def test_the_folder_appears_when_the_body_is_done(tmp_path):
    with staged(tmp_path / "a" / "b" / "served") as folder:
        (folder / "file").write_text("whole")
        assert names(tmp_path / "a" / "b") == [folder.name]
    assert names(tmp_path / "a" / "b") == ["served"]
    assert (tmp_path / "a" / "b" / "served" / "file").read_text() == "whole"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "served").mkdir()
    with staged(tmp_path / "served") as folder:
        (folder / "file").touch()
    assert names(tmp_path) == ["served"]
    assert names(tmp_path / "served") == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing_not_even_the_parents_that_were_made(tmp_path, error):
    def write_half() -> None:
        with staged(tmp_path / "a" / "b" / "served") as folder:
            (folder / "file").touch()
            raise error

    with pytest.raises(error):
        write_half()
    assert names(tmp_path) == []


def test_a_kill_leaves_no_directory_and_the_next_export_clears_what_was_left(tmp_path):
    script = (
        "import os, pathlib, signal, sys\n"
        "from kexp.export.staging import staged\n"
        "with staged(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'saved_model.pb').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = forked.run([sys.executable, "-c", script, str(tmp_path / "served")], env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert [name.startswith(".served.partial-") for name in names(tmp_path)] == [True]
    with staged(tmp_path / "served"):
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == ["served"]


def test_another_export_under_way_is_left_alone(tmp_path):
    with staged(tmp_path / "served") as slow:
        with staged(tmp_path / "served.2"), staged(tmp_path / "other"):
            assert slow.is_dir()
        assert slow.is_dir()
    assert names(tmp_path) == ["other", "served", "served.2"]


def test_of_two_exports_to_one_place_the_second_to_finish_is_refused(tmp_path):
    def race() -> None:
        with staged(tmp_path / "served") as slow:
            (slow / "file").write_text("slow")
            with staged(tmp_path / "served") as fast:
                (fast / "file").write_text("fast")

    with pytest.raises(InputError, match="holds other files"):
        race()
    assert names(tmp_path) == ["served"]
    assert (tmp_path / "served" / "file").read_text() == "fast"


def test_an_export_is_replaced_by_its_next_version_and_a_failed_one_keeps_it(tmp_path):
    write_export(tmp_path / "served", "old")
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "served", overwrite=True):
        raise ZeroDivisionError
    assert (tmp_path / "served" / "1" / "saved_model.pb").read_text() == "old"
    with staged(tmp_path / "served", overwrite=True) as folder:
        write_export(folder, "new")
    assert names(tmp_path / "served") == ["2"]
    assert (tmp_path / "served" / "2" / "saved_model.pb").read_text() == "new"
    assert names(tmp_path) == ["served"]


REPLACE = """
import os, pathlib, shutil, signal, sys
from kexp.export.staging import staged
from tests.export.test_staging import write_export

steps_left = int(sys.argv[2])

def killing(function):
    def step(*arguments, **options):
        global steps_left
        if steps_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps_left -= 1
        return function(*arguments, **options)
    return step

with staged(pathlib.Path(sys.argv[1]), overwrite=True) as folder:
    write_export(folder, "new")
    for owner, name in ((os, "rename"), (os, "unlink"), (os, "rmdir"), (os, "fsync")):
        setattr(owner, name, killing(getattr(owner, name)))
"""


def test_a_kill_at_any_step_of_a_replacement_leaves_a_whole_export_to_be_served(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed, found = 0, []
    while True:
        served = tmp_path / str(killed) / "served"
        write_export(served, "old")
        command = [sys.executable, "-c", REPLACE, str(served), str(killed)]
        done = forked.run(command, env=environment, capture_output=True, text=True)
        highest = max(served.iterdir(), key=lambda version: int(version.name))
        assert sorted(path.name for path in highest.rglob("*")) == [
            "assets.extra",
            "kexp.json",
            "saved_model.pb",
        ]
        found.append((highest / "saved_model.pb").read_text())
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        with staged(served, overwrite=True) as folder:
            write_export(folder, "next")
        assert names(served.parent) == ["served"]
        assert len(names(served)) == 1
        killed += 1
    assert found == sorted(found, reverse=True)  # the old one, and from some step on the new one
    assert {"old", "new"} == set(found)
    assert killed >= 8


def test_of_two_replacements_the_one_to_finish_last_is_served(tmp_path):
    write_export(tmp_path / "served", "old")
    with staged(tmp_path / "served", overwrite=True) as slow:
        write_export(slow, "slow")
        with staged(tmp_path / "served", overwrite=True) as fast:
            write_export(fast, "fast")
    assert names(tmp_path / "served") == ["3"]
    assert (tmp_path / "served" / "3" / "saved_model.pb").read_text() == "slow"


def test_what_releases_before_left_hidden_goes_once_there_is_an_export(tmp_path):
    write_export(tmp_path / ".served.replaced-0a1b2c3d", "old")
    with staged(tmp_path / "served") as folder:
        write_export(folder, "new")
    with staged(tmp_path / "served", overwrite=True) as folder:
        write_export(folder, "newer")
    assert names(tmp_path) == ["served"]


@pytest.mark.parametrize("extra", ["notes.txt", "1/notes.txt", "2/saved_model.pb"])
def test_an_export_with_files_of_the_users_is_not_replaced(tmp_path, extra):
    write_export(tmp_path / "served")
    (tmp_path / "served" / extra).parent.mkdir(exist_ok=True)
    (tmp_path / "served" / extra).write_text("mine")
    with pytest.raises(InputError, match="holds other files"), staged(tmp_path / "served", overwrite=True):
        pass
    assert (tmp_path / "served" / extra).read_text() == "mine"


def test_a_file_and_a_link_are_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("file", "link"):
        with (
            pytest.raises(InputError, match="received the file or link"),
            staged(tmp_path / name, overwrite=True),
        ):
            pass
    with (
        pytest.raises(InputError, match="must be where this user may write"),
        staged(tmp_path / "file" / "a"),
    ):
        pass
    assert names(tmp_path) == ["empty", "file", "link"]
