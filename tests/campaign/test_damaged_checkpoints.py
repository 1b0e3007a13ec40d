"""Damaged checkpoints: the one before is used with a warning, or it is one sentence; never in silence."""

import hashlib
import io
import json

import numpy as np
import pytest

import kexp
from kexp.train.checkpoint.checkpoint import load_latest
from kexp.train.checkpoint.checkpoint_checks import check_checkpoint
from tests.campaign.damages import (
    TEXTS,
    a_folder,
    a_pipe,
    changed,
    copy_of,
    flip_in_the_middle,
    refused,
    replaced_by,
    with_keys,
    zip_of,
)


@pytest.fixture(scope="module")
def state(digits_run):
    """Return the arrays of a whole checkpoint: those of the engine, and the best weights."""
    arrays = load_latest(digits_run / "checkpoints").arrays
    best = sum(name.startswith("best/") for name in arrays)
    own = {name: array for name, array in arrays.items() if not name.startswith(("best/", "callback/"))}
    return own, [arrays[f"best/{number}"] for number in range(best)]


@pytest.fixture
def run_dir(digits_run, tmp_path):
    folder = copy_of(digits_run, tmp_path / "run")
    (folder / "result.json").unlink()
    return folder


@pytest.fixture
def stems(run_dir):
    """Return the paths of the checkpoints without their endings, the older one first."""
    return [path.with_suffix("") for path in sorted((run_dir / "checkpoints").glob("step-*.json"))]


def load(run_dir, state):
    return load_latest(
        run_dir / "checkpoints",
        lambda found, place: check_checkpoint(found, place, lambda phase: state[0], state[1]),
    )


def rewritten(stem, change):
    """Change the arrays of a checkpoint, and let its checksum be right again."""
    with np.load(f"{stem}.npz") as stored:
        arrays = dict(stored)
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    replaced_by(buffer.getvalue())(stem.with_suffix(".npz"))
    sealed(stem)


def sealed(stem):
    content = stem.with_suffix(".npz").read_bytes()
    manifest = {"format": 2, "sha256": hashlib.sha256(content).hexdigest()}
    replaced_by(json.dumps(manifest))(stem.with_suffix(".json"))


def plain(change):
    """Return a change of what a checkpoint holds as JSON."""

    def of(arrays):
        content = json.loads(arrays["plain"].tobytes())
        change(content)
        arrays["plain"] = np.frombuffer(json.dumps(content).encode(), np.uint8)

    return of


def text(content):
    return lambda arrays: arrays.update(plain=np.frombuffer(content, np.uint8))


def position(**changes):
    return plain(lambda content: content["position"].update(changes))


INSIDE = {
    "no plain": lambda arrays: arrays.pop("plain"),
    "plain is text": lambda arrays: arrays.update(plain=np.array("{}")),
    "plain is floats": lambda arrays: arrays.update(plain=np.zeros(3)),
    "plain is no JSON": text(b"{"),
    "plain is null": text(b"null"),
    "plain is a list": text(b"[]"),
    "plain is not UTF-8": text(b'{"a": "\xff"}'),
    "plain is nested deep": text(b"[" * 100_000),
    "plain has a long number": text(b'{"a": ' + b"9" * 5000 + b"}"),
    "no position": plain(lambda content: content.pop("position")),
    "no callbacks": plain(lambda content: content.pop("callbacks")),
    "a position without a batch size": plain(lambda content: content["position"].pop("batch_size")),
    "a position without a history": plain(lambda content: content["position"].pop("history")),
    "a batch size of 0": position(batch_size=0),
    "a position without a best value": plain(lambda content: content["position"].pop("best_value")),
    "an epoch of text": position(epoch="2"),
    "an epoch below 0": position(epoch=-1),
    "an epoch of infinity": position(epoch=float("inf")),
    "an epoch of 400 digits": position(epoch=10**400),
    "a step below 0": position(step=-1),
    "another epoch than the history has": position(epoch=7),
    "a history of text": position(history=[{"loss": "low"}] * 2),
    "a history that lacks a metric": plain(lambda content: content["position"]["history"][1].pop("loss")),
    "a best epoch that is to come": position(best_epoch=9),
    "callbacks that are a list": plain(lambda content: content.update(callbacks=[])),
    "a callback's array that is not there": plain(
        lambda content: content.update(callbacks={"Mine": {"dict": {"a": {"array": "callback/Mine/a"}}}})
    ),
    "a callback's state that is none": plain(lambda content: content.update(callbacks={"Mine": [3]})),
    "no weights": lambda arrays: arrays.pop("model/0"),
    "no best weights of one layer": lambda arrays: arrays.pop("best/0"),
    "weights of another shape": lambda arrays: arrays.update({"model/0": arrays["model/0"][1:]}),
    "weights of another type": lambda arrays: arrays.update({"model/0": arrays["model/0"].astype("f8")}),
    "weights that are text": lambda arrays: arrays.update({"model/0": np.array(["a"])}),
    "best weights of another shape": lambda arrays: arrays.update({"best/0": arrays["best/0"][1:]}),
    "one array too many": lambda arrays: arrays.update({"model/99": np.zeros(3)}),
    "a file outside of the folder": lambda arrays: arrays.update({"feed/../../evil": np.zeros(3, "u1")}),
}


@pytest.mark.parametrize("change", INSIDE.values(), ids=INSIDE)
def test_what_is_broken_inside_falls_back_to_the_one_before(run_dir, stems, state, change):
    rewritten(stems[1], change)
    warned = f"{stems[1].name} (is damaged|does not fit)"
    with pytest.warns(UserWarning, match=warned) as warnings:
        assert load(run_dir, state).position["epoch"] == 1
    assert len(warnings) == 1
    assert "\n" not in str(warnings[0].message)


@pytest.mark.parametrize("name", ["no plain", "plain is nested deep", "no weights", "an epoch of text"])
def test_so_it_does_behind_a_scheme(run_dir, stems, state, name):
    rewritten(stems[1], INSIDE[name])
    place = f"file://{run_dir / 'checkpoints'}"
    with pytest.warns(UserWarning, match=f"{stems[1].name} (is damaged|does not fit) .file {place}"):
        found = load_latest(
            place, lambda found, place: check_checkpoint(found, place, lambda phase: state[0], state[1])
        )
    assert found.position["epoch"] == 1


ARCHIVES = {
    "empty": replaced_by(""),
    "text": replaced_by("arrays"),
    "cut": changed(lambda content: content[:-100]),
    "one .npy array": replaced_by(
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': ()}"
    ),
    "no arrays": lambda path: zip_of(path, {"a.txt": b"a"}),
    "something else than arrays": lambda path: zip_of(path, {"a.txt": b"a", "plain.npy": b"{}"}),
    "a bomb": lambda path: zip_of(path, {"model/0.npy": bytes(10_000_000)}),
    "a flipped bit": changed(flip_in_the_middle),
}


@pytest.mark.parametrize("damage", ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_that_is_none_falls_back_to_the_one_before(run_dir, stems, state, damage):
    path = stems[1].with_suffix(".npz")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    damage(path)
    sealed(stems[1])
    with pytest.warns(UserWarning, match="is damaged"):
        assert load(run_dir, state).position["epoch"] == 1


MANIFESTS = {**TEXTS, "format 1": with_keys({"format": 1}), "no checksum": with_keys({"sha256": ...})}


@pytest.mark.parametrize("damage", MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_falls_back_to_the_one_before(run_dir, stems, state, damage):
    damage(stems[1].with_suffix(".json"))
    with pytest.warns(UserWarning, match=f"{stems[1].name} is (damaged|missing)") as warnings:
        assert load(run_dir, state).position["epoch"] == 1
    assert len(warnings) == 1


def test_a_checkpoint_of_a_newer_kexp_is_neither_damaged_nor_overwritten(run_dir, stems, state):
    with_keys({"format": 3})(stems[1].with_suffix(".json"))
    with refused(f"{stems[1].name}.json", "is of format 3, which a newer kexp wrote"):
        load(run_dir, state)


NEWEST = {
    **TEXTS,
    "infinity": replaced_by('{"step": Infinity}'),
    "not a number": replaced_by('{"step": NaN}'),
    "1e400": replaced_by('{"step": 1e400}'),
    "below 0": replaced_by('{"step": -1}'),
    "text": replaced_by('{"step": "last"}'),
    "half": replaced_by('{"step": 1.5}'),
    "20 digits": replaced_by('{"step": 99999999999999999999}'),
}


@pytest.mark.parametrize("damage", NEWEST.values(), ids=NEWEST)
def test_a_damaged_name_of_the_newest_is_said_and_the_newest_is_used(run_dir, state, damage):
    damage(run_dir / "checkpoints" / "newest.json")
    if damage is TEXTS["missing"]:
        assert load(run_dir, state).position["epoch"] == 2
        return
    with pytest.warns(UserWarning, match=r"newest\.json is damaged"):
        assert load(run_dir, state).position["epoch"] == 2


@pytest.mark.filterwarnings("ignore:Checkpoint:UserWarning")
def test_when_none_can_be_read_the_run_begins_anew_and_says_so_and_ends_the_same(run_dir, digits_run, stems):
    for stem in stems:
        changed(flip_in_the_middle)(stem.with_suffix(".npz"))
    with pytest.warns(UserWarning, match=r"No checkpoint in .*checkpoints can be used; the run begins anew"):
        result = kexp.resume(run_dir, quiet=True)
    assert result.history == kexp.load(digits_run).history


def test_when_all_are_of_another_model_the_run_is_left_as_it_is(run_dir, stems):
    for stem in stems:
        rewritten(stem, lambda arrays: arrays.update({"model/0": arrays["model/0"][1:]}))
    before = {path: path.read_bytes() for path in run_dir.rglob("step-*")}
    with refused(
        f"{stems[1].name}.npz: is of another model or optimizer: model/0 is float32 (63, 256) there"
    ):
        kexp.resume(run_dir, quiet=True)
    assert {path: path.read_bytes() for path in run_dir.rglob("step-*")} == before


@pytest.mark.parametrize(
    "damage", [a_folder, a_pipe, *(TEXTS[name] for name in ("null", "cut", "not UTF-8"))]
)
def test_what_says_whose_the_checkpoints_elsewhere_are_is_checked(digits_run, tmp_path, damage):
    from kexp import recipes

    place = tmp_path / "state"
    place.mkdir()
    content = json.loads((digits_run / "config.json").read_text())
    data = json.loads((digits_run / "env.json").read_text())["data"]
    (place / "run.json").write_text(json.dumps({**content, "data": data}))
    damage(place / "run.json")
    options = {"data": "digits", "epochs": 2, "quiet": True, "checkpoint_dir": str(place)}
    with refused("run.json"):
        recipes.mlp_images(**options, run_dir=str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_another_file_by_the_name_of_a_checkpoint_is_none(run_dir, state):
    (run_dir / "checkpoints" / "step-mine.json").write_text("{}")
    assert load(run_dir, state).position["epoch"] == 2
