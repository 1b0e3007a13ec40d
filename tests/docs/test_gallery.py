"""The gallery: an example of every recipe, with a picture and what was measured, whose lines run."""

import ast
import re

import pytest
from PIL import Image

from kexp import recipes
from tests.docs.guides import GALLERY, ROOT, blocks, named, text_of
from tests.docs.reader import Reader
from tests.recipes.every import TINY

MOST_BYTES = 40_000
pages = pytest.mark.parametrize("page", GALLERY, ids=named)


class DryRun(ast.NodeTransformer):
    """Have calls of recipes train a tiny network on three batches, and reports explain nothing."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func
        if isinstance(called, ast.Attribute) and ast.unparse(called.value) == "recipes":
            changes = {**TINY.get(called.attr, {}), "fast_dev_run": True}
            node.keywords = [given for given in node.keywords if given.arg not in changes]
            node.keywords += [ast.keyword(name, ast.Constant(value)) for name, value in changes.items()]
        elif isinstance(called, ast.Attribute) and called.attr == "report":
            node.keywords = []
        return ast.fix_missing_locations(node)


def test_every_recipe_has_an_example_with_its_picture_in_the_gallery():
    assert [page.stem for page in GALLERY] == sorted(recipes.__all__)
    card = r"^- \[!\[\]\(gallery/(\w+)\.png\) \*\*(.+)\*\* .+\]\(gallery/(\w+)\.md\)$"
    cards = re.findall(card, text_of(ROOT / "docs" / "gallery.md"), re.MULTILINE)
    titles = {page.stem: text_of(page).splitlines()[0].removeprefix("# ") for page in GALLERY}
    assert sorted(cards) == [(name, titles[name], name) for name in sorted(recipes.__all__)]


@pages
def test_an_example_calls_its_recipe_and_says_what_was_measured(page):
    (code,) = blocks(page, "python")
    assert f"result = recipes.{page.stem}(" in code
    assert re.search(
        rf"^!\[[^:\]]+: .+\]\({page.stem}\.png\)\n\n<!-- tools/gallery.py -->\n(?:.*\n)*"
        r"> \*\*-?\d[\d.e-]*\*\* .+\n(?:.*\n)*"
        r"> \d+ epochs? in \d+ s, [\d,]+ parameters, seed \d+\.\n<!-- end -->$",
        text_of(page),
        re.MULTILINE,
    )
    with Image.open(page.with_suffix(".png")) as picture:
        assert picture.format == "PNG"
        assert picture.width == 720
    assert page.with_suffix(".png").stat().st_size <= MOST_BYTES


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Samples have collapsed:RuntimeWarning")  # after three batches
@pages
def test_the_lines_of_an_example_run(page, tmp_path, monkeypatch, run_kexp):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEXP_DATA_DIR", raising=False)
    with Reader(page, run_kexp, (), (), changes=DryRun()) as reader:
        reader.read()
    assert reader.session.result.metrics
