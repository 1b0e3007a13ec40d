"""The house stays as it is meant: no circles, short functions, types, docstrings, tests from outside."""

import ast
import importlib
import inspect
import re
from collections import Counter
from functools import cache
from pathlib import Path
from types import FunctionType

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kexp"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES
}
MOST_LINES = 80
MOST_BARE_ANY = 0.08
MOST_KEYWORD_TUNNELS = 0.03
# Keras's and TensorFlow's own, and what the tests of kexp.core.keras_private compare with.
NOT_KEXP = {"_asdict", "_replace", "_exit", "_flatten_layers"}
# Python's own, by which tests/forked_python.py begins and ends processes as a new interpreter would.
NOT_KEXP |= {"_execute_child", "_run_exitfuncs", "_shutdown"}


# When they are asked for: each process that shares the tests imports this file.
@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def functions() -> list[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (path, node)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def imports(name: str) -> set[str]:
    """Return the modules of kexp that one imports anywhere, in functions and for types too."""
    path, found = MODULES[name], set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: say the whole name"
            wanted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for module in wanted:
            while module and module not in MODULES:
                module = module.rpartition(".")[0]
            found.add(module)
    return found - {"", "kexp", name}


def test_no_two_files_import_each_other_on_any_way():
    graph = {name: imports(name) for name in MODULES if name != "kexp"}

    def reached(name, seen):
        for other in graph[name] - seen:
            seen.add(other)
            reached(other, seen)
        return seen

    reach = {name: reached(name, set()) for name in graph}
    circles = {frozenset(o for o in reach[name] if name in reach[o]) for name in graph if name in reach[name]}
    found = {name for circle in circles if not is_package_with_its_files(circle) for name in circle}
    assert not found


def is_package_with_its_files(circle: frozenset[str]) -> bool:
    pairs = [(one, other) for one in circle for other in circle if one != other]
    return all(one.startswith(f"{other}.") or other.startswith(f"{one}.") for one, other in pairs)


def test_file_names_say_one_thing_each():
    names = Counter(path.stem for path in SOURCES)
    twice = {name for name, count in names.items() if count > 1}
    assert twice <= {"__init__", "__main__", "base"}


def test_what_a_task_decides_is_asked_of_the_task():
    compared = re.compile(r"\btask\s*(==|!=|in|not in)\s")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        if "tasks" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if compared.search(line)
    ]
    assert not found


def test_functions_are_short():
    long = {
        f"{path.relative_to(ROOT)}: {node.name}": node.end_lineno - node.lineno + 1
        for path, node in functions()
    }
    assert not {name: lines for name, lines in long.items() if lines > MOST_LINES}


def test_arguments_have_names_and_types_of_their_own():
    arguments = [
        one for _, node in functions() for one in (*node.args.args, *node.args.kwonlyargs) if one.annotation
    ]
    bare = [one for one in arguments if ast.unparse(one.annotation) == "Any"]
    assert len(bare) / len(arguments) <= MOST_BARE_ANY
    tunnels = [node for _, node in functions() if node.args.kwarg]
    assert len(tunnels) / len(functions()) <= MOST_KEYWORD_TUNNELS
    assert (PACKAGE / "py.typed").exists()


def documented(module: str) -> dict[str, bool]:
    """Return the public functions, classes and methods of a module, and whether help says what they are for.

    A method that a class takes over from a base is described there, as for `help`.
    """
    found = {}
    for name, value in vars(importlib.import_module(module)).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module:
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            found[f"{module}.{name}"] = bool(inspect.getdoc(value))
        if inspect.isclass(value):
            methods = [key for key in vars(value) if not key.startswith("_")]
            members = {key: inspect.getattr_static(value, key) for key in methods}
            for key, member in members.items():
                if isinstance(member, (FunctionType, classmethod, staticmethod, property)):
                    found[f"{module}.{name}.{key}"] = bool(inspect.getdoc(getattr(value, key)))
    return found


def test_public_names_are_documented():
    found = {
        name: text
        for module in MODULES
        if not module.endswith("__main__")
        for name, text in documented(module).items()
    }
    missing = [name for name, text in found.items() if not text]
    assert len(missing) / len(found) <= 0.1, "\n".join(missing)


@pytest.mark.parametrize(
    "source", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_test_knows_what_it_tests_by_its_public_names(source):
    """Names with an underscore are of the file that has them: neither imported nor replaced by tests."""
    used = set()
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kexp"):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            used |= set() if own else {node.attr}
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "setattr"
        ):
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            used |= {text.rpartition(".")[2] for text in texts if isinstance(text, str)}
    assert not {name for name in used if name.startswith("_") and not name.startswith("__")} - NOT_KEXP
