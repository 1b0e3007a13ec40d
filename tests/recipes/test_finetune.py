"""Fine-tuning recipes: phases, features computed once, means over mirror images, and what they export."""

import json

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError

SHORT = {"epochs": 3, "batch_size": 64, "quiet": True}


@pytest.fixture(scope="module")
def averaged(digits_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("averaged") / "run"
    options = {**SHORT, "head_epochs": 2, "unfreeze": 1.0, "tta": True}
    return recipes.finetune_images(backbone=str(digits_run), run_dir=str(folder), **options)


def test_what_a_run_records_and_exports_is_the_mean_that_it_measured(averaged, tmp_path):
    data = kexp.data.load("digits")
    images, labels = data.test.inputs, data.test.targets
    names = np.array(averaged.spec.class_names)
    predicted = averaged.predict(images)
    assert (predicted.labels == names[labels]).mean() == pytest.approx(
        averaged.metrics["test_averaged_accuracy"]
    )
    mirrored = averaged.predict(images[:, :, ::-1])
    np.testing.assert_allclose(predicted.probabilities, mirrored.probabilities, atol=1e-6)
    served = kexp.load_exported(averaged.export(tmp_path / "served"))
    np.testing.assert_allclose(
        served.predict(images[:9]).probabilities, predicted.probabilities[:9], atol=1e-6
    )


def test_the_run_of_another_task_gives_the_layers_to_go_on_with(averaged, digits_run):
    before = kexp.load(digits_run).model
    after = averaged.model.get_layer("finetuned")
    pairs = [
        (layer.get_weights()[0], after.get_layer(layer.name).get_weights()[0])
        for layer in before.layers[:-1]
        if layer.weights
    ]
    assert pairs
    for old, new in pairs:
        assert not np.array_equal(old, new)
        np.testing.assert_allclose(old, new, atol=0.05)  # a small rate leaves them near where they were
    config = json.loads((averaged.run_dir / "config.json").read_text())
    assert config["arguments"]["head_epochs"] == 2
    assert "phases" not in config["arguments"]  # which follow from the recipe's own


def test_features_are_computed_once_and_said_so(digits_run, tmp_path, capsys):
    options = {**SHORT, "quiet": False, "learning_rate": 0.01}
    folder = str(tmp_path / "run")
    result = recipes.finetune_images(backbone=str(digits_run), precompute=True, run_dir=folder, **options)
    printed = capsys.readouterr().out
    assert "features that were computed once" in printed
    assert "phase 1" not in printed
    assert result.metrics["test_accuracy"] > 0.8
    images = kexp.data.load("digits").test.inputs[:5]
    assert result.predict(images).probabilities.shape == (5, 10)  # of raw images
    network = kexp.models.pretrained(str(digits_run))
    for layer in network.layers:
        for own, recorded in zip(
            layer.get_weights(),
            result.model.get_layer(layer.name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(own, recorded)


@pytest.mark.slow
def test_texts_are_cut_into_pretrained_pieces_inside_of_the_export(tmp_path):
    rng = np.random.default_rng(0)
    words = {
        "food": ["bread", "cheese", "soup", "apples", "rice", "pie", "salt", "beans"],
        "sea": ["ships", "waves", "sailors", "harbour", "tide", "anchor", "fleet", "shore"],
    }
    lines = [(" ".join(rng.choice(words[kind], 3)), kind) for kind in ("food", "sea") for _ in range(60)]
    table = tmp_path / "texts.csv"
    table.write_text("text,topic\n" + "".join(f"{text},{kind}\n" for text, kind in lines))
    options = {**SHORT, "epochs": 4, "head_epochs": 2, "batch_size": 16, "lora_rank": 2, "hidden": 0}
    options |= {"dropout": 0.0, "learning_rate": 0.01}
    result = recipes.finetune_text(
        data=str(table), text="text", target="topic", run_dir=str(tmp_path / "run"), **options
    )
    assert result.metrics["test_accuracy"] > 0.9
    # Words that no training text has, near to those that they do: what pretrained vectors are for.
    unseen = ["milk eggs butter", "captain ocean boats"]
    assert result.predict(unseen).labels.tolist() == ["food", "sea"]
    served = kexp.load_exported(result.export(tmp_path / "served"))
    np.testing.assert_allclose(
        served.predict(unseen).probabilities, result.predict(unseen).probabilities, atol=1e-6
    )
    assert not any("lora" in weight.path for weight in result.model.weights)


def test_a_network_that_is_not_there_is_refused_before_data_are_read(tmp_path):
    folder = tmp_path / "run"
    for name, sentence in (
        ("mobilnet_v2", "did you mean 'mobilenet_v2'"),
        ("mobilenet_v2", "kexp models prepare mobilenet_v2"),
    ):
        with pytest.raises(InputError, match=sentence):
            recipes.finetune_images(data="digits", backbone=name, run_dir=str(folder), image_size=(32, 32))
    assert not folder.exists()
