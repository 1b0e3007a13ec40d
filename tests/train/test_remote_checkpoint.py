"""The state of a run may be kept elsewhere, also through TensorFlow's file systems, and is only its own."""

import json
import shutil
import signal
import sys
import time
import uuid

import pytest
import tensorflow as tf

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.report import recorded_data
from kexp.train.checkpoint.checkpoint import newest_step
from tests.forked_python import forked
from tests.train.iris_runs import Cut, CutAfter, assert_same, train, weights

OPTIONS = {"dropout": 0.3, "checkpoint_every": "1 steps", "early_stop": 3}
TINY = {"data": "digits", "epochs": 1, "quiet": True}


@pytest.fixture(scope="module")
def left_alone(iris, tmp_path_factory):
    return train(iris, tmp_path_factory.mktemp("alone") / "run", **OPTIONS)


@pytest.fixture
def memory():
    """Yield a folder of TensorFlow's file system in memory."""
    folder = f"ram://{uuid.uuid4().hex}/state"
    yield folder
    if tf.io.gfile.exists(folder):
        tf.io.gfile.rmtree(folder)


def cut(data, run_dir, checkpoint_dir, batches=4):
    with pytest.raises(Cut):
        train(data, run_dir, [CutAfter(batches)], checkpoint_dir=str(checkpoint_dir), **OPTIONS)


def assert_equal_runs(one, other):
    assert one.history == other.history
    assert one.metrics == other.metrics
    assert_same(weights(one), weights(other))
    lines = [(run / "metrics.jsonl").read_text() for run in (one.run_dir, other.run_dir)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("batches", [0, 3, 4])
@pytest.mark.parametrize("folder", ["run", "another"])
def test_a_run_with_its_state_in_memory_goes_on_also_in_a_new_folder(
    iris, left_alone, memory, tmp_path, batches, folder
):
    cut(iris, tmp_path / "run", memory, batches)
    assert newest_step(memory) == batches
    continued = train(iris, tmp_path / folder, checkpoint_dir=memory, **OPTIONS)
    assert_equal_runs(continued, left_alone)
    assert [path.name for path in (tmp_path / folder / "checkpoints").iterdir()] == ["lock"]
    assert len(tf.io.gfile.glob(f"{memory}/step-*.json")) == 2


def test_so_does_one_with_its_state_in_another_folder_of_this_machine(
    iris, left_alone, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    cut(iris, tmp_path / "run", "~/states/first")
    assert newest_step(tmp_path / "states" / "first") == 4
    continued = train(iris, tmp_path / "run", checkpoint_dir="~/states/first", **OPTIONS)
    assert_equal_runs(continued, left_alone)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["lock"]


def flip_a_bit(name):
    with tf.io.gfile.GFile(name, "rb") as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    with tf.io.gfile.GFile(name, "wb") as file:
        file.write(bytes(content))


@pytest.mark.parametrize("damage", [flip_a_bit, tf.io.gfile.remove])
@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_a_damaged_or_absent_newest_checkpoint_is_reported_and_the_one_before_is_used(
    iris, left_alone, memory, tmp_path, damage, suffix
):
    cut(iris, tmp_path / "run", memory)
    damage(f"{memory}/step-000000004.{suffix}")
    with pytest.warns(UserWarning, match=r"step-000000004 is (missing|damaged)") as warned:
        continued = train(iris, tmp_path / "run", checkpoint_dir=memory, **OPTIONS)
    assert len([one for one in warned if "step-" in str(one.message)]) == 1
    assert_equal_runs(continued, left_alone)


def test_the_state_of_a_run_with_other_arguments_is_refused_and_kept(iris, memory, tmp_path):
    cut(iris, tmp_path / "run", memory)
    with pytest.raises(InputError, match=r"checkpoint_dir ram://.* other arguments: seed was 3 and is now 4"):
        train(iris, tmp_path / "other", checkpoint_dir=memory, **OPTIONS, seed=4)
    assert not (tmp_path / "other").exists()
    assert newest_step(memory) == 4


def test_more_epochs_go_on_and_fewer_are_refused(iris, memory, tmp_path):
    straight = train(iris, tmp_path / "straight", epochs=3)
    train(iris, tmp_path / "short", epochs=1, checkpoint_dir=memory)
    assert_equal_runs(train(iris, tmp_path / "long", epochs=3, checkpoint_dir=memory), straight)
    with pytest.raises(InputError, match="epochs was 3 and is now 2"):
        train(iris, tmp_path / "less", epochs=2, checkpoint_dir=memory)


def test_the_state_of_a_run_on_other_data_is_refused(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("size,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60)))
    arguments = {"data": str(table), "target": "kind", "epochs": 1, "quiet": True}
    arguments["checkpoint_dir"] = str(tmp_path / "state")
    recipes.mlp_tabular(**arguments, run_dir=str(tmp_path / "run"))
    table.write_text(table.read_text().replace("59,b", "59,a"))
    with pytest.raises(InputError, match=r"checkpoint_dir .*state holds .* on other data than .*table"):
        recipes.mlp_tabular(**arguments, run_dir=str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_a_run_is_not_begun_anew_because_its_state_is_looked_for_elsewhere(iris, memory, tmp_path):
    cut(iris, tmp_path / "run", memory)
    for other in (None, str(tmp_path / "empty")):
        with pytest.raises(InputError, match=r"holds a run with checkpoint_dir 'ram://.*; received"):
            train(iris, tmp_path / "run", checkpoint_dir=other, **OPTIONS)
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nosuch://x", "checkpoint_dir must be a folder that can be reached; nosuch://x cannot be"),
        ("file:///proc/no/such", "checkpoint_dir must be a folder that can be written to; file:"),
        ("{}/file/state", "checkpoint_dir must be a folder; .*file is a file"),
        ("{}", "holds files that are not checkpoints of a run"),
        ("file://{}", "holds files that are not checkpoints of a run"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_sentence_and_nothing_is_written(tmp_path, place, words):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=words) as raised:
        recipes.mlp_images(**TINY, checkpoint_dir=place.format(tmp_path), run_dir=str(tmp_path / "run"))
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_finished_run_is_looked_at_without_its_state(tmp_path):
    run, state = tmp_path / "run", tmp_path / "state"
    recipes.mlp_images(**TINY, checkpoint_dir=str(state), run_dir=str(run))
    shutil.rmtree(state)
    state.write_text("no longer a folder")
    assert kexp.resume(run, quiet=True).metrics == kexp.load(run).metrics
    assert recorded_data(kexp.load(run)).name == "digits"


CALL = "import json, sys; from kexp import recipes; recipes.mlp_images(**json.loads(sys.argv[1]))"


@pytest.mark.slow
@pytest.mark.parametrize("go_on", ["resume", "in another folder"])
def test_a_run_killed_with_sigkill_goes_on_from_the_state_behind_a_scheme(tmp_path, run_kexp, go_on):
    state = tmp_path / "state"
    arguments = {**TINY, "epochs": 3, "hidden": [16], "dropout": 0.2, "checkpoint_every": "1 steps"}
    alone = recipes.mlp_images(**arguments, run_dir=str(tmp_path / "alone"))
    arguments["checkpoint_dir"] = f"file://{state}"
    call = json.dumps({**arguments, "run_dir": str(tmp_path / "run")})
    process = forked.Popen([sys.executable, "-c", CALL, call])
    while process.poll() is None and newest_step(state) < 30:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    killed_at = newest_step(state)
    assert 30 <= killed_at < newest_step(tmp_path / "alone" / "checkpoints")
    if go_on == "resume":
        done = run_kexp("resume", tmp_path / "run", "--checkpoint-dir", f"file://{state}", "--quiet")
        assert done.returncode == 0, done.stderr
        continued = kexp.load(tmp_path / "run")
    else:
        continued = recipes.mlp_images(**arguments, run_dir=str(tmp_path / "another"))
    assert_equal_runs(continued, alone)
    assert [path.name for path in (continued.run_dir / "checkpoints").iterdir()] == ["lock"]
    assert newest_step(state) == newest_step(tmp_path / "alone" / "checkpoints")
