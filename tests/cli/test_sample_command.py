"""`kexp sample` writes a picture of what a model makes; `kexp predict` prints what an autoencoder answers."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kexp
from kexp.cli.app import main
from kexp.core.images import grid
from tests import answering


@pytest.fixture(scope="module")
def runs(digits_run, tmp_path_factory):
    return answering.runs_in(tmp_path_factory.mktemp("runs"), digits_run)


@pytest.fixture(scope="module")
def served(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kexp.export.export_pipeline.check_parity", lambda *arguments: None)
        return {name: runs[name].export(folder / name) for name in ("classes", "autoencoder")}


def called(capfd, *arguments):
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code, *capfd.readouterr()


def test_a_run_is_drawn_from_into_a_picture_and_says_so(runs, tmp_path, capfd):
    path = tmp_path / "grid.png"
    code, out, err = called(capfd, "sample", runs["gan"].run_dir, "--n", 5, "--seed", 2, "--output", path)
    assert (code, out, err) == (0, f"{path}: 5 images, seed 2.\n", "")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), grid(runs["gan"].sample(5, seed=2), 3))


def test_an_export_is_drawn_from_as_its_run_a_column_for_each_class(runs, served, tmp_path, capfd):
    pictures = []
    for folder in (runs["classes"].run_dir, served["classes"]):
        path = tmp_path / f"{len(pictures)}.png"
        line = ["sample", folder, "--n", 6, "--label", "3", "7", "--output", path, "--quiet"]
        assert called(capfd, *line) == (0, "", "")
        pictures.append(np.asarray(Image.open(path)).astype(int))
    expected = grid(runs["classes"].sample(6, labels=["3", "7"] * 3), 2)
    np.testing.assert_array_equal(pictures[0], expected)
    assert np.abs(pictures[1] - expected).max() <= 1


def test_a_variational_autoencoder_is_drawn_from(runs, tmp_path, capfd):
    path = tmp_path / "grid.png"
    assert called(capfd, "sample", runs["vae"].run_dir, "--n", 1, "--output", path)[:2] == (
        0,
        f"{path}: 1 image, seed 0.\n",
    )
    np.testing.assert_array_equal(np.asarray(Image.open(path)), grid(runs["vae"].sample(1), 1))


def test_a_mistake_is_answered_in_one_sentence_before_tensorflow_is_imported(
    runs, served, digits_run, tmp_path, capfd, monkeypatch
):
    def started():
        raise AssertionError("TensorFlow was started")

    monkeypatch.setattr("kexp.cli.recipe_commands.start_tensorflow", started)
    monkeypatch.setattr("kexp.cli.app.start_tensorflow", started)
    image = tmp_path / "image.png"
    Image.new("L", (8, 8)).save(image)
    output = tmp_path / "new.png"
    gan, classes = runs["gan"].run_dir, runs["classes"].run_dir
    for line, words in [
        (
            ["sample", tmp_path / "absent", "--output", output],
            "directory must be the folder of",
        ),
        (["sample", tmp_path, "--output", output], "holds no saved_model.pb"),
        (["sample", digits_run, "--output", output], "sample draws from models that make samples"),
        (["sample", runs["autoencoder"].run_dir, "--output", output], "this is none of them; use predict."),
        (["sample", served["autoencoder"], "--output", output], "this is none of them; use predict."),
        (["sample", gan, "--output", tmp_path / "no" / "new.png"], "output must be a .png file in a folder"),
        (["sample", gan, "--output", tmp_path / "new.jpg"], "output must be a .png file"),
        (["sample", gan], "--output"),
        (["sample", gan, "--n", 0, "--output", output], "n must be a whole number, 1 or more; received 0"),
        (["sample", gan, "--seed", -1, "--output", output], "seed must be a whole number, 0 or more"),
        (["sample", gan, "--label", "3", "--output", output], "labels must be left out"),
        (["sample", classes, "--label", "eleven", "--output", output], "received 'eleven'"),
        (["sample", served["classes"], "--label", "eleven", "--output", output], "received 'eleven'"),
        (["predict", served["classes"], image], "predict takes inputs"),
    ]:
        code, out, err = called(capfd, *line)
        assert (code, out) == (2, "")
        assert err.startswith("kexp: ")
        assert err.count("\n") == 1
        assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["image.png"]


def test_predictions_of_an_autoencoder_are_anomaly_scores_and_codes(runs, served, tmp_path, capfd):
    images = kexp.data.load("digits").test.inputs[:3]
    np.save(tmp_path / "digits.npy", images)
    code, out, _ = called(capfd, "predict", served["autoencoder"], tmp_path / "digits.npy")
    assert code == 0
    frame = pd.read_csv(io.StringIO(out))
    assert frame.columns.tolist() == ["anomaly_score", *(f"code_{index}" for index in range(5))]
    expected = runs["autoencoder"].predict(images)
    np.testing.assert_allclose(frame["anomaly_score"], expected.anomaly_scores, rtol=1e-4)


@pytest.mark.slow
def test_the_command_line_draws_in_a_process_of_its_own(runs, served, tmp_path, run_kexp):
    path = tmp_path / "grid.png"
    for folder in (runs["gan"].run_dir, served["classes"]):
        done = run_kexp("sample", folder, "--output", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: 16 images, seed 0.\n", "")
        assert np.asarray(Image.open(path)).shape == (4 * 32 + 3, 4 * 32 + 3, 3)
