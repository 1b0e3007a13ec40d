"""Strings in ONNX and LiteRT: numbers in the file, and `preprocess.py` beside it that makes them."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kexp
import kexp.verify
from kexp import InputError
from kexp.data.dataset import Column
from kexp.export import ExportError, load_exported
from kexp.export.preprocess import StringNumbers
from kexp.export.staging import check_place
from kexp.export.string_lookups import lookup_settings
from kexp.models import text_preprocessing, tokenizer
from kexp.run.inference import raw_model

FORMATS = ("litert", "onnx")
NAMES = Path(kexp.data.__file__).parent / "samples" / "first_names.csv.gz"
TEXTS = [
    "",
    "Anna",
    "ANNA",
    "  Zo\u00eb\u00a0\u0130 ",
    "e\u0301",
    "\u05d0\u05d1",
    "\U0001f469\u200d\U0001f467",
    "x" * 999,
    "\x01\x1f\u2028",
]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> kexp.Result:
    """A tiny run on a few short names, since its steps are written one by one."""
    folder = tmp_path_factory.mktemp("names")
    lines = gzip.decompress(NAMES.read_bytes()).decode().splitlines()
    (folder / "names.csv").write_text(
        "\n".join([lines[0], *(line for line in lines[1:] if len(line.split(",")[0]) < 4)]),
        encoding="utf-8",
    )
    return kexp.recipes.lstm_text(
        data=str(folder / "names.csv"),
        text="name",
        target="label",
        embedding=16,
        units=(16,),
        cell="simple",
        bidirectional=False,
        epochs=1,
        quiet=True,
        run_dir=str(folder / "run"),
    )


@pytest.fixture(scope="module")
def served(result: kexp.Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.export(tmp_path_factory.mktemp("served") / "names", formats=FORMATS)


def texts_of(seed: int, count: int) -> np.ndarray:
    """Texts of everything that programs disagree on, and of any other characters."""
    draw = random.Random(seed)
    odd = list(" \t\n\v\f\r\x1c\x85\xa0\u2028\u3000\u200d\ufeff\ufffd") + list(
        "aAbBz\u00e9\u0130\u1e9e\u00d6'\"-.,[]_!~  "
    )

    def character() -> str:
        anything = (draw.randrange(1, 0xD800), draw.randrange(0xE000, 0x110000))
        return draw.choice(odd) if draw.random() < 0.8 else chr(draw.choice(anything))

    texts = ["".join(character() for _ in range(draw.choice([0, 1, 3, 20]))) for _ in range(count)]
    return np.array([*texts, "a b" * 500], object)


def preprocessing_of(kind: str, texts: np.ndarray) -> Any:
    pieces = [" a", "ab", "aB", " b\u00e9", "  ", " \t", "\u00e9", " ", "a", "!~", "b", "ab a"]
    if kind == "pieces":
        return text_preprocessing(texts, split="subword", pieces=pieces, steps=9)
    if kind in ("character", "word"):
        return text_preprocessing(texts, split=kind, vocabulary=100)  # type: ignore[arg-type]
    return tokenizer(texts, split=kind, vocabulary=3000)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["character", "word", "pieces", "space", "subword"])
def test_every_lookup_of_texts_is_repeated_without_tensorflow(kind):
    import tensorflow as tf

    model, texts = preprocessing_of(kind, texts_of(1, 300)), texts_of(2, 500)
    settings = next(found for layer in model.layers if (found := lookup_settings(layer)))
    numbers = StringNumbers(**json.loads(json.dumps(settings)))(texts)
    np.testing.assert_array_equal(numbers, np.asarray(model(tf.constant(texts))))


def test_texts_are_cut_into_characters_by_unicode_alone():
    import tensorflow as tf

    every = [chr(code) for code in range(1, 0x110000, 7) if not 0xD800 <= code < 0xE000]
    split = tf.strings.unicode_split(["".join(every)], "UTF-8").flat_values.numpy()
    assert [one.decode() for one in split] == list("".join(every))


def test_a_run_on_texts_predicts_as_before_from_both_formats(result, served):
    assert {file.name for file in (served / "1").iterdir()} == {
        *("model.onnx", "model.tflite", "preprocess.py", "preprocess.json", "README.md", "assets.extra")
    }
    with pytest.warns(UserWarning, match="not in the vocabulary"):
        expected = result.predict(TEXTS)
    found = load_exported(served).predict(TEXTS)
    assert found.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    report = kexp.verify.export(served)
    assert report.difference is None
    assert [one.format for one in report.checked] == list(FORMATS)
    assert not report.unchecked


@pytest.mark.parametrize("form", FORMATS)
def test_the_script_on_the_card_answers_for_strings_without_kexp(form, served, result):
    card = (served / "1" / "README.md").read_text(encoding="utf-8")
    script = card.split(f"\n{form}:\n\n```python\n")[1].split("```")[0]
    script += "\nimport sys; assert not {'kexp', 'keras', 'tensorflow'} & set(sys.modules)"
    script += "\nprint(outputs['probabilities'].tolist())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script]
        if sys.version_info >= (3, 11)
        else [sys.executable, "-c", script],
        cwd=served / "1",
        capture_output=True,
        text=True,
        check=True,
    )
    expected = result.predict(result.example_inputs()[:8]).probabilities
    np.testing.assert_allclose(json.loads(done.stdout.splitlines()[-1]), expected, atol=1e-5)


def test_a_script_in_the_folder_is_not_run_by_kexp(served, tmp_path):
    folder = shutil.copytree(served / "1", tmp_path / "foreign")
    ran = tmp_path / "ran"
    (folder / "preprocess.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"preprocess\.py"):
        load_exported(folder).predict(TEXTS)
    kexp_json = folder / "assets.extra" / "kexp.json"
    described = json.loads(kexp_json.read_text(encoding="utf-8"))
    described["files"].pop("preprocess.py")
    described.pop("checksum")
    kexp_json.write_text(json.dumps(described), encoding="utf-8")
    load_exported(folder).predict(TEXTS)
    report = kexp.verify.export(folder)
    assert [one.format for one in report.checked] == list(FORMATS)
    assert any("preprocess.py, which is not this kexp's" in one for one in report.unchecked)
    assert not ran.exists()


def test_who_imports_the_script_can_export_there_again(served, tmp_path):
    folder = shutil.copytree(served, tmp_path / "imported")
    script = "import preprocess; assert preprocess.load_preprocessing('.')({'inputs': ['Anna']})"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", script], cwd=folder / "1", env=environment, check=True)
    assert (folder / "1" / "__pycache__").is_dir()
    check_place(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"split": "syllable"}, "split"), ({"steps": None}, "steps"), ({"tokens": [1]}, "tokens")],
)
def test_damaged_settings_are_refused_in_a_sentence(change, words, served, tmp_path):
    folder = shutil.copytree(served / "1", tmp_path / "damaged")
    path = folder / "preprocess.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["inputs"]["inputs"] |= change
    path.write_text(json.dumps(content), encoding="utf-8")
    kexp_json = folder / "assets.extra" / "kexp.json"
    described = json.loads(kexp_json.read_text(encoding="utf-8"))
    described["files"].pop("preprocess.json")
    kexp_json.write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(InputError, match=rf"preprocess\.json.*{words}"):
        load_exported(folder).predict(TEXTS)


def test_a_fault_in_the_settings_is_found_and_leaves_nothing(result, tmp_path, monkeypatch):
    def shifted(layer: Any) -> Any:
        settings = lookup_settings(layer)
        return settings and {**settings, "first": settings["first"] - 1}

    monkeypatch.setattr("kexp.export.numeric_core.lookup_settings", shifted)
    with pytest.raises(ExportError, match="computes something else"):
        result.export(tmp_path / "served", formats="onnx")
    assert list(tmp_path.iterdir()) == []


def test_columns_of_a_table_are_looked_up_and_numbers_stay(make_export, tmp_path):
    import keras

    from kexp.data.dataset import DatasetSpec
    from kexp.models.preprocessing.tabular import tabular_preprocessing

    columns = (Column("age", "number"), Column("home_town", "category"))
    samples = {
        "age": np.array([20, np.nan, 40, 31], "float32"),
        "home_town": np.array(["Ulm", "", "Z\u00fcrich", "Ulm"], object),
    }
    prepared = tabular_preprocessing(samples, columns)
    head = keras.Sequential([keras.Input(prepared.output_shape[1:]), keras.layers.Dense(2)])
    spec = DatasetSpec("table", (2,), "mixed", "classification", 2, ("no", "yes"), columns, "bought")
    case = make_export(raw_model(head, prepared), spec, samples, tmp_path / "served", formats="litert")
    found = load_exported(case.directory).predict(samples)
    np.testing.assert_allclose(found.probabilities, case.expected.probabilities, atol=1e-5)


def test_dates_are_refused_by_name(make_export, tmp_path):
    import keras

    from kexp.data.dataset import DatasetSpec
    from kexp.models.preprocessing.tabular import tabular_preprocessing

    columns = (Column("when", "date", date_format="%Y-%m-%d"), Column("age", "number"))
    samples = {
        "when": np.array(["2020-01-01", "2020-02-03"], object),
        "age": np.array([1, 2], "float32"),
    }
    prepared = tabular_preprocessing(samples, columns)
    head = keras.Sequential([keras.Input(prepared.output_shape[1:]), keras.layers.Dense(2)])
    spec = DatasetSpec("table", (2,), "mixed", "classification", 2, ("no", "yes"), columns, "bought")
    with pytest.raises(
        InputError, match="onnx cannot carry text and string lookup, and 'when' goes into DateF"
    ):
        make_export(raw_model(head, prepared), spec, samples, tmp_path / "served", formats="onnx")
    assert list(tmp_path.iterdir()) == []
