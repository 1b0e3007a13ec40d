"""Folders that go, cannot be read or written, or hold what a killed process left: one sentence, no more."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.files import remove_leftovers, replacing, temporary_name
from tests.campaign.damages import copy_of, refused
from tests.forked_python import forked

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


class Do(keras.callbacks.Callback):
    """Does something once, at the end of the first epoch."""

    def __init__(self, action):
        super().__init__()
        self.action = action

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.action()


def fit(run_dir, action=lambda: None, **options):
    keras.utils.set_random_seed(0)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
    given = {"epochs": 2, "overfit_batches": 2, "quiet": True, **options}
    return kexp.fit(model, kexp.data.load("digits"), callbacks=[Do(action)], run_dir=str(run_dir), **given)


@pytest.mark.parametrize("every", ["1 steps", "60 minutes"])
def test_a_run_whose_folder_is_removed_ends_in_a_sentence(tmp_path, every):
    run_dir = tmp_path / "run"
    with refused(f"run_dir {run_dir} was removed or moved while the run was trained"):
        fit(run_dir, lambda: shutil.rmtree(run_dir), checkpoint_every=every)
    assert not run_dir.exists()


def test_so_does_one_whose_folder_is_moved_and_it_can_be_put_back(tmp_path):
    run_dir = tmp_path / "run"
    with refused(f"run_dir {run_dir} was removed or moved"):
        fit(run_dir, lambda: run_dir.rename(tmp_path / "aside"), checkpoint_every="1 steps")
    (tmp_path / "aside").rename(run_dir)
    assert len(fit(run_dir, checkpoint_every="1 steps").history["loss"]) == 2


@pytest.mark.parametrize("place", ["checkpoints", "elsewhere"])
def test_so_does_one_whose_checkpoints_are_removed(tmp_path, place):
    run_dir = tmp_path / "run"
    state = run_dir / "checkpoints" if place == "checkpoints" else tmp_path / "state"
    elsewhere = None if place == "checkpoints" else str(state)
    with refused(f"run_dir {run_dir} was removed", f"{state} is no longer there"):
        fit(run_dir, lambda: shutil.rmtree(state), checkpoint_dir=elsewhere)


def test_an_error_of_a_callbacks_own_keeps_its_traceback(tmp_path):
    with pytest.raises(FileNotFoundError, match="no/such/file"):
        fit(tmp_path / "run", Path("no/such/file").read_text)


@pytest.mark.slow
def test_the_command_line_ends_with_code_2_and_one_line(tmp_path):
    run_dir = tmp_path / "run"
    line = ["run", "mlp_images", "--epochs", "5000", "--quiet", "--run-dir", str(run_dir)]
    process = forked.Popen(
        [sys.executable, "-m", "kexp.cli", *line],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(run_dir.glob("checkpoints/step-*.json")) and process.poll() is None:
        time.sleep(0.05)
    while run_dir.exists():  # the run may write while it is removed
        shutil.rmtree(run_dir, ignore_errors=True)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("kexp: run_dir ")
    assert errors.count("\n") == 1


@pytest.fixture
def read_only(tmp_path):
    """Yield a function that makes a folder read-only; only root can mount it so."""
    mounted = []

    def make(folder):
        mount = [["mount", "--bind", folder, folder], ["mount", "-o", "remount,bind,ro", folder]]
        if os.geteuid() or any(subprocess.run(command, capture_output=True).returncode for command in mount):
            pytest.skip("mounting a folder read-only needs root")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_run_in_a_read_only_folder_is_read_and_refuses_a_page_before_it_is_made(
    digits_run, tmp_path, read_only
):
    run_dir = read_only(copy_of(digits_run, tmp_path / "run"))
    result = kexp.load(run_dir)
    assert result.predict(np.zeros((1, 8, 8), "uint8")).labels
    with refused("path must be in a folder that can be written to", f"{run_dir} is read-only"):
        result.report()
    with refused("path must be a file in a folder that exists"):
        result.report(tmp_path / "no" / "page.html")
    assert result.report(tmp_path / "page.html").is_file()


def test_a_sweep_in_a_read_only_folder_names_its_record(tmp_path, read_only):
    old = ROOT / "tests" / "fixtures" / "version_0_1" / "sweep"
    directory = Path(shutil.copytree(old, tmp_path / "sweep"))
    read_only(directory)
    with refused(str(directory / "sweep.sqlite")):
        kexp.load_sweep(directory)
    with refused("dir must be a folder that can be written to"):
        kexp.sweep(recipes.mlp_tabular, data="iris", trials=1, dir=directory, quiet=True)


@pytest.fixture
def as_nobody():
    """Be somebody who may not read what root has, until the test ends."""
    if os.geteuid():
        pytest.skip("becoming another user needs root")
    return lambda: os.seteuid(NOBODY)


@pytest.mark.parametrize("what", ["the folder", "result.json", "config.json", "model.keras"])
def test_what_may_not_be_read_is_named(digits_run, as_nobody, what):
    place = Path("/tmp") / f"kexp-campaign-{os.getpid()}"
    run_dir = Path(shutil.copytree(digits_run, place / "run"))
    try:
        place.chmod(0o755)
        run_dir.chmod(0o700 if what == "the folder" else 0o755)
        for path in run_dir.iterdir():
            path.chmod(0o600 if path.name == what else 0o755)
        as_nobody()
        with refused(str(run_dir) if what == "the folder" else str(run_dir / what)):
            _ = kexp.load(run_dir).model
        if what == "the folder":
            with refused(str(run_dir)):
                kexp.resume(run_dir, quiet=True)
            with refused(str(run_dir)):
                recipes.mlp_images(data="digits", epochs=2, quiet=True, run_dir=str(run_dir))
    finally:
        os.seteuid(0)
        shutil.rmtree(place)


def dead_process():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def unreaped():
    """Return the number of a process that was killed, and that nobody has asked how it ended."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


def partial(name, pid):
    return temporary_name(name).replace(f"-{os.getpid()}", f"-{pid}")


def test_what_a_killed_process_left_goes_with_the_next_write_there_and_that_of_a_live_one_stays(tmp_path):
    dead, live = dead_process(), os.getppid()
    kept = [partial("report.html", live), temporary_name("report.html"), ".profile", f".notes.{dead}.txt"]
    other = temporary_name("report.html").replace("partial-", "partial-elsewhere_")
    for name in (*kept, other, partial("report.html", dead), partial("a.json", dead)):
        (tmp_path / name).write_text("half")
    with replacing(tmp_path / "page.html") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, other, "page.html"}


def test_a_folder_of_one_run_is_freed_of_all_that_no_live_process_writes(tmp_path):
    dead, live = dead_process(), os.getppid()
    kept = [partial("model.keras", live), f".result.{live}.json", ".profile", f".notes.{dead}.txt"]
    gone = [partial("model.keras", dead), f".step-000000010.{dead}.npz", f".newest.{dead}.json"]
    gone.append(temporary_name("model.keras").replace("partial-", "partial-elsewhere_"))
    for name in (*kept, *gone):
        (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path, own=True)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_a_run_that_goes_on_frees_its_folder_of_what_was_left(tmp_path):
    fit(tmp_path / "run", epochs=1)
    dead = dead_process()
    left = [
        f".config.{dead}.json",
        partial("model.keras", dead),
        f"checkpoints/{partial('step-000000010.npz', dead)}",
    ]
    for name in left:
        (tmp_path / "run" / name).write_text("half")
    fit(tmp_path / "run")
    assert not list((tmp_path / "run").rglob(".*"))


@pytest.mark.parametrize("left", [["env.json"], [".config.{dead}.json", "checkpoints/lock"]])
def test_a_kill_before_the_config_is_written_lets_the_same_line_begin(digits_run, tmp_path, left):
    run_dir = tmp_path / "run"
    (run_dir / "checkpoints").mkdir(parents=True)
    for name in left:
        place = run_dir / name.format(dead=dead_process())
        place.write_bytes((digits_run / "env.json").read_bytes() if name == "env.json" else b"")
    assert fit(run_dir, epochs=1).metrics
    assert not list(run_dir.rglob(".*"))


def test_a_killed_process_that_nobody_has_reaped_is_not_taken_for_a_live_one(unreaped, tmp_path):
    left = tmp_path / "run" / partial("env.json", unreaped)
    left.parent.mkdir()
    left.write_text("half")
    assert fit(left.parent, epochs=1).metrics
    assert not list(left.parent.rglob(".*"))


def test_what_a_live_process_is_writing_there_does_not_keep_a_run_from_beginning(tmp_path):
    page = tmp_path / "run" / partial("report.html", os.getppid())
    page.parent.mkdir()
    page.write_text("half")
    assert fit(page.parent, epochs=1).metrics
    assert page.exists()


def test_a_kill_between_the_two_writes_of_a_longer_run_lets_it_grow_longer(tmp_path, monkeypatch):
    import kexp.run.folder

    run_dir, whole = tmp_path / "run", kexp.run.folder.write_json
    fit(run_dir, epochs=1)

    def killed(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr("kexp.run.folder.write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(run_dir, epochs=2)
    monkeypatch.setattr("kexp.run.folder.write_json", whole)
    assert len(fit(run_dir, epochs=2).history["loss"]) == 2


@pytest.mark.slow
def test_a_report_that_is_killed_while_it_writes_leaves_nothing_after_the_next(digits_run, tmp_path):
    run_dir = copy_of(digits_run, tmp_path / "run")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom kexp.core.files import replacing\n"
        "with replacing(Path(sys.argv[1]) / 'report.html') as path:\n"
        "    path.write_text('half')\n    print('now', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(run_dir)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(list(run_dir.glob(".*"))) == 1
    kexp.load(run_dir).report()
    assert not list(run_dir.glob(".*"))


NAMES = {
    "a data set": lambda data, name: {"data": kexp.data.Dataset(**{**vars(data), "name": name})},
    "a baseline": lambda data, name: {"baselines": {name: lambda inputs: np.zeros((len(inputs), 10), "f4")}},
}


@pytest.mark.parametrize("name", ["caf\udce9", "a\0b"])
@pytest.mark.parametrize("where", NAMES.values(), ids=NAMES)
def test_a_name_that_no_export_could_hold_is_refused_before_training(tmp_path, where, name):
    data = kexp.data.load("digits")
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
    given = {"data": data, **where(data, name)}
    with refused("must be text that UTF-8 can say"):
        kexp.fit(model, **given, epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "names",
    [
        {"class_names": ("a", "caf\udce9")},
        {"class_names": ("a", "a\0b")},
        {"target": "\ud800"},
        {"columns": (kexp.data.Column("\ud800", "number"),)},
    ],
)
def test_a_description_of_data_holds_no_such_name(names):
    with refused("must be text that UTF-8 can say"):
        kexp.data.DatasetSpec("array", (4,), "float32", "classification", 2, **names)


def test_class_names_are_as_many_as_classes():
    with refused("class_names must be as many as there are outputs, 3; received 2"):
        kexp.data.DatasetSpec("array", (4,), "float32", "classification", 3, ("a", "b"))
