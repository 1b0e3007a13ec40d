"""What a command does not need is not imported for it."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import kexp
from kexp.data.sources.builtin_datasets import read_embedded

ROOT = Path(__file__).resolve().parents[2]
# Prints which of the packages there were when a word was first printed, or else at the end.
WATCHED = """
import json, sys
word, packages, line = json.loads(sys.argv[1])
class Watched:
    def __init__(self, stream): self.stream, self.found = stream, None
    def __getattr__(self, name): return getattr(self.stream, name)
    def write(self, text):
        if word and word in text and self.found is None: self.found = sorted({*packages} & {*sys.modules})
        return self.stream.write(text)
sys.stdout = watched = Watched(sys.stdout)
from kexp.cli.app import main
try: main(line)
finally: sys.__stderr__.write(json.dumps(sorted({*packages} & {*sys.modules}) if not word else watched.found))
"""


def anew(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(ROOT), **options.pop("variables", {})},
        **options,
    )


def imported(packages, *line, when=""):
    """Return which packages a command line has imported in a new process, and what it has printed."""
    done = anew(WATCHED, json.dumps([when, packages, [str(word) for word in line]]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr), done.stdout


def test_a_finished_run_is_answered_from_its_folder_without_tensorflow(digits_run):
    assert imported(["tensorflow", "keras"], "resume", digits_run)[0] == []
    line = ["run", "mlp_images", "--data", "digits", "--epochs", 2, "--no-compare", "--run-dir", digits_run]
    found, printed = imported(["tensorflow", "keras"], *line)
    assert found == []
    assert "is finished" in printed
    accuracy = kexp.load(digits_run).metrics["test_accuracy"]
    assert f"{'test_accuracy':<28} {accuracy:.4f}" in printed


def test_a_page_without_samples_is_made_of_the_record_without_tensorflow(tmp_path):
    data = np.zeros((8, 4, 4), "uint8"), np.arange(8) % 2
    run = kexp.recipes.mlp_images(data=data, epochs=1, run_dir=str(tmp_path / "run"), quiet=True)
    found, printed = imported(["tensorflow", "keras"], "report", run.run_dir)
    assert found == []
    page = Path(printed.strip()).read_text(encoding="utf-8")
    assert "accuracy" in page
    assert "<svg" in page


def test_an_exported_model_predicts_in_a_process_without_keras(digits_run, tmp_path):
    served = kexp.load(digits_run).export(tmp_path / "served")
    image = tmp_path / "image.png"
    Image.fromarray(np.eye(8, dtype="uint8") * 255).save(image)
    found, printed = imported(["keras", "matplotlib", "sklearn"], "predict", served, image)
    assert found == []
    assert printed.startswith("label,0,1,")


def test_pretrained_networks_are_listed_without_keras():
    found, printed = imported(["tensorflow", "keras", "wordllama"], "models", "list")
    assert found == []
    assert re.search(r"efficientnet_lite0 +224 x 224, installed", printed)
    assert re.search(r"xception +299 x 299, not prepared", printed)


def test_the_first_epoch_waits_for_no_package_that_it_does_not_need(tmp_path):
    line = ["run", "mlp_images", "--data", "digits", "--epochs", 1, "--run-dir", tmp_path / "run"]
    optional = ["matplotlib", "pandas", "sklearn"]
    assert imported(optional, *line, when="epoch 1/1")[0] == []
    assert (tmp_path / "run" / "curves.png").exists()


def test_a_recipe_of_ones_own_gets_all_of_keras(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import kexp\n\n\n"
        "@kexp.recipe()\n"
        "def mine(data: str = 'digits', **train: kexp.Unpack[kexp.TrainOptions]) -> kexp.Result:\n"
        "    import keras\n"
        "    from sklearn.base import BaseEstimator\n\n"
        "    raise kexp.InputError(f'{issubclass(keras.wrappers.SKLearnClassifier, BaseEstimator)}.')\n"
    )
    line = [sys.executable, "-m", "kexp.cli", "run", "mine.py:mine"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=240)
    assert (done.returncode, done.stderr) == (2, "kexp: True.\n")


def test_a_first_computation_from_python_prints_warnings_and_no_notices(tmp_path):
    code = (
        "import kexp; model = kexp.models.mlp((4,), 2); import tensorflow as tf; model(tf.zeros((1, 4)));"
        "kexp.recipes.lstm_series(epochs=1, compare=False, quiet=True);"
        "tf.transpose(tf.constant([[1]], tf.int64)); tf.get_logger().warning('narrow')"
    )
    done = anew(code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert [line.partition(":")[2] for line in done.stderr.splitlines()] == ["tensorflow:narrow"]


def test_digits_are_what_scikit_learn_loads():
    images, labels = read_embedded("digits").parts["train"]
    loaded = load_digits()
    np.testing.assert_array_equal(images, np.round(loaded.images * (255 / 16)).astype(np.uint8))
    np.testing.assert_array_equal(labels, loaded.target)
    assert labels.dtype == loaded.target.dtype


def help_of(**variables):
    done = anew("from kexp.cli.command_line import main; main()", "--help", variables=variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_help_fits_a_narrow_terminal_and_a_poor_encoding():
    assert max(map(len, help_of(COLUMNS="80", PYTHONIOENCODING="utf-8").splitlines())) == 80
    assert max(map(len, help_of(COLUMNS="50", PYTHONIOENCODING="utf-8").splitlines())) == 50
    assert help_of(COLUMNS="80", PYTHONIOENCODING="ascii").isascii()


def test_help_that_cannot_be_written_is_said_to_be_so():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kexp", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 2
    assert "standard output cannot be written" in done.stderr


@pytest.mark.slow
def test_the_help_takes_at_most_three_times_what_python_takes_to_start():
    def cpu_s(*command):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, *command], capture_output=True, cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.stdout or command[1] == "pass"
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    turns = [(cpu_s("-c", "pass"), cpu_s("-m", "kexp.cli", "--help")) for _ in range(15)]
    nothing, answer = (min(times) for times in zip(*turns, strict=True))
    assert answer <= 3 * nothing
