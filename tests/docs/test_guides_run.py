"""Every block of README and the guides runs, from top to bottom, as a reader would run it."""

import shutil
import sys

import pytest

from kexp import recipes
from tests.docs.guides import PAGES, all_blocks, console_lines, inline_commands, named
from tests.docs.reader import Reader, copy_of, lay_out, shortened

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:\w+\(\) is deprecated:DeprecationWarning"),  # KerasTuner's own
    pytest.mark.filterwarnings("ignore:Samples have collapsed:RuntimeWarning"),  # after one epoch
]

# Lines that need what a test may not have, and what is tested in their place.
ELSEWHERE = {
    "python3 tools/first_run.py": "makes an environment; the wheel's smoke test does so too",
    "python3 tools/check.py": "runs these tests",
    "pip install": "takes packages from an index",
    "hf upload": "needs an account",
    "kexp report runs/digits --explain": "as the line of Python above it",
    "kexp reproduce": "trains for minutes; tests/verify runs it on tiny references",
    "kexp verify resume": "trains and kills for minutes; tests/verify does so with tiny recipes",
    "kexp verify distributed": "as kexp verify resume",
    "kexp doctor": "ends with 1 where a machine lacks something; tests/cli runs it",
    "kexp data prepare": "downloads",
    "kexp models prepare": "downloads",
}
# Runs that a page takes for granted, because another page has trained them.
DIGITS = ("explaining", "export", "publishing", "serving", "tracking", "exact_resume")
COMPARED = ("comparing_runs",)
FAST = ("own_model", "own_recipes")  # 5 to 8 s each; the others take up to 30 s of one core
LANGUAGES = {"python", "console", "toml", "text"}
# What most pages begin with: it is run once, and the pages get its folders.
SHARED = (
    "kexp run cnn_images --data digits --epochs 5 --run-dir runs/digits",
    "kexp export runs/digits served/digits",
    "kexp predict served/digits image.png",
    "kexp report runs/digits",
    "kexp resume runs/digits",
)
RUN = {"python", "console"}
RUNNING = [page for page in PAGES if RUN & {block.language for block in all_blocks(page)}]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    lay_out(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, files, run_kexp):
    """Return a folder with the run that most pages begin with, and its export."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(files / "image.png", folder)
    for line in SHARED:
        done = run_kexp(*shortened(line).split()[1:], cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Return a folder with three runs of each of two learning rates."""
    folder = tmp_path_factory.mktemp("compared") / "runs"
    for group, rate in (("a", 1e-3), ("b", 1e-2)):
        for seed in range(3):
            run_dir = str(folder / f"{group}{seed}")
            recipes.mlp_images("digits", learning_rate=rate, seed=seed, epochs=1, run_dir=run_dir, quiet=True)
        shutil.copytree(folder / f"{group}0", folder / group)
    return folder.parent


@pytest.mark.parametrize(
    "page",
    [page if page.stem in FAST else pytest.param(page, marks=pytest.mark.slow) for page in RUNNING],
    ids=named,
)
def test_every_block_of_a_page_runs(page, files, tmp_path, monkeypatch, request):
    copy_of(files, tmp_path)
    if page.stem in DIGITS or any(SHARED[0] in block.text for block in all_blocks(page)):
        copy_of(request.getfixturevalue("trained"), tmp_path)
    if page.stem in COMPARED:
        copy_of(request.getfixturevalue("compared"), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEXP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(tmp_path)
    with Reader(page, request.getfixturevalue("run_kexp"), ELSEWHERE, SHARED) as reader:
        monkeypatch.setitem(sys.modules, "__main__", reader.session)
        reader.read()


def test_blocks_that_are_not_run_are_few_and_known():
    blocks = [block for page in PAGES for block in all_blocks(page)]
    assert {block.language for block in blocks} <= LANGUAGES
    assert sum(block.language not in RUN for block in blocks) <= 8
    lines = [line for block in blocks if block.language == "console" for line in console_lines(block.text)]
    assert sum(line.startswith(tuple(ELSEWHERE)) for line in lines) <= 12
    known = [*lines, *(line for page in PAGES for line in inline_commands(page))]
    for start in ELSEWHERE:
        assert any(line.startswith(start) for line in known), f"{start} is on no page any more"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_command_within_a_sentence_or_a_table_is_run_in_a_block(page):
    """With other values, it may be; tests/docs/test_guides.py parses these."""
    blocks = [block for page in PAGES for block in all_blocks(page) if block.language == "console"]
    run = [line for block in blocks for line in console_lines(block.text)]
    for line in inline_commands(page):
        start = " ".join(line.split()[: 3 if line.split()[1] in ("models", "data", "verify") else 2])
        assert any(other.startswith(start) for other in [*run, *ELSEWHERE]), line
