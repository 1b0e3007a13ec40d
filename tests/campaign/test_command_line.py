"""The command line under attack: every wrong word is one sentence and exit code 2, and nothing is written."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import kexp
from kexp import recipes
from kexp.cli.app import main
from tests.campaign.wrong_lines import LATER
from tests.forked_python import forked

ROOT = Path(__file__).resolve().parents[2]
LONG, DEEP = "x" * 300, "[" * 20_000
RUN, TABLE, SWEEP = "run mlp_images ", "run mlp_tabular ", "sweep mlp_images "
LAUNCH, RESUME, SEVERAL = "launch --workers ", "verify resume mlp_images ", "verify distributed mlp_images "
SAMPLE, FIND, REPRODUCE = "sample none --output a.png ", "lr-find mlp_images ", "reproduce mlp_images "

# A line, and what its answer says.
NUMBERS = [
    *[
        (f"{RUN}--epochs {word}", f"epochs must be a whole number, 1 or more; received {shown}")
        for word, shown in {
            "1.5": "1.5",
            "3.": "3.0",
            "1e3": "1000.0",
            "1e400": "inf",
            "nan": "nan",
            "-inf": "-inf",
            "0": "0.",
            "-3": "-3",
            "0x10": "'0x10'",
            "1_000": "'1_000'",
            "\u0661\u0662": "'\u0661\u0662'",
            "''": "''",
            "three": "'three'",
            "None": "'None'",
            "true": "'true'",
            "'1 2'": "'1 2'",
            "10000000000": "10000000000 (at most 1,000,000,000)",
            "9" * 100: "a number of about 100 digits",
            "9" * 6000: "'999",
        }.items()
    ],
    (f"{RUN}--hidden 16.7", "hidden must be a tuple, each a whole number, from 16 to 1024; received (16.7,)"),
    (f"{RUN}--hidden 64 32.5", "received (64, 32.5)"),
    (f"{RUN}--hidden 64,32", "received ('64,32',)"),
    (f"{RUN}--hidden [64,NaN]", "received (64, nan)"),
    (f"{RUN}--hidden [[64]]", "received ([64],)"),
    (f"{RUN}--hidden {DEEP}", "hidden must be a tuple"),
    (f"{RUN}--hidden", "hidden must be a tuple"),
    (f"{RUN}--learning-rate nan", "learning_rate must be a number, from 1e-07 to 10; received nan"),
    (f"{RUN}--learning-rate -inf", "received -inf"),
    (f"{RUN}--learning-rate 1e400", "received inf"),
    (f"{RUN}--learning-rate 0x1p-3", "received '0x1p-3'"),
    (f"{RUN}--learning-rate 1_0.0", "received '1_0.0'"),
    (f"{RUN}--learning-rate 1e-3j", "received '1e-3j'"),
    (
        f"{RUN}--batch-size 32.5",
        "batch_size must be a whole number, 1 or more, or one of 'auto'; received 32.5",
    ),
    (f"{RUN}--batch-size aut", "did you mean 'auto'"),
    (f"{RUN}--seed 1.0", "seed must be a whole number, from 0 to 2147483647; received 1.0"),
    (f"{RUN}--seed 99999999999", "seed must be"),
    (f"{RUN}--class-weight 1 nan", "class_weight must be"),
    (f"{RUN}--class-weight balance", "did you mean 'balanced'"),
    (f"{RUN}--clip-norm nan", "clip_norm must be a number, from 1e-06 to 1e+06, or None; received nan"),
    (f"{RUN}--spike inf", "spike must be"),
    (
        f"{RUN}--start-timeout-s 1e300",
        "start_timeout_s must be a number, 1 or more; received 1e+300 (at most",
    ),
    (f"{RUN}--accumulate 1000000000000", "accumulate must be"),
    (f"{RUN}--early-stop 0.5", "early_stop must be"),
    (f"{RUN}--dropout 0,1", "dropout must be a number, from 0 to 0.5; received '0,1'"),
    ("run transformer_lm --heads 4.0", "heads must be one of 2, 4, 8; received 4.0"),
    ("run unet_segmentation --canvas 32 32.5", "canvas must be a tuple of 2"),
    (f"{RUN}--checkpoint-every 'nan steps'", "checkpoint_every must read like"),
    (f"{RUN}--checkpoint-every 'inf minutes'", "checkpoint_every must read like"),
    (f"{RUN}--checkpoint-every '1_0 steps'", "checkpoint_every must read like"),
    (f"{RUN}--checkpoint-every 10", "checkpoint_every must read like"),
    (f"{SAMPLE}--n 1.5", "n must be a whole number, 1 or more; received 1.5"),
    (f"{SAMPLE}--n 1000000000", "n must be a whole number, 1 or more; received 1000000000 (at most 100,000)"),
    (f"{SAMPLE}--n nan", "n must be"),
    (f"{SAMPLE}--seed -1", "seed must be a whole number, 0 or more; received -1"),
    (f"{SAMPLE}--seed 1e3", "seed must be"),
    (f"{RESUME}--kills 0", "kills must be a whole number, 1 or more; received 0"),
    (f"{RESUME}--kills 2.5", "kills must be"),
    (f"{RESUME}--workers 5000", "workers must be at most"),
    (f"{RESUME}--victim chef", "did you mean 'chief'"),
    (f"{SEVERAL}--tolerance nan", "tolerance must be a number, 0 or more; received nan"),
    (f"{SEVERAL}--tolerance -1e-5", "tolerance must be"),
    (f"{SEVERAL}--tolerance inf", "tolerance must be"),
    (
        f"{SEVERAL}--replicas 5000",
        "replicas must be a whole number, 2 or more, or None; received 5000 (at most 64)",
    ),
    (f"{SEVERAL}--replicas 1", "replicas must be"),
    (f"{SEVERAL}--workers 5000", "workers must be at most"),
    (f"{SEVERAL}--train-steps 2.0", "train_steps must be"),
    (f"{REPRODUCE}--seeds 0", "seeds must be a whole number, 1 or more; received 0"),
    (f"{REPRODUCE}--seeds 1.5", "seeds must be"),
    (f"{FIND}--steps 9", "steps must be a whole number, 10 or more; received 9"),
    (f"{FIND}--steps 1e9", "steps must be"),
    (f"{LAUNCH}5000 -- {RUN}", "workers must be at most"),
    (f"{LAUNCH}1.5 -- {RUN}", "workers must be a whole number, 1 or more; received 1.5"),
    (f"{LAUNCH}nan -- {RUN}", "workers must be"),
    (f"{LAUNCH}2 --cores-per-worker 0 -- {RUN}", "cores_per_worker must be"),
    (f"{LAUNCH}2 -- {RUN}--epochs 1.5", "epochs must be a whole number, 1 or more; received 1.5"),
    (f"{LAUNCH}2 -- list", "what is launched must be"),
    (f"{SWEEP}--workers 5000", "workers must be at most"),
    (f"{SWEEP}--trials 1.5", "trials must be a whole number, 1 or more; received 1.5"),
    (f"{SWEEP}--trials 1000000000", "trials must be"),
    (f"{SWEEP}--trials nan", "trials must be"),
    (f"{SWEEP}--lease-s nan", "lease_s must be a number, 5 or more; received nan"),
    (f"{SWEEP}--lease-s 1e300", "lease_s must be"),
    (f"{SWEEP}--keep 0", "keep must be"),
    (f"{SWEEP}--seeds-for-top 1", "seeds_for_top must be 0, or 2 or more"),
    (f"{SWEEP}--budget 1e400h", "budget must be an amount"),
    (f"{SWEEP}--budget 2parsecs", "budget must be an amount"),
    (f"{SWEEP}--algorithm rand", "did you mean 'random'"),
    (
        f"{SWEEP}--learning-rate 1e-4..nan",
        "learning_rate must be a range such as 0.1..0.5; received '1e-4..nan'",
    ),
    (f"{SWEEP}--learning-rate 1e-4..inf", "learning_rate must be a range"),
    (f"{SWEEP}--learning-rate 1e-3..1e-4", "learning_rate must have a low end"),
    (f"{SWEEP}--learning-rate 1_0..2_0", "learning_rate must be a range"),
    (f"{SWEEP}--learning-rate ..", "learning_rate must be a range"),
    (f"{SWEEP}--learning-rate 1e-4,nan", "learning_rate in space must be a number"),
    (f"{SWEEP}--dropout 0..0.2..0.4", "dropout must be a range"),
    (f"{SWEEP}--dropout 0..0.9", "dropout must be a number, from 0 to 0.5; received 0.9"),
    (f"{SWEEP}--epochs 1.5", "epochs must be a whole number, 1 or more; received 1.5"),
    (f"{SWEEP}--epochs 1.5..3", "epochs is a whole number and needs a range of whole numbers"),
    (f"{SWEEP}--epochs 0x2..0x3", "epochs must be a range"),
    (f"{SWEEP}--hidden 16.7", "hidden must be"),
    (f"{SWEEP}--optimizer", "optimizer must have a value, a range"),
    (f"{SWEEP}--optimizer adam,adm", "did you mean 'adam'"),
]
PATHS = [
    *[
        (line.format(path), f"{name} must be {words}")
        for name, line in {
            "run_dir": f"{RUN}--run-dir {{}}",
            "checkpoint_dir": f"{RUN}--checkpoint-dir {{}}",
            "directory": "report {}",
            "output": "sample none --output {}",
            "plot": f"{FIND}--plot {{}}",
            "dir": f"{SWEEP}--dir {{}}",
        }.items()
        for path, words in {
            "''": "a path; received ''",
            "~nosuchuser/x": "a path whose ~ stands for a home folder",
            LONG: "a path of names of at most 255 bytes",
            "circle": "a path that can be reached",
            "circle/x.png": "a path that can be reached",
        }.items()
    ],
    (f"{RUN}--run-dir file.txt", "run_dir must be a folder; file.txt is a file"),
    (f"{RUN}--run-dir file.txt/x", "run_dir must be a folder"),
    (f"{RUN}--run-dir broken", "run_dir must be a folder; broken is a link to nowhere"),
    (f"{RUN}--run-dir folder", "run_dir folder holds files that are not a run"),
    (f"{RUN}--checkpoint-dir file.txt", "checkpoint_dir must be a folder"),
    (f"{RUN}--checkpoint-dir broken", "checkpoint_dir must be a folder"),
    (f"{SWEEP}--dir file.txt", "dir must be a folder; file.txt is a file"),
    (f"{SWEEP}--dir folder", "dir folder holds files that are not a sweep"),
    (f"{RUN}--data file.txt/x", "there is no such data set or path"),
    (f"{RUN}--data broken", "there is no such data set or path"),
    (f"{RUN}--data circle", "data must be a path that can be reached"),
    (f"{RUN}--data {LONG}", "data must be"),
    (f"{RUN}--data ~nosuchuser/x.csv", "data must be a path whose ~"),
    (f"{RUN}--data folder", "expected class folders"),
    ("export '' served", "run_dir must be a path"),
    ("export folder served", "run_dir must be the folder of a finished run"),
    ("predict '' a.png", "directory must be a path"),
    ("predict file.txt a.png", "directory must be the folder of an exported model"),
    ("resume ''", "run_dir must be a path"),
    ("resume file.txt", "run_dir must be the folder of a run"),
    ("resume broken", "run_dir must be the folder of a run"),
    ("data prepare mnits --data-dir ''", "data_dir must be a path"),
    ("data prepare mnits --data-dir file.txt/x", "data_dir must be a folder"),
    (f"{SAMPLE.replace('a.png', 'a.txt')}", "output must be a .png file in a folder that exists"),
    (f"{SAMPLE.replace('a.png', 'folder')}", "output must be a .png file in a folder that exists"),
    (f"{SAMPLE.replace('a.png', 'no/such/a.png')}", "output must be a .png file in a folder that exists"),
    (f"{FIND}--plot pipe.png", "plot must be a file; pipe.png is a pipe"),
    (f"{FIND}--plot {'x' * 240}.png", "plot must have a name of at most 230 bytes"),
    (f"{REPRODUCE}--table missing/x.md", "table must be a file in a folder that exists"),
    (f"{REPRODUCE}--table folder", "table must be a file"),
    (f"{REPRODUCE}--table /dev/null", "table must be a file; /dev/null is a pipe, socket or device"),
    (f"{REPRODUCE}--table file.txt", "table file.txt must be a new file, or hold"),
]
WORDS = [
    ("run no_such_recipe", "no_such_recipe"),
    ("no_such_command", "no_such_command"),
    (f"{RUN}--epoch 3", "Did you mean --epochs?"),
    (f"{RUN}--epochs", "--epochs requires an argument"),
    (f"{RUN}--epochs 3 --epochs 4", "--epochs specified multiple times"),
    (f"{RUN}--quiet=perhaps", "quiet must be True or False; received 'perhaps'"),
    ("run gan_images --conditional=perhaps", "conditional must be True or False"),
    ("export none served --overwrite=perhaps", "overwrite must be True or False"),
    (f"{RUN}--optimizer adm", "optimizer must be one of"),
    (f"{RUN}--optimizer ADAM", "optimizer must be one of"),
    (f"{RUN}--normalization None", "did you mean 'none'"),
    (f"{RUN}--data $'dig\\x1b[31mits'", "there is no such data set"),
    (f"{RUN}--data 'two\nlines'", "there is no such data set"),
    (f"{RUN}--devices x", "devices must be names such as 'CPU:0'"),
    (f"{RUN}--devices CPU:0 GPU:x", "devices must be names"),
    (f"{RUN}--strategy tpus", "did you mean 'tpu'"),
    (
        f"{RUN}{'y' * 10_000}",
        "there is no such data set" if len("y" * 10_000) < 255 else "data must be a path",
    ),
    (f"run {'y' * 10_000}", "Unknown command"),
    ("reproduce no_such_recipe", "there is no recipe no_such_recipe"),
    (f"{SWEEP}--cluster host:x", "cluster must be 'auto'"),
    (f"{SWEEP}--prune mean", "prune must be one of 'median', or None"),
    ("export", "requires an argument"),
]
CASES = [*NUMBERS, *PATHS, *WORDS, *LATER]


@pytest.fixture
def among_traps(tmp_path, monkeypatch):
    """Return a folder with what paths stumble over; what starts work is an error."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.md").touch()
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "t.csv").write_text("day,price,shop,y\n" + "2024-01-01,1.5,a,b\n" * 9)
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "broken").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)

    def begun(*arguments, **options):
        raise AssertionError("work has begun before the line was judged")

    for name in ("kexp.cli.app.start_tensorflow", "kexp.cli.recipe_commands.start_tensorflow"):
        monkeypatch.setattr(name, begun)
    monkeypatch.setattr("subprocess.Popen.__init__", begun)
    return tmp_path


def assert_answer(line, words, place, capsys):
    """Assert that a line is answered in one sentence that has these words, and leaves a folder as it was."""
    before = sorted(place.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line))
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err.startswith("kexp: ")
    assert printed.err.count("\n") == 1
    assert printed.err[:-1].isprintable()
    assert len(printed.err) < 1000
    assert words in printed.err
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(("line", "words"), CASES, ids=[line[:60] for line, _ in CASES])
def test_a_wrong_line_is_answered_in_a_sentence_and_writes_nothing(line, words, among_traps, capsys):
    assert_answer(line, words, among_traps, capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        {"epochs": 1.5},
        {"hidden": (16.7,)},
        {"learning_rate": float("nan")},
        {"optimizer": "adm"},
        {"seed": -1},
    ],
    ids=str,
)
def test_a_value_is_refused_with_the_words_that_python_has_for_it(arguments, capsys):
    with pytest.raises(kexp.InputError) as refused:
        recipes.mlp_images(**arguments)
    ((name, value),) = arguments.items()
    words = map(str, value) if isinstance(value, tuple) else [str(value)]
    with pytest.raises(SystemExit):
        main(["run", "mlp_images", f"--{name.replace('_', '-')}", *words])
    assert capsys.readouterr().err == f"kexp: {refused.value}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--target None", {"target": None}),
        ("""--target '"None"'""", {"target": "None"}),
        ("--target none", {"target": "none"}),
        ("--target 3", {"target": "3"}),
        ("--weight-decay none", {"weight_decay": None}),
        ("--class-weight None", {"class_weight": None}),
        ("--class-weight 1 2.5", {"class_weight": (1.0, 2.5)}),
        ("--class-weight 3", {"class_weight": (3.0,)}),
        ("--devices None", {"devices": None}),
        ("--devices CPU:0 CPU:1", {"devices": ("CPU:0", "CPU:1")}),
        ("--hidden 64 32", {"hidden": (64, 32)}),
        ("--hidden [64,32]", {"hidden": (64, 32)}),
        ("--hidden 64 --hidden 32", {"hidden": (64, 32)}),
        ("--batch-size auto", {"batch_size": "auto"}),
        ("--epochs +3 --seed 0", {"epochs": 3, "seed": 0}),
        ("--monitor -val_loss --seed 0", {"monitor": "-val_loss", "seed": 0}),
        ("--monitor=+val_gain --separator ';'", {"monitor": "+val_gain", "separator": ";"}),
        ("--learning-rate .5e-2", {"learning_rate": 0.005}),
        ("--quiet --no-scale-by-replicas", {"quiet": True, "scale_by_replicas": False}),
        ("wine --quiet=false", {"data": "wine", "quiet": False}),
    ],
)
def test_a_value_is_what_it_is_in_python(words, expected, monkeypatch):
    given = {}
    monkeypatch.setattr(
        "kexp.run.recipe_call.bind", lambda recipe, **arguments: given.update(arguments) or sys.exit(0)
    )
    with pytest.raises(SystemExit):
        main(["run", "mlp_tabular", *shlex.split(words)])
    assert given == expected


def run_line(line, **options):
    """Return how a line of the shell ends in which kexp stands for the command line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    if line == SHORT:  # which needs no shell
        command = [sys.executable, "-m", "kexp.cli", *shlex.split(line)[1:]]
        return forked.run(command, capture_output=True, text=True, env=environment, timeout=60, **options)
    command = f'kexp() {{ {shlex.quote(sys.executable)} -m kexp.cli "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=60, **options
    )


TF_CONFIG = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}


def config(**changes):
    return json.dumps({**TF_CONFIG, **changes})


VARIABLES = {
    "data that is a file": ("list", {"KEXP_DATA_DIR": __file__}, "KEXP_DATA_DIR must be a folder"),
    "data of nobody": ("list", {"KEXP_DATA_DIR": "~nosuchuser"}, "KEXP_DATA_DIR must be a path"),
    "data in a circle": ("list", {"KEXP_DATA_DIR": "circle"}, "KEXP_DATA_DIR must be a path"),
    "data that is missing": (f"{RUN}--data nosuch", {"KEXP_DATA_DIR": "/no/such"}, "which is not a folder"),
    "prepared data of nobody": (
        f"{RUN}--data nosuch",
        {"TFDS_DATA_DIR": "~nosuchuser"},
        "TFDS_DATA_DIR must be",
    ),
    "no home": (f"{RUN}--run-dir ~/x", {"HOME": "circle"}, "run_dir must be a path that can be reached"),
    "no cluster": (RUN, {"TF_CONFIG": "worker"}, "TF_CONFIG: is not JSON"),
    "a list for a cluster": (RUN, {"TF_CONFIG": "[]"}, "TF_CONFIG: must hold a JSON object"),
    "a deep cluster": (RUN, {"TF_CONFIG": DEEP}, "TF_CONFIG: is nested too deep"),
    "a cluster of numbers": (
        RUN,
        {"TF_CONFIG": config(cluster={"worker": [1]})},
        "TF_CONFIG: cluster must be",
    ),
    "a cluster of a text": (RUN, {"TF_CONFIG": config(cluster="a:1")}, "TF_CONFIG: cluster must be"),
    "a cluster without a task": (RUN, {"TF_CONFIG": config(task=None)}, "TF_CONFIG, task: must hold"),
    "a task of no number": (RUN, {"TF_CONFIG": config(task={"type": "worker"})}, "lacks the key index"),
    "a task in parts": (
        RUN,
        {"TF_CONFIG": config(task={"type": "worker", "index": "0.5"})},
        "received worker '0.5'",
    ),
    "a task of another": (
        RUN,
        {"TF_CONFIG": config(task={"type": "worker", "index": 2})},
        "received worker 2",
    ),
    "a port of letters": (RUN, {"TF_CONFIG": config(cluster={"worker": ["a:x", "b:2"]})}, "host:port"),
    "a port of none": (RUN, {"TF_CONFIG": config(cluster={"worker": ["a:0", "b:2"]})}, "host:port"),
    "a port of many": (RUN, {"TF_CONFIG": config(cluster={"worker": ["a:70000", "b:2"]})}, "host:port"),
    "no port": (RUN, {"TF_CONFIG": config(cluster={"worker": ["a", "b:2"]})}, "host:port"),
    "one for two": (RUN, {"TF_CONFIG": config(cluster={"worker": ["a:1", "a:1"]})}, "a:1 more than once"),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_a_wrong_variable_is_named_in_a_sentence(case, among_traps, capsys, monkeypatch):
    line, variables, words = VARIABLES[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert_answer(line, words, among_traps, capsys)


def test_a_working_directory_that_is_gone_is_named(tmp_path, monkeypatch, capsys):
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    assert_answer(f"{RUN}--data digits", "the working directory does not exist any more", tmp_path, capsys)


MACHINES = {
    "a full disk behind standard output": ("kexp list > /dev/full", {}, "standard output cannot be written"),
    "a closed standard output": ("kexp list >&-", {}, "standard output is closed"),
    "little memory": ("ulimit -v 1500000; kexp run mlp_images", {}, "raise the limit (ulimit -v)"),
    "another backend": ("kexp run mlp_images", {"KERAS_BACKEND": "jax"}, "KERAS_BACKEND must be tensorflow"),
}


@pytest.mark.parametrize("case", MACHINES)
def test_a_machine_that_fails_is_named_in_a_sentence(case, tmp_path):
    line, variables, words = MACHINES[case]
    done = run_line(line, env=variables, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kexp: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "variables", "code"),
    [
        ("kexp list 2>&- <&-", {"COLUMNS": "99999999999"}, 0),
        ("kexp run no_such_recipe 2>&-", {}, 2),
        ("kexp run no_such_recipe 2> /dev/full", {}, 2),
        ("kexp list >&- 2>&-", {}, 2),
        ("kexp list | true", {"COLUMNS": "x", "TERM": "dumb"}, 0),
        ("kexp run mlp_images --help | head -1", {"COLUMNS": "0", "PYTHONIOENCODING": "ascii"}, 0),
        ("kexp run mlp_images --help", {"COLUMNS": "1", "LC_ALL": "C", "PYTHONUTF8": "0"}, 0),
    ],
)
def test_streams_and_terminals_of_any_kind_end_without_a_traceback(line, variables, code):
    done = run_line(line, env=variables)
    assert (done.returncode, done.stderr) == (code, "")
    assert all(len(row) <= 400 for row in done.stdout.splitlines())


SHORT = "kexp run mlp_images --data digits --hidden 16 --epochs 2 --quiet --run-dir run"
WHILE_TRAINING = {
    "files that may not grow": (f"ulimit -f 1; {SHORT}", {}, "File too large"),
    "a board that is a file": (SHORT, {"KEXP_TENSORBOARD_DIR": __file__}, "TENSORBOARD_DIR must be a folder"),
    "a full disk behind standard output": (
        SHORT.replace(" --quiet", "") + " > /dev/full",
        {},
        "standard output cannot be written (No space left on device)",
    ),
    "SLURM of more tasks than there are": (
        SHORT,
        {
            "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_STEP_NODELIST": "a",
            "SLURM_STEP_TASKS_PER_NODE": "2",
            "SLURM_PROCID": "7",
        },
        "SLURM_PROCID must be the number of one of the 2 tasks",
    ),
    "SLURM of endless tasks": (
        SHORT,
        {
            "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_STEP_NODELIST": "a[1-99999999]",
            "SLURM_STEP_TASKS_PER_NODE": "1(x99999999)",
            "SLURM_PROCID": "0",
        },
        "SLURM must describe its step",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WHILE_TRAINING)
def test_a_machine_that_fails_while_training_is_named_in_a_sentence(case, tmp_path):
    line, variables, words = WHILE_TRAINING[case]
    line = line if line == SHORT else f"{line} 2> >(cat >&2)"
    done = run_line(line, env=variables, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kexp: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    if (tmp_path / "run").exists():  # what was begun goes on
        done = run_line(SHORT, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_odd_surroundings_leave_a_run_alone(tmp_path):
    odd = {
        "MPLBACKEND": "nosuch",
        "HOME": "/proc/none",
        "KERAS_HOME": "/proc/none",
        "LC_ALL": "C",
        "COLUMNS": "0",
    }
    done = run_line(f"{SHORT} 2>&- <&-", env=odd, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "run" / "result.json").is_file()
