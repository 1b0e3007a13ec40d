"""`result.explain` tells what a network learned, of any Keras model, and shows no map that fails the test."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.datasets import load_sample_image

import kexp
from kexp.cli.app import main
from kexp.data import DatasetSpec, Split
from kexp.evaluation.explain.attention_maps import attention_maps
from kexp.evaluation.explain.depth import depths
from kexp.evaluation.explain.explain import findings
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.evaluation.explain.first_filters import first_filters
from kexp.evaluation.explain.layer_map import layer_map
from kexp.evaluation.explain.layer_probe import layer_probe
from kexp.evaluation.explain.partial_dependence import partial_dependence
from kexp.evaluation.explain.permutation_importance import permutation_importance
from kexp.evaluation.explain.saliency.grad_cam import enlarged, grad_cam
from kexp.evaluation.explain.saliency.integrated_gradients import integrated_gradients
from kexp.evaluation.explain.saliency.occlusion import occluded_patches, occluded_steps, occluded_words
from kexp.evaluation.explain.saliency.saliency_maps import saliency_maps
from kexp.evaluation.explain.saliency.weight_randomisation import LIMIT, randomised
from kexp.evaluation.explain.strongest_units import strongest_units
from kexp.report.explanation_page import write_explanation_page


def explained(model, kind, shape, task="classification", outputs=2, dtype="float32", **other):
    return ExplainedModel(model, DatasetSpec(kind, shape, dtype, task, outputs), **other)


def bright_corner():
    """Return a network whose second logit is the mean of the upper left quarter of an image."""
    kernel = np.zeros((4, 4, 1, 1), "float32")
    kernel[:2, :2] = 0.25
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    corner = keras.layers.Flatten()(keras.layers.Conv2D(1, 4, use_bias=False, name="corner")(x))
    out = keras.layers.Dense(2, use_bias=False, name="logits")(corner)
    model = keras.Model(inputs, out)
    model.get_layer("corner").set_weights([kernel])
    model.get_layer("logits").set_weights([np.array([[0.0, 1.0]], "float32")])
    return explained(model, "image", (4, 4, 1), dtype="uint8")


@pytest.fixture(scope="module")
def corner_images():
    images = np.random.default_rng(0).integers(0, 100, (3, 4, 4, 1)).astype("uint8")
    images[:, :2, :2] = 250
    return images


def test_integrated_gradients_add_up_to_the_difference_of_the_scores(corner_images):
    model, targets = bright_corner(), np.ones(3, int)
    maps = integrated_gradients(model, corner_images, targets)
    blank = np.broadcast_to(corner_images.mean(axis=(1, 2), keepdims=True) / 255, corner_images.shape)
    expected = model.scores(corner_images, targets) - blank[:, :2, :2].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=1e-4)
    assert np.abs(maps[:, 2:]).max() == np.abs(maps[:, :, 2:]).max() == 0


def test_occlusion_falls_where_the_score_is_from(corner_images):
    maps = occluded_patches(bright_corner(), corner_images, np.ones(3, int), patches=2)
    assert (maps[:, :1, :1] > maps[:, 3:, 3:]).all()
    np.testing.assert_allclose(maps[:, 3, 3], 0, atol=1e-6)


def test_a_map_that_stays_with_random_weights_is_not_shown(corner_images):
    images = keras.Input((4, 4, 1), dtype="float32")
    total = keras.layers.GlobalAveragePooling2D()(images)
    model = keras.Model(images, keras.layers.Dense(1)(total))
    same_for_all = explained(model, "image", (4, 4, 1), "regression", 1)
    found = {
        one.method: one
        for one in saliency_maps(same_for_all, corner_images.astype("float32"), np.zeros(3, int))
    }
    # A mean of all pixels times a weight: whatever the weight, the map is the picture.
    assert found["integrated gradients"].correlation > 0.99 > LIMIT
    assert not found["integrated gradients"].passed
    assert found["integrated gradients"].maps == ()


def test_weights_are_put_back_to_the_bit_after_they_were_shuffled():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.trainable = False  # frozen ones too are what the network knows
    before = model.get_weights()
    with randomised(model, 0):
        within = model.get_weights()
    assert not np.array_equal(within[0], before[0])
    np.testing.assert_array_equal(np.sort(within[0].ravel()), np.sort(before[0].ravel()))
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_hidden_words_and_steps_say_what_the_score_is_from():
    words = keras.layers.TextVectorization(vocabulary=["good", "film"], output_sequence_length=4)
    texts = keras.Input((), dtype="string")
    embedded = keras.layers.Embedding(4, 2, name="embedding")(words(texts))
    model = keras.Model(texts, keras.layers.GlobalAveragePooling1D()(embedded))
    model.get_layer("embedding").set_weights([np.array([[0, 0], [0, 0], [0, 4], [0, 0]], "float32")])
    of_texts = explained(model, "text", (), dtype="string")
    pieces, falls = occluded_words(of_texts, np.array(["a good film"], object), np.array([1]))[0]
    assert pieces == ("a", "good", "film")
    assert falls.argmax() == 1
    assert falls[1] == pytest.approx(1.0)
    found = findings(of_texts, np.array(["a good film", "good good"], object))
    assert found.samples.tokens == (("[UNK]", "good", "film"), ("good", "good"))

    steps = keras.Input((6, 1))
    fifth = explained(keras.Model(steps, keras.layers.Flatten()(steps)), "series", (6, 1), outputs=6)
    series = np.array([[0, 0, 0, 0, 3, 0]], "float32")[..., None]
    assert occluded_steps(fifth, series, np.array([4]), windows=6)[0].argmax() == 4


class Subclassed(keras.Model):
    """A model that Keras knows no graph of."""

    def __init__(self):
        super().__init__()
        self.first = keras.layers.Conv2D(4, 3, padding="same", activation="relu")
        self.inner = keras.Sequential(
            [keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.GlobalAveragePooling2D()]
        )
        self.head = keras.layers.Dense(2)

    def call(self, inputs):
        return self.head(self.inner(self.first(ops.cast(inputs, "float32") / 255)))


def test_hidden_layers_of_a_subclassed_model_are_seen():
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3)).astype("uint8")
    model = Subclassed()
    model(images[:1])
    of_model = explained(model, "image", (8, 8, 3), dtype="uint8")
    split = Split(images, np.arange(30, dtype="int32") % 2)
    found = findings(of_model, train=split, validation=split)
    assert [name.rpartition("/")[2].rstrip("_0123456789") for name in found.probe.layers] == [
        "input",
        *["conv2d"] * 2,
        "dense",
    ]
    assert {one.method for one in found.saliency} == {"integrated gradients", "Grad-CAM", "occlusion"}
    assert found.filters.filters.shape == (4, 3, 3, 3)
    assert found.map.points.shape == (30, 2)


def test_units_are_shown_with_the_samples_that_cause_them():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(2)])
    model.layers[0].set_weights([np.eye(2, dtype="float32"), np.zeros(2, "float32")])
    inputs = np.array([[0, 1], [0, 0], [0, 0], [9, 0], [0, 0]], "float32")
    (found,) = strongest_units(explained(model, "array", (2,)), inputs, samples=1)
    assert dict(zip(found.units.tolist(), found.samples[:, 0].tolist(), strict=True)) == {0: 3, 1: 0}
    assert sorted(found.values[:, 0].tolist()) == [1.0, 9.0]


def test_several_inputs_are_permuted_one_by_one():
    first, second = keras.Input((2,), name="told"), keras.Input((2,), name="noise")
    model = keras.Model({"told": first, "noise": second}, keras.layers.Add()([first, 0.001 * second]))
    generator = np.random.default_rng(0)
    inputs = {name: generator.normal(size=(200, 2)).astype("float32") for name in ("noise", "told")}
    targets = inputs["told"].argmax(axis=1).astype("int32")
    several = explained(model, "arrays", ())
    several = dataclasses.replace(
        several, spec=dataclasses.replace(several.spec, input_structure={"told": "told", "noise": "noise"})
    )
    found = permutation_importance(several, Split(inputs, targets))
    assert found.columns == ("told", "noise")
    assert found.means[0] > 0.3
    assert abs(found.means[1]) < 0.02
    assert findings(several, {name: one[:3] for name, one in inputs.items()}).saliency == ()


def test_images_among_several_inputs_have_maps_too(corner_images, tmp_path):
    photo, age = keras.Input((4, 4, 1), dtype="uint8", name="photo"), keras.Input((1,), name="age")
    corner = bright_corner().model(photo)
    model = keras.Model({"photo": photo, "age": age}, keras.layers.Add()([corner, age]))
    several = explained(model, "arrays", ())
    both = dataclasses.replace(several.spec, input_structure={"photo": "photo", "age": "age"})
    several = dataclasses.replace(several, spec=both)
    inputs = {"photo": corner_images, "age": np.array([[5], [0], [-5]], "float32")}
    targets = np.ones(3, int)
    for method in (integrated_gradients, occluded_patches):
        alone = method(bright_corner(), corner_images, targets)
        np.testing.assert_allclose(method(several, inputs, targets), alone, atol=1e-5)
    found = findings(several, inputs)
    assert {one.method for one in found.saliency} == {"integrated gradients", "occlusion"}
    page = write_explanation_page(found, tmp_path / "page.html", "several").read_text()
    assert "rank correlation after randomisation" in page


def test_partial_dependence_follows_the_column():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[2.0], [0.0]], "float32")])
    inputs = np.random.default_rng(0).uniform(size=(100, 2)).astype("float32")
    line, flat = partial_dependence(
        explained(model, "array", (2,), "regression", 1), inputs, ["number 0", "number 1"], points=5
    )
    np.testing.assert_allclose(line.means[0], 2 * line.values, rtol=1e-5)
    assert np.ptp(flat.means) < 1e-5


def test_attention_weights_are_those_of_the_layers():
    series = keras.Input((5, 8))
    x = keras.layers.MultiHeadAttention(2, 4, name="kerass")(series, series)
    x = kexp.models.transformer_encoder((5, 8), 2, width=8, depth=1, heads=2, pooling="attention")(x)
    model = explained(keras.Model(series, x), "series", (5, 8))
    batch = np.random.default_rng(0).normal(size=(3, 5, 8)).astype("float32")
    before = model.outputs(batch)
    maps = attention_maps(model, batch)
    assert [one.layer.rpartition("/")[2] for one in maps] == ["kerass", "attention", "pooling"]
    assert [one.weights.shape for one in maps] == [(3, 5, 5), (3, 5, 5), (3, 1, 5)]
    for one in maps:
        np.testing.assert_allclose(one.weights.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.outputs(batch), before)


def test_a_dense_layer_on_pixels_has_filters_in_the_form_of_the_image(digits_run):
    result = kexp.load(digits_run)
    model = ExplainedModel(result.model, result.spec, result.from_logits)
    filters = first_filters(model, np.zeros((2, 8, 8, 1), "uint8"))
    kernel = result.model.get_layer("dense").get_weights()[0]
    assert filters.filters.shape == (64, 8, 8, 1)
    assert filters.count == kernel.shape[1]
    assert any(np.array_equal(filters.filters[0].ravel(), column) for column in kernel.T)


@pytest.fixture(scope="module")
def explanation(digits_run):
    return kexp.load(digits_run).explain()


def test_a_run_is_explained_from_its_validation_samples(explanation):
    digits = kexp.data.load("digits")
    assert explanation.probe.layers == ("input", "dense", "dense_1", "logits")
    assert explanation.probe.scores[-2] > explanation.probe.chance + 0.5
    assert (explanation.probe.train_samples, explanation.probe.validation_samples) == (1000, 143)
    known = {one.tobytes() for one in digits.validation.inputs}
    assert all(one.tobytes() in known for one in explanation.samples.inputs)
    assert len(set(explanation.samples.truth)) == 6


def test_the_page_has_a_section_for_all_that_was_found_and_says_the_correlations(explanation, tmp_path):
    page = explanation.report(tmp_path / "page.html").read_text()
    for name in ("Saliency", "Linear probes by depth", "First-layer filters", "Map of a layer"):
        assert f"<h2>{name}</h2>" in page
    for one in explanation.saliency:
        assert f"{one.correlation:.2f}" in page
    odd = dataclasses.replace(explanation.samples, answers=("<script>",) * 6)
    page = dataclasses.replace(explanation, samples=odd).report(tmp_path / "page.html").read_text()
    assert "<script>" not in page


def test_the_page_of_a_run_shows_it_when_asked(explanation, digits_run, tmp_path):
    result = kexp.load(digits_run)
    assert "What the network learned" not in result.report(tmp_path / "plain.html").read_text()
    page = result.report(tmp_path / "page.html", explain=explanation).read_text()
    assert "What the network learned" in page
    assert "Linear probes by depth" in page


def test_given_samples_are_explained_without_the_data(digits_run, tmp_path):
    images = kexp.data.load("digits").test.inputs[:2]
    run_dir = shutil.copytree(digits_run, tmp_path / "run")
    text = (run_dir / "config.json").read_text()
    (run_dir / "config.json").write_text(text.replace("mlp_images", "some_of_mine"))
    result = dataclasses.replace(kexp.load(digits_run), run_dir=run_dir, files={})
    found = result.explain(images)
    assert len(found.samples.answers) == 2
    assert found.probe is None
    assert "Without the data" in found.notes[0]
    with pytest.raises(kexp.InputError, match="recipe"):
        result.explain()


def test_what_cannot_be_explained_is_said(digits_run):
    result = kexp.load(digits_run)
    with pytest.raises(kexp.InputError, match="1 to 16 samples; received 17"):
        result.explain(np.zeros((17, 8, 8), "uint8"))
    with pytest.raises(kexp.InputError, match="inputs"):
        result.explain(np.zeros((1, 9, 9), "uint8"))
    model = ExplainedModel(result.model, result.spec, result.from_logits)
    with pytest.raises(kexp.InputError, match="layer must be one of input, dense"):
        layer_map(model, np.zeros((20, 8, 8, 1), "uint8"), layer="dens")


def test_the_command_line_writes_the_page_of_given_samples(digits_run, tmp_path, capfd):
    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return ended.value.code, capfd.readouterr()

    run_dir = shutil.copytree(digits_run, tmp_path / "run")
    np.save(tmp_path / "images.npy", kexp.data.load("digits").test.inputs[:2])
    code, printed = call("explain", run_dir, tmp_path / "images.npy")
    assert (code, printed.out.strip()) == (0, str(run_dir / "explanation.html"))
    assert "Linear probes by depth" in (run_dir / "explanation.html").read_text()
    for wrong in ((run_dir, tmp_path / "absent.npy"), (tmp_path / "nothing",)):
        code, printed = call("explain", *wrong)
        assert code == 2
        assert len(printed.err.strip().splitlines()) == 1


def scenes(samples):
    """Return cluttered canvases with one digit each, which are classified by it, and the digits' masks."""
    made = kexp.data.canvases(kexp.data.load("digits"), samples=samples, objects=(1, 1))
    splits = [(split.inputs, split.targets) for split in (made.train, made.validation, made.test)]
    return [(images, masks.max(axis=(1, 2)) - 1, masks > 0) for images, masks in splits]


@pytest.mark.slow
def test_grad_cam_points_into_the_digit_of_nine_scenes_of_ten(tmp_path):
    (x, y, _), other, (images, truth, masks) = scenes((1500, 100, 160))
    keras.utils.set_random_seed(1)
    model = kexp.models.cnn((40, 40, 1), 10, filters=(16, 32, 64), normalization="batch", head="average")
    options = {"epochs": 10, "batch_size": 32, "learning_rate": 4e-3, "schedule": "one_cycle", "quiet": True}
    result = kexp.fit(model, x, y, validation_data=other[:2], run_dir=str(tmp_path / "run"), **options)
    of_model = ExplainedModel(result.model, result.spec, result.from_logits)
    right = np.flatnonzero(of_model.targets(images) == truth)[:100]
    assert len(right) == 100
    maps = enlarged(grad_cam(of_model, images[right], truth[right]), images.shape[1:3])
    inside, areas = [], []
    for one, mask in zip(maps, masks[right], strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        row, column = np.unravel_index(one.argmax(), one.shape)
        # A position of the map is 8 pixels wide, so that one pixel beside the digit's box is inside.
        inside.append(rows[0] - 1 <= row <= rows[-1] + 1 and columns[0] - 1 <= column <= columns[-1] + 1)
        areas.append((rows[-1] - rows[0] + 3) * (columns[-1] - columns[0] + 3) / one.size)
    assert np.mean(areas) < 0.3  # what chance would hit
    assert np.mean(inside) >= 0.9


@pytest.mark.slow
def test_probes_on_mnist_rise_from_the_pixels_to_the_last_layer(tmp_path):
    if "mnist" not in kexp.data.names():
        pytest.skip("KEXP_DATA_DIR has no mnist")
    data = kexp.data.load("mnist")
    train = Split(data.train.inputs[:3000], data.train.targets[:3000])
    few = dataclasses.replace(data, train=train, validation=None, test=None)
    model = kexp.models.cnn((28, 28, 1), 10, filters=(8, 16), normalization="batch")
    result = kexp.fit(model, few, epochs=3, learning_rate=2e-3, run_dir=str(tmp_path / "run"), quiet=True)
    of_model = ExplainedModel(result.model, result.spec, result.from_logits)
    probe = layer_probe(of_model, train, data.validation)
    assert probe.scores[0] < 0.85
    assert probe.scores[-1] > probe.scores[0] + 0.05
    assert max(probe.scores) > 0.9


def crops(photograph, count, generator):
    """Return squares of a photograph, in any colours, turned and negative, so that pixels tell little."""
    found = []
    for _ in range(count):
        top, left = (generator.integers(side - 96) for side in photograph.shape[:2])
        one = photograph[top : top + 96, left : left + 96, generator.permutation(3)]
        one = np.rot90(one, generator.integers(4))
        found.append(255 - one if generator.random() < 0.5 else one)
    return np.stack(found)


@pytest.mark.slow
def test_probes_of_a_pretrained_network_rise_from_the_pixels_to_its_features():
    generator = np.random.default_rng(0)
    photographs = [load_sample_image(name) for name in ("flower.jpg", "china.jpg")]
    halves = [[one[:, :320] for one in photographs], [one[:, 320:] for one in photographs]]
    train, other = (
        Split(
            np.concatenate([crops(one, 60, generator) for one in half]),
            np.repeat([0, 1], 60).astype("int32"),
        )
        for half in halves
    )
    network = kexp.models.pretrained("efficientnet_lite0", (96, 96, 3), image_size=(96, 96))
    of_model = explained(network, "image", (96, 96, 3), dtype="uint8", outputs=1280)
    probe = layer_probe(of_model, train, other, most_layers=6)
    assert probe.scores[0] < 0.65
    assert probe.scores[-1] > probe.scores[0] + 0.15
    assert max(probe.scores) > 0.85
    assert len(depths(of_model, train.inputs, most=1000)) > 45  # also of those inside
