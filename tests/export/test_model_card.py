"""What a version's folder tells whoever gets it: the model card, the recorded examples, the licence."""

from __future__ import annotations

import json
import re

import keras
import numpy as np
import pytest
import yaml

import kexp
from kexp import InputError
from kexp.data.dataset import DatasetSpec
from kexp.export import export_model
from kexp.run.example_inputs import save_samples
from kexp.tasks.predictions import Predictions


@pytest.fixture(scope="module")
def served(digits_run, tmp_path_factory):
    """The folder of a version with a licence."""
    place = tmp_path_factory.mktemp("card") / "digits"
    return kexp.load(digits_run).export(place, formats="litert", license="cc-by-4.0") / "1"


def parts_of(card):
    """Return the metadata and the text of a card, as the Hugging Face Hub reads them."""
    found = re.match(r"---\n(.*?)\n---\n(.*)", card, re.DOTALL)
    assert found is not None
    return yaml.safe_load(found[1]), found[2]


def test_the_metadata_are_those_of_the_run(served, digits_run):
    metadata, _ = parts_of((served / "README.md").read_text(encoding="utf-8"))
    assert metadata["license"] == "cc-by-4.0"
    assert metadata["library_name"] == "keras"
    assert metadata["pipeline_tag"] == "image-classification"
    assert metadata["tags"] == ["kexp", "classification", "image"]
    (model,) = metadata["model-index"]
    recorded = json.loads((digits_run / "result.json").read_text())["metrics"]
    for result, prefix in zip(model["results"], ("test_", "val_"), strict=True):
        assert result["dataset"]["name"] == "digits"
        found = {metric["name"]: metric["value"] for metric in result["metrics"]}
        assert found == {name: value for name, value in recorded.items() if name.startswith(prefix)}


def test_the_text_has_figures_with_intervals_origin_and_labels(served, digits_run):
    _, text = parts_of((served / "README.md").read_text(encoding="utf-8"))
    result = kexp.load(digits_run)
    low, high = result.intervals["test_accuracy"]
    value = result.metrics["test_accuracy"]
    assert rf"| test\_accuracy | {value:.6g} | {low:.6g} to {high:.6g} |" in text
    assert result.environment["data"]["fingerprint"] in text
    assert result.environment["versions"]["keras"] in text
    assert "| input | `inputs` | uint8 | (n, 8, 8, 1) |" in text
    assert "| 9 | 9 |" in text
    assert re.search(r"\| date of the export \| \d{4}-\d\d-\d\dT", text)


def test_the_examples_are_validation_samples_with_the_answers_of_the_network(served, digits_run):
    data, result = kexp.data.load("digits"), kexp.load(digits_run)
    with np.load(served / "assets.extra" / "examples.npz") as file:
        inputs = file["serving_default/inputs/inputs"]
        probabilities = file["serving_default/outputs/probabilities"]
        labels = file["serving_default/outputs/label"]
    np.testing.assert_array_equal(inputs, data.validation.inputs[:8])
    expected = result.predict(inputs)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-6)
    assert labels.tolist() == expected.labels.tolist()


def test_the_script_of_the_card_gives_the_recorded_answers(served, monkeypatch):
    _, text = parts_of((served / "README.md").read_text(encoding="utf-8"))
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(served)
    names: dict[str, object] = {}
    exec(script, names)
    with np.load("assets.extra/examples.npz") as file:
        expected = file["serving_default/outputs/probabilities"]
    np.testing.assert_allclose(names["outputs"]["probabilities"], expected, atol=1e-5)


def test_nothing_in_the_folder_is_a_link_or_needs_the_run(served, digits_run):
    files = [path for path in served.rglob("*") if not path.is_dir()]
    assert sorted(path.relative_to(served).as_posix() for path in files) == [
        "README.md",
        "assets.extra/examples.npz",
        "assets.extra/kexp.json",
        "model.tflite",
    ]
    assert not any(path.is_symlink() for path in files)
    provenance = json.loads((served / "assets.extra" / "kexp.json").read_text())["provenance"]
    assert provenance.keys() == {"config", "env", "metrics", "intervals", "training", "exported"}


NASTY = ("</table><script>alert(1)</script>", "a|b\n---\n# c", '"x": [y', "`é` \x85\u2028\ufeff", "*n*")


def test_words_of_users_break_neither_the_metadata_nor_the_page(tmp_path, unchecked):
    spec = DatasetSpec("array", (4,), "float32", "classification", 5, NASTY, target="t")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    samples = np.ones((2, 4), "float32")
    expected = Predictions.from_outputs(model.predict_on_batch(samples), spec)
    name = "".join(NASTY)
    provenance = {
        "env": {"data": {"name": name, "fingerprint": "f"}, "notes": [name]},
        "config": {"recipe": name, "arguments": {name: [name]}},
        "metrics": {"val_loss": 1e-05, "loss": 2.0, "test_loss": float("nan"), "test_last_loss": 3.0},
    }
    path = export_model(
        model, spec, tmp_path / "served", samples=samples, expected=expected, provenance=provenance
    )
    metadata, text = parts_of((path / "1" / "README.md").read_text(encoding="utf-8"))
    (model_index,) = metadata["model-index"]
    assert "license" not in metadata
    assert "Licence: not given." in text
    assert "No examples are recorded." in text
    (validation, baseline) = (model_index["results"][-1], model_index["results"][:-1])
    assert validation["dataset"] == {"type": name, "name": name, "split": "validation"}
    assert validation["metrics"] == [{"type": "loss", "value": 1e-05, "name": "val_loss"}]
    assert baseline == []  # one is of a baseline, the other no number
    assert "<script>" not in text
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_without_a_validation_part_samples_are_of_the_training_part(tmp_path):
    data = kexp.data.load("digits", validation=0.0)
    assert data.test is not None
    assert save_samples(tmp_path / "samples.npz", data) == "training"
    with np.load(tmp_path / "samples.npz") as file:
        np.testing.assert_array_equal(file["column_0"], data.train.inputs[:64])


@pytest.mark.parametrize("license", ["", " ", "a\nb", 3])
def test_a_licence_that_is_no_line_of_text_is_refused_before_anything_is_written(
    license, digits_run, tmp_path
):
    with pytest.raises(InputError, match="license must be a line of text"):
        kexp.load(digits_run).export(tmp_path / "served", license=license)
    assert not any(tmp_path.iterdir())
