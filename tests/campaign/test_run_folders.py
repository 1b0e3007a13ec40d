"""Damaged run folders: whatever is wrong with a file is one sentence that names it; nothing is written."""

import io
import json
import zipfile

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.report import read_history
from kexp.run.example_inputs import load_samples
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

NAMES = ("config.json", "env.json", "result.json")
LINE = {"data": "digits", "epochs": 2, "quiet": True}


@pytest.fixture
def run_dir(digits_run, tmp_path):
    """Return a copy of a finished run, whose files are to be replaced."""
    return copy_of(digits_run, tmp_path / "run")


def without_checksums(run_dir):
    """Make a run one of kexp 0.1.0, in which damage is found by what is read alone."""
    with_keys({"files": ..., "format": ...})(run_dir / "result.json")


def unfinished(run_dir):
    """Take the result of a run away."""
    (run_dir / "result.json").unlink()
    return {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_json_file_is_named(run_dir, name, damage):
    damage(run_dir / name)
    with refused(name if damage is not TEXTS["missing"] or name != "result.json" else "unfinished run"):
        kexp.load(run_dir)


@pytest.mark.parametrize("damage", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["config.json", "env.json"])
def test_it_is_named_by_resume_and_by_the_same_line_too(run_dir, name, damage):
    damage(run_dir / name)
    before = unfinished(run_dir)
    with refused(name):
        kexp.resume(run_dir, quiet=True)
    other_files = damage is TEXTS["missing"] and name == "config.json"
    with refused("holds files that are not a run" if other_files else name):
        recipes.mlp_images(**LINE, run_dir=str(run_dir))
    assert {path: path.read_bytes() for path in before} == before


KEYS = [
    ("config.json", {"recipe": ...}, "lacks the key recipe"),
    ("config.json", {"recipe": 3}, "recipe must be a text"),
    ("config.json", {"arguments": None}, "arguments must be an object"),
    ("config.json", {"arguments": []}, "arguments must be an object"),
    ("config.json", {"format": 2}, "is of format 2, which a newer kexp wrote"),
    ("config.json", {"format": 10**30}, "which a newer kexp wrote"),
    ("config.json", {"format": "1"}, "format must be a whole number"),
    ("config.json", {"format": 0}, "format must be a whole number"),
    ("config.json", {"recipe": "cnn_images"}, "is not what the run wrote"),
    ("config.json", {"arguments.epochs": 3}, "is not what the run wrote"),
    ("env.json", {"data": ...}, "lacks the key data"),
    ("env.json", {"data": "digits"}, "data must be an object"),
    ("env.json", {"data": {"name": "digits"}}, "data lacks the key fingerprint"),
    ("env.json", {"data.name": None}, "data must be an object, each value a text"),
    ("env.json", {"checkpoint_dir": 3}, "checkpoint_dir must be a text or null"),
    ("env.json", {"format": 2}, "is of format 2, which a newer kexp wrote"),
    ("env.json", {"seed": 4}, "is not what the run wrote"),
    ("result.json", {"metrics": []}, "metrics must be an object"),
    ("result.json", {"metrics": {"loss": "low"}}, "metrics must be an object, each value a number"),
    ("result.json", {"metrics": {"loss": 10**400}}, "metrics must be an object, each value a number"),
    ("result.json", {"history": {}}, "history must hold as many"),
    ("result.json", {"history.loss": [0.5]}, "history must hold as many"),
    ("result.json", {"history.loss": [None, 0.5]}, "history must be an object"),
    ("result.json", {"history": {"loss": []}}, "history must hold as many"),
    ("result.json", {"best_epoch": 3}, "best_epoch be one of them"),
    ("result.json", {"best_epoch": -1}, "best_epoch must be a whole number, 0 or more"),
    ("result.json", {"best_epoch": 1.5}, "best_epoch must be a whole number"),
    ("result.json", {"from_logits": 1}, "from_logits must be true or false"),
    ("result.json", {"parameters": True}, "parameters must be a whole number"),
    ("result.json", {"parameters": 10**30}, "parameters must be a whole number"),
    ("result.json", {"seconds": None}, "seconds must be a number"),
    ("result.json", {"phases": ["first"]}, "phases"),
    ("result.json", {"files": ["model.keras"]}, "files must be an object"),
    ("result.json", {"files": {"model.keras": 3}}, "files must be an object, each value a text"),
    ("result.json", {"format": 2}, "is of format 2, which a newer kexp wrote"),
    ("result.json", {"spec": None}, "spec must be an object"),
    ("result.json", {"spec.kind": ...}, "spec: lacks the key kind"),
    ("result.json", {"spec.kind": "picture"}, "spec: kind must be"),
    ("result.json", {"spec.input_shape": "888"}, "spec: input_shape must be a list"),
    (
        "result.json",
        {"spec.input_shape": [8, -8, 1]},
        "spec: input_shape must be a list, each a whole number",
    ),
    ("result.json", {"spec.input_shape": [8, 8.5, 1]}, "spec: input_shape must be a list"),
    ("result.json", {"spec.input_shape": [10**12]}, "spec: input_shape must be a list"),
    ("result.json", {"spec.input_shape": [10**7] * 3}, "input_shape takes"),
    ("result.json", {"spec.dtype": "uint7"}, "spec: dtype must be a type of numbers"),
    ("result.json", {"spec.dtype": "object"}, "spec: dtype must be a type of numbers"),
    ("result.json", {"spec.task": "clasification"}, "spec: task='clasification'"),
    ("result.json", {"spec.task": 3}, "spec: task must be a text"),
    ("result.json", {"spec.outputs": -1}, "spec: outputs must be a whole number"),
    ("result.json", {"spec.outputs": 10**12}, "spec: outputs must be a whole number"),
    ("result.json", {"spec.outputs": 7}, "spec: class_names must be as many"),
    ("result.json", {"spec.class_names": "0123456789"}, "spec: class_names must be a list"),
    ("result.json", {"spec.class_names": list(range(10))}, "spec: class_names must be a list, each a text"),
    (
        "result.json",
        {"spec.class_names": [*"012345678", "\ud800"]},
        "must be text that UTF-8 can say",
    ),
    ("result.json", {"spec.columns": None}, "spec: columns must be a list"),
    ("result.json", {"spec.columns": [3]}, "spec: columns must be a list, each an object"),
    ("result.json", {"spec.columns": [{"name": "a"}]}, "columns[0]: lacks the key kind"),
    ("result.json", {"spec.columns": [{"name": "a", "kind": "time"}]}, "columns[0]: kind must be"),
    ("result.json", {"spec.target": None}, "spec: target must be a text"),
]


@pytest.mark.parametrize(("name", "changes", "words"), KEYS)
def test_a_key_that_is_missing_or_holds_something_else_is_named(run_dir, name, changes, words):
    with_keys(changes)(run_dir / name)
    with refused(name, words):
        kexp.load(run_dir)


CALLS = [
    ({"recipe": "importlib"}, "is a run of importlib, which is not one of kexp's recipes"),
    ({"recipe": "Path"}, "is a run of Path, which is not one of kexp's recipes"),
    ({"recipe": "__all__"}, "is a run of __all__, which is not one of kexp's recipes"),
    ({"recipe": "__path__"}, "is not one of kexp's recipes"),
    ({"recipe": "mlp_images\nrun"}, "is a run of 'mlp_images\\nrun'"),
    ({"arguments.epoch": 3}, "config.json: mlp_images has no argument epoch (did you mean 'epochs'?)"),
    ({"arguments.self": 3}, "config.json: mlp_images has no argument self"),
    ({"arguments.epochs": "many"}, "config.json: epochs must be a whole number"),
    ({"arguments.epochs": -3}, "config.json: epochs must be a whole number, 1 or more"),
    ({"arguments.hidden": "wide"}, "config.json: hidden must be a tuple"),
    ({"arguments.data": 3}, "config.json: data must be a name, a path"),
    ({"arguments.data": "no such data"}, "config.json: ", "no such data"),
    ({"arguments.optimizer": {"class_name": "Adam"}}, "config.json: optimizer must be one of"),
]


@pytest.mark.parametrize("case", CALLS, ids=lambda case: json.dumps(case[0]))
def test_a_recorded_call_is_checked_as_a_users_is_and_its_recipe_is_one_of_kexps(run_dir, case):
    changes, *words = case
    with_keys(changes)(run_dir / "config.json")
    before = unfinished(run_dir)
    with refused(*words):
        kexp.resume(run_dir, quiet=True)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "place", ["{}/elsewhere", "{}/run/../elsewhere", "file://{}/elsewhere", "~", "nosuch://x", "\0"]
)
def test_nothing_is_written_where_a_folder_of_somebody_else_says(run_dir, tmp_path, place):
    with_keys({"checkpoint_dir": place.format(tmp_path)})(run_dir / "env.json")
    unfinished(run_dir)
    with refused(f"run_dir {run_dir}", "outside of itself", "checkpoint_dir="):
        kexp.resume(run_dir, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_options_that_say_where_to_write_are_not_taken_from_a_config(run_dir, tmp_path):
    elsewhere = {"run_dir": str(tmp_path / "a"), "checkpoint_dir": str(tmp_path / "b"), "quiet": False}
    with_keys({f"arguments.{name}": value for name, value in elsewhere.items()})(run_dir / "config.json")
    unfinished(run_dir)
    assert kexp.resume(run_dir, quiet=True).run_dir == run_dir
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["checkpoints", "metrics.jsonl", "checkpoints/lock"])
def test_a_link_that_leads_out_of_a_folder_is_not_followed(run_dir, tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".profile").write_text("mine")
    path = run_dir / name
    path.rename(tmp_path / "aside")
    path.symlink_to(tmp_path / "mine" / ("" if name == "checkpoints" else ".profile"))
    unfinished(run_dir)
    with refused(f"run_dir {run_dir} holds a link, {name}, that leads out of it"):
        kexp.resume(run_dir, quiet=True)
    assert (tmp_path / "mine" / ".profile").read_text() == "mine"


def rezipped(**members):
    """Return a damage that replaces members of a zip archive, with checksums that are right."""

    def damage(path):
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        zip_of(path, {**content, **{f"{name}.json": text.encode() for name, text in members.items()}})

    return damage


MODELS = {
    "missing": lambda path: path.unlink(),
    "empty": replaced_by(""),
    "cut": changed(lambda content: content[:-100]),
    "cut short": changed(lambda content: content[:50]),
    "a flipped bit in the weights": changed(flip_in_the_middle),
    "text": replaced_by("weights"),
    "a folder": a_folder,
    "a pipe": a_pipe,
    "another archive": lambda path: zip_of(path, {"a.txt": b"a"}),
    "no config": rezipped(config="null"),
    "a config of another layer": rezipped(
        config='{"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}'
    ),
    "an unknown class": rezipped(config='{"module": "mine", "class_name": "Net", "config": {}}'),
    "a config that is no text": rezipped(config="\x00"),
    "a config nested deep": rezipped(config="[" * 100_000),
}


@pytest.mark.parametrize("checked", [True, False], ids=["with checksums", "of kexp 0.1.0"])
@pytest.mark.parametrize("damage", MODELS.values(), ids=MODELS)
def test_a_damaged_model_is_named_before_anything_is_predicted_or_exported(
    run_dir, tmp_path, damage, checked
):
    if not checked:
        without_checksums(run_dir)
    damage(run_dir / "model.keras")
    result = kexp.load(run_dir)
    with refused("model.keras"):
        result.predict(np.zeros((1, 8, 8), "uint8"))
    with refused("model.keras"):
        result.export(tmp_path / "served")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


OTHERS = [
    ({"spec.input_shape": [8, 8]}, "takes inputs of (8, 8, 1), and the data has (8, 8)"),
    ({"spec.input_shape": [28, 28, 1]}, "takes inputs of (8, 8, 1), and the data has (28, 28, 1)"),
    ({"spec.outputs": 7, "spec.class_names": []}, "is not for the classification of the run"),
    ({"spec.task": "segmentation"}, "is not for the segmentation of the run"),
    ({"spec.task": "reconstruction"}, "is not for the reconstruction of the run"),
    ({"spec.task": "text"}, "is not for the text of the run"),
    (
        {"spec.kind": "table", "spec.columns": [{"name": "a", "kind": "number"}]},
        "other columns than those of the data",
    ),
]


@pytest.mark.parametrize(("changes", "words"), OTHERS)
def test_a_model_of_something_else_than_the_result_says_is_refused(run_dir, changes, words):
    with_keys(changes)(run_dir / "result.json")
    result = kexp.load(run_dir)
    shape = changes.get("spec.input_shape", [8, 8, 1])
    inputs = {"a": [1.0]} if "spec.columns" in changes else np.zeros((1, *shape), "uint8")
    with refused("model.keras", words):
        result.predict(inputs)


def test_a_model_is_not_measured_on_data_that_it_cannot_take(run_dir):
    result = kexp.load(run_dir)
    random = np.random.default_rng(0)
    with refused("cannot take the inputs", "(4, 4, 1)"):
        result.evaluate(
            kexp.data.load((random.integers(0, 255, (40, 4, 4)).astype("uint8"), np.arange(40) % 10))
        )
    with_keys({"spec.outputs": 3, "spec.class_names": []})(run_dir / "result.json")
    with refused("must give outputs of shape (batch, 3)"):
        kexp.load(run_dir).evaluate(
            kexp.data.load((random.integers(0, 255, (40, 8, 8)).astype("uint8"), np.arange(40) % 3))
        )


def test_a_model_that_makes_no_samples_is_not_drawn_from(run_dir):
    with_keys({"spec.task": "generation"})(run_dir / "result.json")
    with refused("model.keras: makes no samples"):
        kexp.load(run_dir).sample(1)


def npz_of(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return replaced_by(buffer.getvalue())


DIGIT = np.zeros((4, 8, 8, 1), "uint8")
SAMPLES = {
    "missing": lambda path: path.unlink(),
    "empty": replaced_by(""),
    "cut": changed(lambda content: content[:-30]),
    "a flipped bit": changed(flip_in_the_middle),
    "text": replaced_by("samples"),
    "a folder": a_folder,
    "a pipe": a_pipe,
    "no arrays": npz_of(),
    "another name": npz_of(x=DIGIT),
    "one array too many": npz_of(column_0=DIGIT, column_1=DIGIT),
    "other shapes": npz_of(column_0=DIGIT[:, 1:]),
    "no axis": npz_of(column_0=np.uint8(3)),
    "no samples": npz_of(column_0=DIGIT[:0]),
    "another type": npz_of(column_0=DIGIT.astype("float32")),
    "objects": npz_of(column_0=np.array([None])),
    "a bomb": lambda path: zip_of(path, {"column_0.npy": bytes(10_000_000)}),
}


@pytest.mark.parametrize("damage", SAMPLES.values(), ids=SAMPLES)
def test_damaged_samples_are_named_before_anything_is_exported(run_dir, tmp_path, damage):
    damage(run_dir / "samples.npz")
    with refused("samples.npz"):
        kexp.load(run_dir).export(tmp_path / "served")
    without_checksums(run_dir)
    with refused("samples.npz"):
        load_samples(run_dir / "samples.npz", kexp.load(run_dir).spec)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


LINES = {
    "not UTF-8": b'{"epoch": 1, "loss": 0.5}\n\xff\n',
    "text": b'{"epoch": 1, "loss": "low"}\n',
    "a list": b"[]\n",
    "no epoch": b'{"loss": 0.5}\n',
    "nested deep": b"[" * 100_000 + b"\n",
    "cut in the middle": b'{"epoch": 1, "lo\n{"epoch": 2, "loss": 0.5}\n',
    "a number of 5000 digits": b'{"epoch": ' + b"9" * 5000 + b"}\n",
    "zeros": bytes(100) + b"\n",
}


@pytest.mark.parametrize("content", LINES.values(), ids=LINES)
def test_damaged_metrics_of_epochs_are_named(run_dir, content):
    replaced_by(content)(run_dir / "metrics.jsonl")
    with refused("metrics.jsonl: is not what the run wrote"):
        read_history(run_dir)
    unfinished(run_dir)
    with refused("metrics.jsonl, line "):
        read_history(run_dir)


def test_a_flipped_bit_in_any_file_that_is_read_is_noticed(run_dir):
    files = json.loads((run_dir / "result.json").read_text())["files"]
    assert files.keys() == {path.name for path in run_dir.iterdir()} - {"result.json", "checkpoints"}
    readers = {
        "config.json": lambda: kexp.load(run_dir),
        "env.json": lambda: kexp.load(run_dir),
        "metrics.jsonl": lambda: read_history(run_dir),
        "model.keras": lambda: kexp.load(run_dir).model,
        "samples.npz": lambda: kexp.load(run_dir).example_inputs(),
        "pace.jsonl": lambda: kexp.load(run_dir).report(run_dir.parent / "page.html"),
    }
    for name, read in readers.items():
        whole = (run_dir / name).read_bytes()
        for place in np.linspace(0, len(whole) - 1, 5, dtype=int):
            replaced_by(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])(run_dir / name)
            with refused(name):
                read()
        replaced_by(whole)(run_dir / name)
        read()
