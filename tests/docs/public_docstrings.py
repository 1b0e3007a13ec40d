"""The docstrings that users read: of every public name, found without importing it."""

import ast
from functools import cache
from pathlib import Path

from tests.docs.guides import ROOT

# Modules whose public names are `kexp.MODULE.NAME`.
_HOMES = (
    "kexp",
    "kexp/models",
    "kexp/metrics",
    "kexp/data",
    "kexp/train/callbacks",
    "kexp/verify",
    "kexp/preflight",
    "kexp/train/objectives",
)
_FILES = ("kexp/train/schedules.py",)


@cache
def public_docstrings() -> dict[str, str]:
    """Return the docstring of each public function, class and public method by its name, recipes included."""
    found: dict[str, str] = {}
    for home in _HOMES:
        for module, name in _imported(ROOT / home):
            place = _file_of(module)
            if place is not None:
                found |= _docstrings(place, name)
    for file in [*(ROOT / name for name in _FILES), *sorted((ROOT / "recipes").glob("*.py"))]:
        if file.is_file():
            found |= _docstrings(file, None)
    return found


def _imported(home: Path) -> list[tuple[str, str]]:
    stub = home / "__init__.pyi"
    tree = ast.parse((stub if stub.is_file() else home / "__init__.py").read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return [(str(node.module), alias.name) for node in nodes for alias in node.names]


def _file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


def _docstrings(file: Path, wanted: str | None) -> dict[str, str]:
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if wanted is not None and node.name != wanted:
            continue
        parts = [node, *(node.body if isinstance(node, ast.ClassDef) else ())]
        for part in parts:
            if isinstance(part, ast.FunctionDef | ast.ClassDef) and not part.name.startswith("_"):
                own = "" if part is node else f".{part.name}"
                found[f"{file.stem}: {node.name}{own}"] = ast.get_docstring(part) or ""
    return found
