"""The path from a recipe's call to the gradient: which functions of kexp are on it, and how long they are.

python tools/call_path.py [FOLDER] trains a recipe for two steps with the code in FOLDER (default: this
checkout), looks at the stack where the gradient is taken for the first time, and prints the functions of kexp
that are on it, outermost first, with their lines (docstrings and blank lines excluded), and their sum.
"""

from __future__ import annotations

import ast
import sys
import tempfile
from pathlib import Path
from types import FrameType


def path_to_gradient(root: Path) -> list[tuple[str, int]]:
    """Return the functions of kexp on the stack where a gradient is taken, and the lines of each."""
    import tensorflow as tf

    from kexp import recipes

    stack: list[tuple[str, int]] = []
    gradient = tf.GradientTape.gradient

    def look(tape: tf.GradientTape, *args: object, **kwargs: object) -> object:
        stack.extend([] if stack else _functions(sys._getframe(1), root))
        return gradient(tape, *args, **kwargs)

    tf.GradientTape.gradient = look
    with tempfile.TemporaryDirectory() as folder:
        recipes.mlp_images(
            data="digits", hidden=(16,), epochs=1, overfit_batches=2, quiet=True, run_dir=f"{folder}/run"
        )
    return stack


def _functions(frame: FrameType | None, root: Path) -> list[tuple[str, int]]:
    """Return the functions of kexp that a stack goes through, each once, the outermost first."""
    found: dict[tuple[Path, int], tuple[str, int]] = {}
    while frame is not None:
        code, path = frame.f_code, Path(frame.f_code.co_filename)
        # A comprehension is part of the function that it stands in.
        if path.is_relative_to(root / "kexp") and not code.co_name.startswith("<"):
            name = f"{path.relative_to(root)}:{getattr(code, 'co_qualname', code.co_name)}"
            found[path, code.co_firstlineno] = (name, _lines(path, code.co_firstlineno))
        frame = frame.f_back
    return list(found.values())[::-1]


def _lines(path: Path, first: int) -> int:
    """Return the lines of the function that begins there: no docstring, blank line or inner function."""
    source = path.read_text(encoding="utf-8")
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    node = next(node for node in functions if first in (node.lineno, *(d.lineno for d in _decorators(node))))
    skipped: set[int] = set()
    if not isinstance(node, ast.Lambda):
        for inner in [*_inner(node), *([node.body[0]] if ast.get_docstring(node) else [])]:
            skipped |= set(range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))
    lines = source.splitlines()
    numbers = range(first, (node.end_lineno or first) + 1)
    return sum(bool(lines[number - 1].strip()) and number not in skipped for number in numbers)


def _decorators(node: ast.AST) -> list[ast.expr]:
    return getattr(node, "decorator_list", [])


def _inner(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    return [found for found in ast.walk(node) if isinstance(found, ast.FunctionDef) and found is not node]


def main(root: Path) -> None:
    """Print the path."""
    sys.path.insert(0, str(root))
    path = path_to_gradient(root)
    for name, lines in path:
        print(f"{lines:4}  {name}")
    print(f"{sum(lines for _, lines in path):4}  lines in {len(path)} functions")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve())
