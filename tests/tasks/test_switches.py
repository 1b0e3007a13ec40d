"""Whoever wants to know what follows from a task asks it: nothing outside kexp.tasks knows tasks by name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for path in sorted([*(ROOT / "kexp").rglob("*.py"), *(ROOT / "recipes").glob("*.py")])
    if path.parent != ROOT / "kexp" / "tasks"
]


def is_task(node: ast.expr) -> bool:
    """Whether an expression is `task`, or an attribute of that name."""
    return (isinstance(node, ast.Name) and node.id == "task") or (
        isinstance(node, ast.Attribute) and node.attr == "task"
    )


def names_something(node: ast.expr) -> bool:
    return any(isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) for leaf in ast.walk(node))


def switches(code: str) -> list[str]:
    """Return the places where code goes by the name of a task."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(is_task, sides)) and any(map(names_something, sides)):
                found.append(ast.unparse(node))
        if isinstance(node, ast.Match) and is_task(node.subject):
            found.append(ast.unparse(node.subject))
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_goes_by_the_name_of_a_task(source):
    assert switches(source.read_text(encoding="utf-8")) == []


def test_switches_are_seen_and_other_comparisons_are_not():
    code = """
if spec.task == "text": ...
if task not in ("generation", "text"): ...
match spec.task:
    case "text": ...
if one.spec.task != other.spec.task: ...
if spec.kind == "text": ...
"""
    expected = ["spec.task", "spec.task == 'text'", "task not in ('generation', 'text')"]
    assert sorted(switches(code)) == expected
