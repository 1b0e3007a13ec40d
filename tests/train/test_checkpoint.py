"""Checkpoints are whole or not there; a damaged one is noticed and the one before is used."""

import numpy as np
import pytest

from kexp.train.checkpoint import Checkpoint, load_latest, save_checkpoint


def checkpoint(number):
    return Checkpoint(
        {"model/0": np.full((3, 2), number, "float32")}, {"epoch": number, "history": [{"loss": 0.5}]}
    )


@pytest.fixture
def two_saved(tmp_path):
    for number in (1, 2):
        save_checkpoint(tmp_path, 10 * number, checkpoint(number))
    return tmp_path


def test_the_newest_checkpoint_comes_back_as_it_was_saved(two_saved):
    loaded = load_latest(two_saved)
    assert loaded.position == checkpoint(2).position
    np.testing.assert_array_equal(loaded.arrays["model/0"], checkpoint(2).arrays["model/0"])


def test_only_the_last_two_are_kept(two_saved):
    save_checkpoint(two_saved, 30, checkpoint(3))
    names = sorted(path.name for path in two_saved.iterdir())
    assert names == [f"step-0000000{steps}.{suffix}" for steps in (20, 30) for suffix in ("json", "npz")]


def test_a_folder_without_checkpoints_has_none(tmp_path):
    assert load_latest(tmp_path) is None


def truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("suffix", [".npz", ".json"])
@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_damaged_newest_checkpoint_is_reported_once_and_the_one_before_is_used(two_saved, damage, suffix):
    damage(two_saved / f"step-000000020{suffix}")
    with pytest.warns(UserWarning, match="step-000000020 is damaged") as warned:
        loaded = load_latest(two_saved)
    assert len(warned) == 1
    assert loaded.position["epoch"] == 1


def test_arrays_without_their_manifest_do_not_count(two_saved):
    (two_saved / "step-000000020.json").unlink()
    assert load_latest(two_saved).position["epoch"] == 1
