"""Runs on images with texts: what is found, measured, exported and shown, also among names of a user's."""

import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp import recipes
from kexp.metrics import retrieval_recall

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
SIDES = ("left", "right")


def squares(count, seed):
    """Return images of a coloured half, and their texts such as "red <b>left</b>"."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 60, (count, 8, 8, 3)).astype(np.uint8)
    texts = []
    for image in images:
        colour, side = random.choice(list(COLOURS)), random.choice(SIDES)
        image[:, :4] = COLOURS[colour] if side == "left" else image[:, :4]
        image[:, 4:] = COLOURS[colour] if side == "right" else image[:, 4:]
        texts.append(f"{colour} <b>{side}</b>")
    return images, np.array(texts)


@pytest.fixture(scope="module")
def data():
    parts = {}
    for seed, (part, count) in enumerate({"train": 240, "validation": 40, "test": 40}.items()):
        parts[f"x_{part}"], parts[f"y_{part}"] = squares(count, seed)
    return kexp.data.load(parts, task="retrieval")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    network = {"filters": (16,), "units": 16, "depth": 0, "embedding": 16, "dropout": 0.0}
    still = {"shift": 0.0, "flip": False}
    run_dir = str(tmp_path_factory.mktemp("image_text") / "run")
    options = {"epochs": 20, "batch_size": 40, "learning_rate": 1e-2, "quiet": True, "run_dir": run_dir}
    return recipes.image_text(data, **network, **still, **options)


def test_texts_find_images_and_images_texts_that_were_not_trained_on(run, data):
    assert run.metrics["test_image_to_text_recall_at_1"] > 0.9
    assert run.metrics["test_text_to_image_recall_at_1"] > 0.9
    assert run.metrics["test_text_to_image_recall_at_10"] >= run.metrics["test_text_to_image_recall_at_1"]
    assert max(run.history["val_mean_recall"]) == run.history["val_mean_recall"][run.best_epoch - 1]
    found = run.predict(data.test.inputs)
    assert np.mean(found.texts == data.test.targets) == run.metrics["test_image_to_text_recall_at_1"]
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), 1, rtol=1e-5)
    again = retrieval_recall(
        found.embeddings, run.model.text_embeddings(data.test.targets), data.test.targets
    )
    assert run.evaluate(data) == again
    assert {f"test_{name}": value for name, value in again.items()}.items() <= run.metrics.items()


def test_names_that_are_no_training_texts_are_chosen_among(run, data):
    names = ["white", "red", "blue", "green"]
    labels, probabilities = run.model.classify(data.test.inputs, names)
    colours = np.array([text.split()[0] for text in data.test.targets])
    assert np.mean(labels == colours) > 0.8
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(kexp.InputError, match="names must be different texts, 1 or more; received 2"):
        run.model.classify(data.test.inputs, ["red", "red"])


def test_an_export_encodes_raw_images_and_raw_texts(run, data, tmp_path):
    run.export(tmp_path / "served")
    served = kexp.load_exported(tmp_path / "served")
    assert {"encode_image", "encode_text", "classify"} <= set(served.signatures)
    x, names = data.test.inputs[:5], ["red", "a <b>left</b> blue"]
    assert (served.predict(x).texts == run.predict(x).texts).all()
    functions = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures
    images = functions["encode_image"](inputs=tf.constant(x))["embedding"]
    np.testing.assert_allclose(images, run.predict(x).embeddings, atol=1e-5)
    texts = functions["encode_text"](text=tf.constant(names))["embedding"]
    np.testing.assert_allclose(texts, run.model.text_embeddings(names), atol=1e-5)
    chosen = functions["classify"](inputs=tf.constant(x), text=tf.constant(names))["probabilities"]
    np.testing.assert_allclose(chosen, run.model.classify(x, names)[1], atol=1e-5)


def test_the_page_shows_texts_for_images_and_images_for_texts_misses_first(run, data):
    page = run.report(data=data).read_text(encoding="utf-8")
    assert "Texts for images" in page
    assert "Images for texts" in page
    assert "<b>left" not in page
    first = page.index("Texts for images")
    outcomes = page[first : page.index("Images for texts")].split('<span class="')[1:]
    wrong = [one.startswith("failed") for one in outcomes if ">outcome" in one]
    assert len(wrong) == 24
    assert wrong == sorted(wrong, reverse=True)


def test_a_task_of_texts_needs_the_objective_and_the_encoders(data):
    reads = kexp.models.tokenizer(data.train.targets, split="space")
    model = kexp.models.cnn(data.spec.input_shape, 4, filters=(4,))
    with pytest.raises(kexp.InputError, match=r"objective must be given for retrieval.*contrastive\(\)"):
        kexp.fit(model, data, target_preprocessing=reads, inference_model=model, epochs=1, quiet=True)
    with pytest.raises(
        kexp.InputError, match="label_smoothing is for models that are trained to give labels"
    ):
        recipes.image_text(data, filters=(8,), label_smoothing=0.1, epochs=1, quiet=True)
