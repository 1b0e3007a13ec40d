"""The command line answers in plain sentences, with exit code 0 or 2, and quickly."""

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import kexp
from kexp.cli.app import main
from tests.forked_python import forked
from tests.pseudo_terminal import read_to_the_end

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def served(digits_run, tmp_path_factory):
    return kexp.load(digits_run).export(tmp_path_factory.mktemp("served") / "digits")


def assert_mistake(done, *words):
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("kexp: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def test_list_names_recipes_and_data(run_kexp):
    done = run_kexp("list")
    assert done.returncode == 0
    for word in ("cnn_images", "mlp_images", "mlp_tabular", "digits", "breast_cancer", "fashion_mnist_small"):
        assert word in done.stdout


def test_help_shows_the_ranges_and_defaults_of_a_recipe(run_kexp):
    assert "Commands" in run_kexp("--help").stdout
    text = " ".join(run_kexp("run", "mlp_images", "--help").stdout.replace("│", " ").split())
    assert "Share of units dropped after each hidden layer. [from 0 to 0.5] [default: 0.2]" in text
    assert "--validation" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "no_such_recipe"], ["no_such_recipe", "cnn_images"]),
        (["run", "mlp_images", "--epoch", "3"], ["--epoch", "Did you mean --epochs?"]),
        (["run", "mlp_images", "--epochs", "three"], ["epochs must be a whole number", "'three'"]),
        (["run", "mlp_images", "--epochs", "0"], ["epochs must be a whole number, 1 or more; received 0"]),
        (
            ["run", "mlp_images", "--dropout", "1.5"],
            ["dropout must be a number, from 0 to 0.5; received 1.5"],
        ),
        (["run", "mlp_images", "--data", "missing.csv"], ["missing.csv", "no such data set or path"]),
        (["run", "mlp_images", "--optimizer", "adm"], ["optimizer must be one of", "did you mean 'adam'"]),
        (["no_such_command"], ["no_such_command"]),
        (["export", "nowhere", "served"], ["must be the folder of a finished run", "nowhere"]),
        (["predict", "nowhere", "image.png"], ["must be the folder of an exported model", "nowhere"]),
    ],
)
def test_a_mistake_is_answered_in_one_sentence_with_exit_code_2(run_kexp, tmp_path, arguments, words):
    assert_mistake(run_kexp(*arguments, cwd=tmp_path), *words)
    assert list(tmp_path.iterdir()) == []


def test_answers_without_a_model_take_a_fraction_of_the_time_tensorflow_takes_to_import(run_kexp, tmp_path):
    def seconds(call):
        before = os.times()
        call()
        after = os.times()  # of the processor: what else runs on the machine does not count
        return after.children_user + after.children_system - before.children_user - before.children_system

    tensorflow = seconds(lambda: subprocess.run([sys.executable, "-c", "import tensorflow"], check=True))
    for arguments in (["list"], ["--help"], ["run", "mlp_images", "--dropout", "1.5"]):
        answer = seconds(lambda arguments=arguments: run_kexp(*arguments, anew=True, cwd=tmp_path))
        assert answer < tensorflow / 3


def test_a_run_prints_a_line_per_epoch_then_its_figures_and_folder_and_nothing_else(run_kexp, tmp_path):
    done = run_kexp("run", "mlp_images", "--epochs", "2", "--run-dir", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line]
    assert re.fullmatch(rf"run folder {tmp_path}/run, about \d+ MB of [\d,]+ MB free", lines[0])
    assert lines[1] == "mlp on digits: 1,295 training, 143 validation, 359 test samples, 10 classes"
    assert lines[2] == "50,826 parameters; 2 epochs of 21 steps"
    assert [line.split()[1] for line in lines[3:5]] == ["1/2", "2/2"]
    recorded = json.loads((tmp_path / "run" / "result.json").read_text())
    end = 5 + len(recorded["metrics"])
    figures = dict(line.split() for line in lines[5:end])
    assert float(figures["test_accuracy"]) == pytest.approx(recorded["metrics"]["test_accuracy"], abs=1e-4)
    interval, weights, folder, *commands = (re.split(r"  +", line)[1] for line in lines[end:])
    low, high = recorded["intervals"]["test_accuracy"]
    assert interval == f"test_accuracy {low:.4f} to {high:.4f}"
    assert weights == "of epoch 2 of 2, chosen on validation data"
    assert folder == str(tmp_path / "run")
    assert commands == [f"kexp report {folder}", f"kexp export {folder} served", "kexp predict served INPUT"]
    again = run_kexp("run", "mlp_images", "--epochs", "2", "--run-dir", tmp_path / "run")
    assert again.returncode == 0
    assert "is finished" in again.stdout


@pytest.mark.slow
def test_a_bar_with_an_estimate_shows_on_a_terminal(tmp_path):
    options = [*shlex.split("run cnn_images --filters 8 --epochs 2 --run-dir"), str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    ours, terminal = os.openpty()
    process = forked.Popen(
        [sys.executable, "-m", "kexp.cli", *options],
        env=environment,
        **dict.fromkeys(("stdin", "stdout", "stderr"), terminal),
    )
    os.close(terminal)
    written = read_to_the_end(ours)
    assert process.wait() == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())
    assert re.search(r"epoch 1/2 ━+ \d+ % (-:--:--|0:00:\d\d)", shown)
    assert re.search(r"epoch 2/2 ━+ \d+ % 0:00:\d\d", shown)
    assert "test_accuracy" in shown


@pytest.mark.slow
def test_a_run_killed_with_sigkill_goes_on_with_the_same_line_to_the_same_result(tmp_path):
    arguments = {"epochs": 6, "hidden": (16,), "checkpoint_every": "7 steps", "quiet": True}
    kexp.recipes.mlp_images(**arguments, run_dir=str(tmp_path / "alone"))
    options = "--epochs 6 --hidden 16 --checkpoint-every '7 steps' --quiet --run-dir"
    cut = [
        sys.executable,
        "-m",
        "kexp.cli",
        "run",
        "mlp_images",
        *shlex.split(options),
        str(tmp_path / "cut"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = forked.Popen(cut, env=environment)
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "cut").glob("checkpoints/step-*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut" / "result.json").exists()
    forked.run(cut, env=environment, check=True)
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("alone", "cut")]
    differ = {"seconds": 0, "files": {}}  # model.keras holds the time when it was saved
    assert {**results[0], **differ} == {**results[1], **differ}
    models = [kexp.load(tmp_path / name).model.get_weights() for name in ("alone", "cut")]
    for one, other in zip(*models, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_its_step_says_so_and_is_resumed_from_its_folder(number, run_kexp, tmp_path):
    options = shlex.split("run mlp_images --epochs 100 --hidden 16 --checkpoint-every '60 minutes' --quiet")
    process = forked.Popen(
        [sys.executable, "-m", "kexp.cli", *options, "--run-dir", str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "run" / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == "kexp: interrupted; the same line goes on from the last checkpoint.\n"
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*.json"))) == 1
    if number == signal.SIGINT:
        done = run_kexp("resume", tmp_path / "run", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    else:
        kexp.resume(tmp_path / "run", quiet=True)
    assert len(kexp.load(tmp_path / "run").history["loss"]) == 100


@pytest.mark.slow
def test_a_second_signal_stops_a_run_at_once(tmp_path):
    """The first one is noted between steps; a callback that never returns leaves no such moment."""
    code = """if True:
        import time, keras, kexp
        class Stuck(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                print("stuck", flush=True)
                for _ in range(600):
                    time.sleep(0.1)
        data = kexp.data.load("digits")
        model = kexp.models.mlp((8, 8, 1), 10, dtype="uint8")
        kexp.fit(model, data, callbacks=[Stuck()], run_dir="run", quiet=True)
    """
    process = forked.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM


def test_resuming_a_folder_without_a_run_is_a_mistake(run_kexp, tmp_path):
    assert_mistake(run_kexp("resume", tmp_path), "must be the folder of a run", str(tmp_path))


@pytest.fixture
def call_kexp(capfd):
    """Return a function that runs the command line in this process, which has TensorFlow at hand."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, ended.value.code, printed.out, printed.err)

    return call


def test_export_writes_a_saved_model_and_the_next_version_beside_it(
    call_kexp, digits_run, tmp_path, new_interpreter
):
    for version in ("1", "2"):
        done = call_kexp("export", digits_run, tmp_path / "served")
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "served" / version / "saved_model.pb").is_file()
    (tmp_path / "served" / "notes.txt").touch()
    assert_mistake(call_kexp("export", digits_run, tmp_path / "served"), "served", "holds other files")


def test_export_names_a_format_that_there_is_not(call_kexp, digits_run, tmp_path):
    done = call_kexp("export", digits_run, tmp_path / "served", "--format", "saved_model,onx")
    assert_mistake(done, "'onx' (did you mean 'onnx'?)")


def test_export_writes_over_a_saved_model_that_it_is_told_to(call_kexp, served, digits_run, tmp_path):
    copy = shutil.copytree(served, tmp_path / "served")
    (copy / "1" / "saved_model.pb").write_bytes(b"of old")
    assert call_kexp("export", digits_run, copy, "--overwrite").returncode == 0
    (model,) = copy.glob("*/saved_model.pb")
    assert model.stat().st_size > 1000


def test_predict_prints_a_label_and_probabilities_for_an_image(call_kexp, served, digits_run, tmp_path):
    pixels = np.round(load_digits().images[6] * (255 / 16)).astype("uint8")
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    done = call_kexp("predict", served, tmp_path / "digit.png")
    assert (done.returncode, done.stderr) == (0, "")
    answer = pd.read_csv(io.StringIO(done.stdout))
    assert list(answer.columns) == ["label", *"0123456789"]
    expected = kexp.load(digits_run).predict(pixels[None])
    assert str(answer["label"][0]) == expected.labels[0]
    np.testing.assert_allclose(answer.iloc[:, 1:], expected.probabilities, atol=1e-5)


def test_predict_takes_files_and_folders_in_their_order_and_says_what_it_leaves_out(
    call_kexp, served, digits_run, tmp_path
):
    pixels = np.round(load_digits().images[:5] * (255 / 16)).astype("uint8")
    (tmp_path / "digits").mkdir()
    paths = [tmp_path / f"digits/{name}.png" for name in "edcb"] + [tmp_path / "=a.png"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    (tmp_path / "digits" / "notes.txt").write_text("no image")
    done = call_kexp("predict", served, tmp_path / "=a.png", tmp_path / "digits")
    assert (done.returncode, done.stderr) == (0, "kexp: 1 other file in the folders left out.\n")
    answers = pd.read_csv(io.StringIO(done.stdout))
    assert answers["file"].tolist() == [str(paths[place]) for place in (4, 3, 2, 1, 0)]
    expected = kexp.load(digits_run).predict(pixels[::-1])
    assert answers["label"].astype(str).tolist() == list(expected.labels)
    np.testing.assert_allclose(answers.iloc[:, 2:], expected.probabilities, atol=1e-5)
    (tmp_path / "empty").mkdir()
    assert_mistake(call_kexp("predict", served, tmp_path / "empty"), "holds no file that such a model takes")
    assert_mistake(call_kexp("predict", served), "inputs")


def test_predict_names_a_file_that_it_cannot_read(call_kexp, served, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG but no more")
    assert_mistake(call_kexp("predict", served, tmp_path / "broken.png"), "broken.png")
    assert_mistake(call_kexp("predict", served, tmp_path / "absent.png"), "absent.png")


def test_preparing_an_unknown_data_set_names_the_nearest(call_kexp, tmp_path):
    assert_mistake(call_kexp("data", "prepare", "mnits", "--data-dir", tmp_path), "mnits", "mnist")


def without_progress(text):
    """Return what stands on standard error beside the lines of work that takes long on a busy machine."""
    return re.sub(r"^\w.* …\n", "", text, flags=re.MULTILINE)


def test_check_prints_a_line_per_check_and_exits_with_1_when_there_is_a_problem(
    call_kexp, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = call_kexp("check", "mlp_images", "--hidden", "32")
    assert (done.returncode, without_progress(done.stderr)) == (0, "")
    marked = [line for line in done.stdout.splitlines() if line.startswith("✓")]
    assert len(marked) == 14
    assert re.search(r"budget +96 epochs for 2,000 steps", done.stdout)
    assert re.search(r"budget +training ends once 20 of these epochs in a row bring no better", done.stdout)
    assert re.search(r"time +\d.* an epoch, .* for 96 epochs \(estimate", done.stdout)
    images, labels = load_digits().images[:200].astype("uint8"), load_digits().target[:200]
    np.savez("leak.npz", x_train=images, y_train=labels, x_test=images[:9], y_test=labels[:9])
    done = call_kexp("check", "mlp_images", "--data", "leak.npz", "--hidden", "32", "--batch-size", "16")
    assert (done.returncode, without_progress(done.stderr)) == (1, "")
    assert "✗" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leak.npz"]


def test_lr_find_prints_a_rate_and_draws_where_it_is_told_to(call_kexp, tmp_path):
    done = call_kexp("lr-find", "mlp_images", "--hidden", "32", "--steps", "40", "--plot", tmp_path / "a.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert 1e-4 < float(re.match(r"learning_rate (\S+) \(", done.stdout)[1]) < 1
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.size[0] > 400


def test_mistakes_in_check_and_lr_find_are_answered_before_tensorflow_is_imported(tmp_path):
    code = """if True:
        import sys
        from kexp.cli.app import main
        for line in sys.argv[1:]:
            try:
                main(line.split())
            except SystemExit as ended:
                assert ended.code == (0 if line.endswith("--help") else 2), ended.code
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    lines = [
        "check mlp_images --help",
        "check mlp_images --dropout 1.5",
        "lr-find mlp_images --steps 3",
        f"lr-find mlp_images --plot {tmp_path}/no/such/folder.png",
        f"lr-find mlp_images --plot {tmp_path}/rates.txt",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *lines], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "kexp: dropout must be a number, from 0 to 0.5; received 1.5.",
        "kexp: steps must be a whole number, 10 or more; received 3.",
        f"kexp: plot must be a .png file in a folder that exists; received '{tmp_path}/no/such/folder.png'.",
        f"kexp: plot must be a .png file in a folder that exists; received '{tmp_path}/rates.txt'.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_speaks_of_a_checkpoint_only_where_there_is_one(call_kexp, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("kexp.run.recipe_call.bind", interrupted)
    done = call_kexp("check", "mlp_images")
    assert (done.returncode, done.stderr) == (130, "kexp: interrupted.\n")
    done = call_kexp("run", "mlp_images")
    assert done.stderr == "kexp: interrupted; the same line goes on from the last checkpoint.\n"


def test_a_flag_that_is_on_by_itself_or_undecided_can_be_switched_off(run_kexp):
    for recipe, flag in (("lstm_series", "--no-bidirectional"), ("gan_images", "--no-conditional")):
        assert_mistake(run_kexp("run", recipe, flag, "--epochs", "0"), "epochs must be a whole number")
