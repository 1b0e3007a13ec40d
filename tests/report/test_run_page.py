"""The page of a run shows what its task is about, on validation data, and markup as text."""

import dataclasses
import json
import re

import numpy as np
import pytest

import kexp
from kexp import InputError
from kexp.data import Dataset, DatasetSpec, Split, canvases
from kexp.report import recorded_data, run_page, write_run_page
from kexp.result import Result
from kexp.tasks.predictions import Predictions
from tests.campaign.damages import copy_of
from tests.report.test_sweep_page import HOSTILE, Reader

FIGURES = {"loss": 0.5, "val_loss": 0.6, "test_loss": 0.7}


def planted(folder, spec, answer, *, figures=FIGURES, name="pixels"):
    """Return a run whose folder was never trained in, and which gives a made-up answer."""
    environment = {"data": {"name": name, "fingerprint": "0" * 64}}
    recorded = {"epochs": 2, "best_epoch": 1, "parameters": 1234, "seconds": 75.0}
    for file, content in (
        ("config", {"recipe": name, "arguments": {"text": name, "epochs": 2}}),
        ("env", environment),
        ("result", recorded),
    ):
        (folder / f"{file}.json").write_text(json.dumps(content))

    class Answering(Result):
        def predictions_of(self, inputs, batch_size=256):
            return answer(inputs)

    history = {key: [value, value] for key, value in figures.items() if not key.startswith("test_")}
    return Answering(folder, figures, history, spec, from_logits=True, best_epoch=1)


def data_of(spec, inputs, targets, **parts):
    split = Split(inputs, targets)
    return Dataset("pixels", split, parts.get("validation", split), None, spec, "0" * 64)


@pytest.fixture(scope="module")
def masked():
    made = canvases(kexp.data.load("digits"), samples=(20, 15, 15))
    return dataclasses.replace(made, fingerprint="0" * 64)


@pytest.fixture(scope="module")
def masked_page(masked, tmp_path_factory):
    metrics = {
        f"{prefix}iou_{name}": index / 20
        for prefix in ("", "val_", "test_")
        for index, name in enumerate(masked.spec.class_names)
    }
    result = planted(
        tmp_path_factory.mktemp("run"),
        masked.spec,
        lambda inputs: Predictions(masks=np.full((len(inputs), 40, 40), 3, np.int32)),
        figures={**FIGURES, "mean_iou": 0.25, "val_mean_iou": 0.75, **metrics},
    )
    return run_page(result, masked)


def test_a_page_of_masks_shows_images_true_masks_and_predicted_ones_of_validation_data(masked_page, masked):
    reader = Reader(masked_page)
    assert not reader.open
    pictures = [fields for tag, fields in reader.elements if tag == "img"]
    assert [picture["alt"] for picture in pictures] == ["image", "mask", "predicted mask"] * 12
    assert pixels(pictures[0]).tolist() == np.repeat(masked.validation.inputs[0], 3, axis=-1).tolist()
    true, predicted = (pixels(picture) for picture in pictures[1:3])
    classes = masked.validation.targets[0]
    for index in np.unique(classes):
        assert len(np.unique(true[classes == index], axis=0)) == 1
    assert len(np.unique(true.reshape(-1, 3), axis=0)) == len(np.unique(classes))
    assert len(np.unique(predicted.reshape(-1, 3), axis=0)) == 1
    assert "The first 12 of 15 validation samples." in reader.text


def pixels(picture):
    import base64
    import io

    from PIL import Image

    content = picture["src"].removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_a_page_of_masks_has_a_table_of_the_classes_and_a_legend_with_their_colours(masked_page, masked):
    text = Reader(masked_page).text
    assert "classtrainingvalidationtest" in re.sub(r"\s", "", text)
    assert "100.550.550.55" not in text
    assert "90.50.50.5" in re.sub(r"\s", "", text)
    entries = re.findall(r'<span><i style="background:(#\w{6})"></i>([^<]+)</span>', masked_page)
    assert [name for _, name in entries] == list(masked.spec.class_names)
    assert len({colour for colour, _ in entries}) == 11
    assert "mean_iou0.250.75" in re.sub(r"\s", "", text)


def test_the_classes_of_a_segmentation_share_one_panel_of_the_curves():
    from kexp.run.learning_curves import draw_curves

    names = [f"iou_{number}" for number in range(11)]
    history = {name: [0.1, 0.2] for name in ("loss", "mean_iou", "val_mean_iou", *names)}
    figure = draw_curves({**history, **{f"val_{name}": [0.3, 0.4] for name in names}})
    assert [axes.get_title() for axes in figure.axes] == ["loss", "mean iou", "iou of each class, validation"]
    assert [len(axes.lines) for axes in figure.axes] == [1, 2, 11]
    assert figure.axes[2].lines[0].get_ydata().tolist() == [0.3, 0.4]
    assert draw_curves(history).axes[2].get_title() == "iou of each class, training"


def test_every_curve_is_a_figure_of_its_own_that_shrinks_with_the_screen_and_says_its_course(masked_page):
    section = masked_page[masked_page.index("<section><h2>Learning curves") :]
    section = section[: section.index("</section>") + len("</section>")]
    drawn = [fields for tag, fields in Reader(section).elements if tag == "svg"]
    labels = [fields["aria-label"] for fields in drawn]
    assert labels[0] == "loss by epoch: training from 0.5 to 0.5; validation from 0.6 to 0.6."
    assert labels[-1].endswith("and 8 more.")
    assert all("viewbox" in fields and "width" not in fields for fields in drawn)
    assert "A ring marks epoch 1, whose weights were chosen." in Reader(section).text
    assert not re.search(r"stroke: #(1f77b4|ff7f0e)", section)


def texts(values):
    return np.array(values, dtype=object)


TEXT = DatasetSpec("text", (), "string", "text", 0)


def test_a_page_of_texts_shows_input_expected_and_answer_with_markup_as_text(tmp_path):
    inputs, expected, answers = (
        texts([f"{word} {text}" for text in HOSTILE]) for word in ("in", "out", "so")
    )
    result = planted(tmp_path, TEXT, lambda given: Predictions(texts=answers[: len(given)]), name=HOSTILE[0])
    reader = Reader(run_page(result, data_of(TEXT, inputs, expected)))
    assert not reader.open
    assert not reader.count("script")
    assert not reader.count("b")
    for text in HOSTILE:
        for word in ("in", "out", "so"):
            assert f"{word} {text}" in reader.text


def test_a_language_models_page_shows_the_log_probability_of_each_text(tmp_path):
    inputs = texts(["once upon a time", "x" * 1000])
    result = planted(
        tmp_path,
        TEXT,
        lambda given: Predictions(log_probabilities=np.array([-12.5, -300.25], np.float32)[: len(given)]),
    )
    text = Reader(run_page(result, data_of(TEXT, inputs, inputs))).text
    assert "log probability" in text
    assert "once upon a time" in text
    assert "-12.5" in text
    assert "x" * 299 + "…" in text
    assert "x" * 300 not in text


def test_labels_that_were_mixed_have_a_table_of_the_heaviest_and_what_was_answered(tmp_path):
    spec = DatasetSpec("array", (2,), "float32", "classification", 2, ("cat", "<dog>"))
    predictions = Predictions(
        labels=texts(["cat", "cat"]), probabilities=np.array([[0.75, 0.25]] * 2, np.float32)
    )
    result = planted(tmp_path, spec, lambda given: predictions)
    targets = np.array([[0.5, 0.25], [0.25, 0.5]], np.float32)
    page = run_page(result, data_of(spec, np.zeros((2, 2), np.float32), targets))
    assert "Confusion matrix" not in page
    table = page[page.index("Samples of the validation part") :]
    table = table[table.index("<table>") : table.index("</table>")]
    cells = re.findall(r">([^<>\n]+)<", table)
    assert " ".join(cells) == "expected answer its probability cat cat 0.75 &lt;dog&gt; cat 0.75"


def test_without_validation_data_samples_are_of_the_training_part(tmp_path):
    data = dataclasses.replace(data_of(TEXT, texts(["a"]), texts(["b"])), validation=None)
    result = planted(tmp_path, TEXT, lambda given: Predictions(texts=texts(["c"])))
    assert "Samples of the training part" in run_page(result, data)
    assert "Samples of" not in run_page(result)


def test_data_that_are_not_the_runs_own_are_refused(digits_run):
    result = kexp.load(digits_run)
    with pytest.raises(InputError, match=r"data 'iris' is not what the run was trained on, 'digits'"):
        run_page(result, kexp.data.load("iris"))


def test_the_page_of_a_recipes_run_finds_its_data_by_itself_and_is_written_whole(digits_run, tmp_path):
    result = kexp.load(digits_run)
    path = write_run_page(result, tmp_path / "page.html")
    reader = Reader(path.read_text("utf-8"))
    assert not reader.open
    assert "Run of mlp_images" in reader.text
    assert "validation samples" in reader.text
    for name in ("loss", "accuracy", "1,797"):
        assert name in reader.text or name == "1,797"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    assert recorded_data(result).fingerprint == result.provenance()["env"]["data"]["fingerprint"]
    with pytest.raises(InputError, match="path must be a file in a folder that exists"):
        write_run_page(result, tmp_path)


def test_a_page_fetches_nothing_and_runs_no_script(masked_page):
    reader = Reader(masked_page)
    policy = next(fields["content"] for tag, fields in reader.elements if "http-equiv" in fields)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert all(
        fields["src"].startswith("data:image/png;base64,") for _, fields in reader.elements if "src" in fields
    )
    assert not reader.count("script")
    assert not reader.count("link")


@pytest.mark.slow
def test_the_command_line_writes_the_page_into_the_folder_of_the_run(digits_run, run_kexp, tmp_path):
    run_dir = copy_of(digits_run, tmp_path / "run")
    done = run_kexp("report", run_dir)
    assert (done.returncode, done.stderr) == (0, "")
    page = run_dir / "report.html"
    assert done.stdout.strip() == str(page)
    assert "Learning curves" in page.read_text(encoding="utf-8")
    done = run_kexp("report", tmp_path)
    assert done.returncode == 2
    assert "must be the folder of a finished run" in done.stderr
