"""README and the guides: short, linked, and true to the command line and the public names."""

import ast
import re
import shlex
import sys
from functools import cache
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError

from kexp.cli.app import command_app
from tests.docs.guides import (
    GALLERY,
    GUIDES,
    PAGES,
    README,
    ROOT,
    blocks,
    console_lines,
    inline_commands,
    named,
    prose,
    text_of,
)
from tests.docs.public_docstrings import public_docstrings

OWN_RECIPE = '''
import kexp
from kexp import TrainOptions, Unpack

@kexp.recipe()
def my_recipe(
    data: str = "iris", *, target: str = "y", units: int = 8, **train: Unpack[TrainOptions]
) -> kexp.Result:
    """Stand for a recipe of a reader."""
'''
# The project's own words, and the field's that stand in their place.
PRIVATE = {
    r"answers": "predictions, or returns",
    r"asked for": "requested",
    r"by day and by night": "in light and dark",
    r"comes? to": "is, or reaches",
    r"figures?": "metric, number or picture",
    r"foretells?": "predict",
    r"what is \w+ is": "a noun",
}
PRIVATE_WORDS = re.compile(rf"\b({'|'.join(PRIVATE)})\b", re.IGNORECASE)
PRIVATE_WORDS_OF_CODE = re.compile(rf"\b({'|'.join(PRIVATE)}|asked|answering|answer(?:ed)?)\b", re.IGNORECASE)


every_page = pytest.mark.parametrize("page", [*PAGES, *GALLERY], ids=named)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    markdown = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [*markdown, *re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text_of(page))]


def test_the_readme_is_short():
    assert len(text_of(README).split()) <= 900
    assert "python3 tools/first_run.py" in text_of(README)
    assert "python3 tools/check.py" in text_of(README)


@every_page
def test_every_link_leads_to_a_file_and_a_heading(page):
    relative = [link for link in links(page) if not link.startswith("https://")]
    for link in relative:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [README, ROOT / "docs/index.md"], ids=named)
def test_every_guide_can_be_found(page):
    linked = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
    assert not {guide.name for guide in GUIDES if guide.name != "index.md" and guide not in linked}


@every_page
def test_private_words_stay_out(page):
    found = {word.lower() for word in PRIVATE_WORDS.findall(prose(page))}
    assert not found, f"{found}: see PRIVATE for the field's words"


def test_private_words_stay_out_of_docstrings_that_users_read():
    found = {}
    for name, text in public_docstrings().items():
        left_out = (
            r"^ *(>>>|\.\.\.).*$|^ +\w+:|`[^`]*`|matplotlib figure"  # examples, names of arguments, code
        )
        words = re.sub(left_out, "", text, flags=re.MULTILINE)
        if private := PRIVATE_WORDS_OF_CODE.findall(words):
            found[name] = private
    assert len(public_docstrings()) > 400
    assert not found, "see PRIVATE for the field's words"


def command_lines(page: Path) -> list[tuple[list[str], bool]]:
    """Return the words after `kexp` of every line in a console block, and of code in a sentence or a table.

    The second tells whether it may be a command's name alone. A line with an argument in capitals or an
    ellipsis is a pattern, not a line.
    """
    lines = [line for block in blocks(page, "console") for line in console_lines(block)]
    console = [line.removeprefix("kexp ") for line in lines if line.startswith("kexp ")]
    whole = [line.removeprefix("kexp ") for line in inline_commands(page)]
    return [
        (shlex.split(line, comments=True), mentioned)
        for found, mentioned in ((console, False), (whole, True))
        for line in found
    ]


@pytest.fixture(scope="module")
def folder_with_a_recipe(tmp_path_factory):
    """Make a folder the working directory in which the guides' my_file.py is."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "my_file.py").write_text(OWN_RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


@cache
def lacks_an_argument(line: tuple[str, ...]) -> bool:
    """Parse a line, once whatever the pages it is on."""
    try:
        command_app(line).parse_args(line, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        return True
    return False


@every_page
def test_every_command_line_is_taken(page, folder_with_a_recipe):
    """Nothing is run and TensorFlow is not needed; the files that a line names need not be there."""
    had_tensorflow = "tensorflow" in sys.modules
    for words, mentioned in command_lines(page):
        inner = words[words.index("--") + 1 :] if "--" in words else []
        for line in filter(None, (words, inner)):
            assert not lacks_an_argument(tuple(line)) or mentioned, line
    assert had_tensorflow or "tensorflow" not in sys.modules


@cache
def names_in(module: str) -> frozenset[str] | None:
    """Return the names of a module of kexp, read from its stub or source; None: there is no such module."""
    path = ROOT.joinpath(*module.split("."))
    places = (path / "__init__.pyi", path / "__init__.py", path.with_suffix(".py"))
    source = next((place for place in places if place.is_file()), None)
    if source is None:
        return None
    found = {place.stem for place in path.glob("[!_]*")} if path.is_dir() else set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


@cache
def homes() -> dict[str, str]:
    """Return where each public name of kexp is from, by its stub."""
    tree = ast.parse((ROOT / "kexp/__init__.pyi").read_text(encoding="utf-8"))
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{node.module}.{alias.name}" for node in imported for alias in node.names}


def missing(dotted: str) -> bool:
    """Return whether a name such as models.cnn is none of kexp's; attributes of objects are not looked at."""
    first, *rest = dotted.split(".")
    if first != "recipes" and first not in homes():
        return True
    home = "kexp.recipes" if first == "recipes" else homes()[first]
    names = names_in(home)
    return bool(rest) and names is not None and rest[0] not in names


def dotted(node: ast.AST) -> str:
    """Return a chain of names as it is written, or "" for anything else."""
    text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
    return text if re.fullmatch(r"[\w.]+", text) else ""


@every_page
def test_every_python_block_compiles_and_names_what_there_is(page):
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            name = dotted(node)
            if name.startswith("kexp."):
                assert not missing(name.removeprefix("kexp.")), name
            elif name.startswith("recipes."):
                assert not missing(name), name
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kexp"):
                names = homes() if node.module == "kexp" else names_in(node.module)
                assert names is not None, node.module
                assert {alias.name for alias in node.names} <= set(names), ast.unparse(node)


@every_page
def test_names_within_a_sentence_are_kexps_too(page):
    for code in re.findall(r"`([^`\n]+)`", text_of(page)):
        for name in re.findall(r"(?<![\w./])(?:kexp|recipes)\.[a-z]\w*(?:\.\w+)?", code):
            assert name.endswith((".json", ".md")) or not missing(name.removeprefix("kexp.")), name
