"""Checkpoints are whole or not there; a damaged one is noticed and the one before is used."""

import numpy as np
import pytest

from kexp.train.checkpoint.checkpoint import Checkpoint, load_latest, newest_step, save_checkpoint


def checkpoint(number):
    return Checkpoint(
        {"model/0": np.full((3, 2), number, "float32")},
        {"epoch": number, "history": [{"loss": 0.5}]},
        {"EarlyStopping": {"wait": number}},
    )


@pytest.fixture(params=["", "file://"], ids=["path", "scheme"])
def kept_at(request, tmp_path):
    """Return the folder as the caller names it: as a path, or as one for TensorFlow's file systems."""
    return f"{request.param}{tmp_path}" if request.param else tmp_path


@pytest.fixture
def two_saved(tmp_path, kept_at):
    for number in (1, 2):
        save_checkpoint(kept_at, 10 * number, checkpoint(number))
    return tmp_path


def test_the_newest_checkpoint_comes_back_as_it_was_saved(two_saved, kept_at):
    assert newest_step(kept_at) == 20
    loaded = load_latest(kept_at)
    assert loaded.position == checkpoint(2).position
    assert loaded.callbacks == checkpoint(2).callbacks
    np.testing.assert_array_equal(loaded.arrays["model/0"], checkpoint(2).arrays["model/0"])


def test_only_the_last_two_are_kept(two_saved, kept_at):
    save_checkpoint(kept_at, 30, checkpoint(3))
    names = sorted(path.name for path in two_saved.iterdir())
    assert names == ["newest.json"] + [
        f"step-0000000{steps}.{suffix}" for steps in (20, 30) for suffix in ("json", "npz")
    ]


@pytest.mark.parametrize("name", ["", "/absent"])
def test_a_folder_without_checkpoints_has_none(kept_at, name):
    assert load_latest(f"{kept_at}{name}") is None
    assert newest_step(f"{kept_at}{name}") == 0


def test_what_cannot_be_reached_is_not_taken_for_absent():
    with pytest.raises(ConnectionError, match="nosuch"):
        load_latest("nosuch://folder")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_damaged_newest_checkpoint_is_reported_once_and_the_one_before_is_used(
    two_saved, kept_at, damage, suffix
):
    damage(two_saved / f"step-000000020{suffix}")
    with pytest.warns(UserWarning, match="step-000000020 is damaged") as warned:
        loaded = load_latest(kept_at)
    assert len(warned) == 1
    assert loaded.position["epoch"] == 1


@pytest.mark.parametrize("gone", [[".npz"], [".json"], [".npz", ".json"]])
def test_an_absent_newest_checkpoint_is_reported_once_and_the_one_before_is_used(two_saved, kept_at, gone):
    for suffix in gone:
        (two_saved / f"step-000000020{suffix}").unlink()
    with pytest.warns(UserWarning, match=r"step-000000020 is (missing|damaged)") as warned:
        loaded = load_latest(kept_at)
    assert len(warned) == 1
    assert loaded.position["epoch"] == 1


def test_what_a_kill_leaves_before_a_checkpoint_is_whole_is_passed_over_in_silence(two_saved, kept_at):
    (two_saved / "step-000000030.npz").write_bytes(b"arrays without their manifest")
    (two_saved / ".step-000000030.123.json").write_text("{")
    assert load_latest(kept_at).position["epoch"] == 2
    assert not list(two_saved.glob(".*"))
