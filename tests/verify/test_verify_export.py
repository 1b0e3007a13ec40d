"""The check of an export can be repeated anywhere: without its run, and it finds what was changed since."""

import json
import shutil
from hashlib import sha256

import numpy as np
import pytest

import kexp
import kexp.verify
from kexp.cli.verify_export_command import verify_export
from kexp.export.exporter import exporters
from kexp.export.manifest import LOCATION, Manifest
from kexp.export.recorded_examples import LOCATION as EXAMPLES

WEIGHTS = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def exported(digits_run, tmp_path_factory):
    """The folder of a version in two formats, whose run is not beside it."""
    folder = tmp_path_factory.mktemp("exported")
    return kexp.load(digits_run).export(folder / "digits", formats="saved_model,litert") / "1"


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(exported, tmp_path / "served" / "1")


def rewrite(version, **changes):
    """Put other values into kexp.json, whose own checksum then fits again."""
    path = version / LOCATION
    content = json.loads(path.read_text(encoding="utf-8"))
    manifest = Manifest.read(version)
    for name, value in changes.items():
        object.__setattr__(manifest, name, value)
    assert content.keys() >= changes.keys()
    path.write_text(manifest.to_json(), encoding="utf-8")


def change_answer(version):
    """Take 0.01 from the first recorded probability to the second."""
    with np.load(version / EXAMPLES) as file:
        arrays = dict(file)
    arrays["serving_default/outputs/probabilities"][0, :2] += np.float32([-0.01, 0.01])
    np.savez_compressed(version / EXAMPLES, **arrays)


def test_the_command_says_what_each_format_computes_of_the_recorded_examples(exported, capsys):
    verify_export(str(exported.parent))
    head, *rows, outcome = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["format", "signature", "batches"]
    assert [row.split()[:2] for row in rows] == [
        ["saved_model", "serving_default"],
        ["saved_model", "serving_bytes"],
        ["litert", "serving_default"],
    ]
    assert all(0 <= float(row.split()[-2]) <= float(row.split()[-1]) == 1e-5 for row in rows)
    assert outcome.startswith(f"{exported} computes what was recorded; ")


def change_weights(version):
    content = bytearray((version / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (version / WEIGHTS).write_bytes(content)


def swap_labels(version):
    content = json.loads((version / LOCATION).read_text(encoding="utf-8"))
    names = content["spec"]["class_names"]
    names[:2] = reversed(names[:2])
    (version / LOCATION).write_text(json.dumps(content), encoding="utf-8")


FAULTS = {
    "a byte of the weights": (change_weights, WEIGHTS),
    "two labels": (swap_labels, LOCATION.as_posix()),
    "a recorded answer": (change_answer, EXAMPLES.as_posix()),
    "a file that is gone": (lambda version: (version / "model.tflite").unlink(), "model.tflite"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_changed_since_is_named_in_one_sentence(copy, fault):
    change, name = FAULTS[fault]
    change(copy)
    report = kexp.verify.export(copy)
    assert name in report.difference
    assert str(report) == report.difference
    assert report.difference.count("\n") == 0


def test_a_recorded_answer_that_is_another_is_found_where_all_checksums_fit(copy, capsys):
    change_answer(copy)
    files = dict(Manifest.read(copy).files)
    files[EXAMPLES.as_posix()] = sha256((copy / EXAMPLES).read_bytes()).hexdigest()
    rewrite(copy, files=files)
    with pytest.raises(SystemExit, match="1"):
        verify_export(str(copy.parent))
    assert capsys.readouterr().out == (
        "saved_model: a batch of 1 computes something else: the largest difference is 0.01, "
        "allowed is 1e-05.\n"
    )


def test_an_earlier_export_is_checked_for_what_it_holds_and_the_rest_is_said(copy):
    path = copy / LOCATION
    content = json.loads(path.read_text(encoding="utf-8"))
    later = {"license", "examples", "card", "checksum"}
    path.write_text(json.dumps({key: value for key, value in content.items() if key not in later}))
    report = kexp.verify.export(copy)
    assert (report.difference, report.checked, report.files) == (None, (), len(content["files"]))
    said = str(report)
    assert "not checked: what it computes, since it was exported without examples" in said
    assert "not checked: assets.extra/kexp.json itself" in said
    change_weights(copy)
    assert WEIGHTS in kexp.verify.export(copy).difference


def load_nothing(folder):
    import no_such_runtime

    return no_such_runtime


def test_what_cannot_be_checked_is_said_and_is_no_difference(copy, monkeypatch):
    (copy / "README.md").write_text("# Mine\n")
    (copy / ".gitattributes").touch()
    monkeypatch.setattr(type(exporters()["saved_model"]), "load", staticmethod(load_nothing))
    report = kexp.verify.export(copy)
    assert report.difference is None
    assert [one.format for one in report.checked] == ["litert"]
    assert report.unchecked == (
        "README.md, which was changed or removed since the export.",
        ".gitattributes, which the export did not write.",
        "saved_model, which needs the package no_such_runtime; install it and repeat.",
    )


def test_a_folder_that_is_no_export_is_refused(tmp_path, run_kexp):
    done = run_kexp("verify", "export", tmp_path, anew=True)
    assert done.returncode == 2
    assert "directory must be the folder of an exported model" in done.stderr
    assert done.stderr.count("\n") == 1
