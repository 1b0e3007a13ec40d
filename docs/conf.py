"""Sphinx's settings for the website of the guides and the docstrings, which tools/site.py builds."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import kexp

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "kexp"
copyright = "the authors of kexp, Apache-2.0"
version = release = kexp.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"kexp {version}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks are shown as they were kept
default_role = "code"  # docstrings have names in single backticks
napoleon_custom_sections = ["Source"]
napoleon_use_ivar = True
add_module_names = False
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints = "none"  # signatures are read in an editor; arguments say their types in words
suppress_warnings = ["ref.python"]  # two classes with an attribute of one name

_FOLDERS = ("gallery", "notebooks")  # pages that list those of a folder of the same name
_API = "```{toctree}\n:hidden:\n:caption: reference\n:glob:\n\napi/kexp\napi/*\n```"


def setup(app: Sphinx) -> None:
    """Have guides and docstrings read as the website needs them."""
    app.connect("source-read", _read_guide)
    app.connect("autodoc-process-docstring", _read_docstring, priority=100)  # before napoleon


def _read_guide(app: Sphinx, name: str, source: list[str]) -> None:
    """Name files outside of docs/ without a link, and give pages a navigation like what they list."""
    outside = re.escape("../" * (name.count("/") + 1))
    text = re.sub(rf"\[([^\]]+)\]\({outside}([^)]+)\)", r"\1", source[0])
    if name == "index":
        tables = re.findall(r"^\| (.+?) \| \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.MULTILINE)
        text = "\n\n".join([text, *(_navigation(title, rows) for title, rows in tables), _API])
    if name in _FOLDERS:
        pages = "\n".join(re.findall(rf"\]\(({name}/\w+)\.(?:md|ipynb)\)", text))
        text += f"\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```"
    source[0] = text


def _navigation(title: str, rows: str) -> str:
    pages = "\n".join(re.findall(r"^\| \[[^\]]+\]\((\w+)\.md\)", rows, re.MULTILINE))
    return f"```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```"


def _read_docstring(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Leave out the training options, which have a guide, and keep signs in a sentence from being markup."""
    text = re.sub(r"^Training options:\n(?:[ ]{4}.*\n|\n)*", "", "\n".join(lines), flags=re.MULTILINE)
    if name.startswith("kexp.recipes."):  # whose arguments are wrapped, also before their colon
        text = re.sub(r"(?<=\S)\n[ ]{8}(?=\S)", " ", text)
    lines[:] = [_plain(line) for line in text.splitlines()]


def _plain(line: str) -> str:
    """Return a line with * and | escaped outside of code, and code that a letter follows ended."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    indent = len(line) - len(line.lstrip(" *"))  # where *args and **kwargs are described
    parts = re.split(r"(`[^`]*`)", re.sub(r"(`[^`]+`)(?=[a-z])", r"\1\\ ", line[indent:]))
    return line[:indent] + "".join(
        one if one.startswith("`") else re.sub(r"[*|]", r"\\\g<0>", one) for one in parts
    )
