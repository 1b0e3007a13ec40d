"""`kexp profile` prints where a step's time goes, of one's own recipes too."""

import subprocess
import sys

import pytest

from kexp.evaluation import profiler

MINE = """
import kexp


@kexp.recipe()
def mine(data: str = "iris", *, units: int = 8, **train: kexp.Unpack[kexp.TrainOptions]) -> kexp.Result:
    dataset = kexp.data.load(data, **kexp.holdout(train))
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(units,))
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
"""


def test_the_profile_of_a_recipe_in_a_file_is_printed_and_nothing_is_left(run_kexp, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    done = run_kexp("profile", "mine.py:mine", "--units", 4, "--accumulate", 2, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mlp on iris, a step of 2 x 64 samples\n")
    for word in ("input", "forward", "backward", "update", "metrics", "host", "sum", "first step", "GFLOP/s"):
        assert f"  {word}" in done.stdout or f" {word} " in done.stdout
    assert "Python takes" in done.stdout  # of two steps of a tiny model
    assert {path.name for path in tmp_path.iterdir()} <= {"mine.py", "__pycache__"}


def test_the_help_lists_the_arguments_of_the_recipe(run_kexp):
    assert "--learning-rate" in run_kexp("profile", "mlp_images", "--help").stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["mlp_images", "--epochs", "0"], "epochs must be a whole number, 1 or more; received 0."),
        (["mlp_image"], "mlp_image"),
        (["mlp_images", "--data", "absent.csv"], "absent.csv"),
    ],
)
def test_a_mistake_is_one_sentence_before_tensorflow_is_imported(line, words, tmp_path):
    code = (
        "import sys\n"
        "from kexp.cli.app import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: assert not {'tensorflow', 'keras'} & {*sys.modules}"
    )
    command = [sys.executable, "-c", code, "profile", *line]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kexp: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_quiet_is_quiet(monkeypatch, capsys):
    from kexp.cli.app import main

    for name, value in {
        "_PARTS_S": 0.1,
        "_CALLS": 1,
        "_CALL_S": 0.01,
        "_LOOP_S": 0.1,
        "_EPOCH_S": 0.1,
    }.items():
        monkeypatch.setattr(profiler, name, value)
    with pytest.raises(SystemExit) as ended:
        main(["profile", "mlp_images", "--hidden", "16", "--quiet"])
    assert ended.value.code == 0
    assert capsys.readouterr() == ("", "")
