"""An export that was damaged or tampered with is refused in one sentence, and before it is believed."""

import json
import shutil

import pytest

from kexp.core.errors import InputError
from kexp.export import load_exported
from kexp.export.manifest import LOCATION

WEIGHTS = "variables/variables.data-00000-of-00001"


def copied(case, folder):
    return shutil.copytree(case.directory, folder / "served")


def one_sentence(error, *words):
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    for word in words:
        assert word in text


def changed(path, **changes):
    """Return kexp.json with some keys of it changed, or left out where the value is ..."""
    content = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    return json.dumps({key: value for key, value in content.items() if value is not ...})


def with_spec(path, **changes):
    return changed(path, spec={**json.loads(path.read_text(encoding="utf-8"))["spec"], **changes})


DESCRIPTIONS = {
    "empty": lambda path: "",
    "blank": lambda path: " \n",
    "cut": lambda path: path.read_text(encoding="utf-8")[:300],
    "null": lambda path: "null",
    "a list": lambda path: "[]",
    "a number": lambda path: "3",
    "an open brace": lambda path: "{",
    "not UTF-8": lambda path: b"\xff\xfe{}",
    "100,000 brackets": lambda path: "[" * 100_000,
    "100,000 objects": lambda path: '{"spec":' * 100_000,
    "a number of 5,000 digits": lambda path: '{"format": ' + "1" * 5_000 + "}",
    "another format": lambda path: changed(path, format="other"),
    "a newer version": lambda path: changed(path, version=2),
    "no version": lambda path: changed(path, version=...),
    "no spec": lambda path: changed(path, spec=...),
    "an empty spec": lambda path: changed(path, spec={}),
    "spec null": lambda path: changed(path, spec=None),
    "spec a list": lambda path: changed(path, spec=[1]),
    "no keys": lambda path: changed(path, keys=...),
    "keys a list": lambda path: changed(path, keys=["inputs"]),
    "keys of numbers": lambda path: changed(path, keys={"inputs": 1}),
    "no provenance": lambda path: changed(path, provenance=...),
    "provenance a text": lambda path: changed(path, provenance="mine"),
    "signatures a text": lambda path: changed(path, signatures="serving_default"),
    "signatures of numbers": lambda path: changed(path, signatures=[1]),
    "files a list": lambda path: changed(path, files=["saved_model.pb"]),
    "files of numbers": lambda path: changed(path, files={"saved_model.pb": 1}),
    "keys of another input": lambda path: changed(path, keys={"pixels": "pixels"}),
    "a table without columns": lambda path: with_spec(path, kind="table", dtype="mixed", columns=[]),
    "10**12 outputs": lambda path: with_spec(path, outputs=10**12, class_names=[]),
}


@pytest.mark.parametrize("damage", DESCRIPTIONS)
def test_a_damaged_description_is_refused_before_tensorflow_is_asked(digits, tmp_path, damage):
    directory = copied(digits, tmp_path)
    path = directory / "1" / LOCATION
    content = DESCRIPTIONS[damage](path)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        load_exported(directory)
    one_sentence(error, str(path))


FILES = {
    "a flipped bit in the weights": (WEIGHTS, lambda content: flipped(content, len(content) // 2)),
    "a flipped bit at the end of the weights": (WEIGHTS, lambda content: flipped(content, -1)),
    "weights cut": (WEIGHTS, lambda content: content[:100]),
    "weights empty": (WEIGHTS, lambda content: b""),
    "weights missing": (WEIGHTS, None),
    "index cut": ("variables/variables.index", lambda content: content[:20]),
    "index missing": ("variables/variables.index", None),
    "graph overwritten": ("saved_model.pb", lambda content: b"\x00\x01\x02"),
    "graph cut": ("saved_model.pb", lambda content: content[: len(content) // 2]),
    "graph empty": ("saved_model.pb", lambda content: b""),
    "a flipped bit in the graph": ("saved_model.pb", lambda content: flipped(content, len(content) // 3)),
    "fingerprint missing": ("fingerprint.pb", None),
}


def flipped(content, at):
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def damaged(directory, file, damage):
    path = directory / "1" / file
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    return path


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_as_it_was_exported_is_named(digits, tmp_path, name):
    directory = copied(digits, tmp_path)
    path = damaged(directory, *FILES[name])
    with pytest.raises(InputError) as error:
        load_exported(directory).predict(digits.samples)
    one_sentence(error, str(path), "export the model again")


@pytest.mark.parametrize(
    "name", [name for name in FILES if not name.startswith(("a flipped", "fingerprint"))]
)
def test_an_export_from_before_there_were_checksums_is_refused_where_it_cannot_be_loaded(
    digits, tmp_path, name
):
    directory = copied(digits, tmp_path)
    description = directory / "1" / LOCATION
    description.write_text(changed(description, files=...), encoding="utf-8")
    damaged(directory, *FILES[name])
    with pytest.raises(InputError) as error:
        load_exported(directory).predict(digits.samples)
    one_sentence(error, str(directory), "export the model again")


@pytest.mark.parametrize("file", ["../../elsewhere", "/etc/hostname", "variables", "assets.extra/../.."])
def test_a_description_names_no_files_but_those_of_its_export(digits, tmp_path, file):
    directory = copied(digits, tmp_path)
    (tmp_path / "elsewhere").touch()
    description = directory / "1" / LOCATION
    description.write_text(changed(description, files={file: "0"}), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_exported(directory).predict(digits.samples)
    one_sentence(error, file)


TAMPERED = {
    "another dtype": {"dtype": "float32"},
    "another height": {"input_shape": [9, 8, 1]},
    "more channels": {"input_shape": [8, 8, 3]},
    "more classes": {"outputs": 11, "class_names": []},
    "ten million classes": {"outputs": 10_000_000, "class_names": []},
    "fewer classes": {"outputs": 2, "class_names": ["a", "b"]},
}


@pytest.mark.parametrize("tampering", TAMPERED)
def test_a_description_that_is_not_the_models_is_refused_at_the_first_prediction(digits, tmp_path, tampering):
    directory = copied(digits, tmp_path)
    description = directory / "1" / LOCATION
    description.write_text(with_spec(description, **TAMPERED[tampering]), encoding="utf-8")
    exported = load_exported(directory)
    inputs = digits.samples[:2]
    shape = tuple(exported.spec.input_shape)
    if shape != inputs.shape[1:]:
        inputs = inputs[:, :1, :1].repeat(shape[0], 1).repeat(shape[1], 2).repeat(shape[2], 3)
    with pytest.raises(InputError) as error:
        exported.predict(inputs.astype(exported.spec.dtype))
    one_sentence(error, str(directory))
