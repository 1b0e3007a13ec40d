"""The source of a recipe, read without running any of it: its arguments, and what the file has."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kexp.core.errors import InputError, nearest, shown
from kexp.core.foreign_files import reason, require_regular_file
from kexp.core.transformer_arguments import TransformerArguments
from kexp.core.user_paths import user_path
from kexp.data.audio_arguments import AudioArguments
from kexp.data.forecast_arguments import ForecastArguments
from kexp.data.image_arguments import ImageArguments
from kexp.data.table_arguments import TableArguments

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MOST_HOPS = 4


@dataclass(frozen=True)
class RecipeSource:
    """A Python file and the function in it that is to be a recipe.

    Attributes:
        path: The file.
        function: Name of the function.
        tree: What the file says.
    """

    path: Path
    function: str
    tree: ast.Module

    @classmethod
    def of(cls, name: str, folder: Path | None = None) -> RecipeSource | None:
        """Return the source of FILE.py:FUNCTION or MODULE:FUNCTION, or None where the module's is not found.

        Args:
            name: Of the recipe.
            folder: That the file's path starts from; default: the working directory.

        Raises:
            InputError: There is no such file, it is no Python, or it has no such name.
        """
        place, _, function = name.rpartition(":")
        path = _file_of(name, place, folder) if is_file_name(place) else module_file(place)
        if path is None:
            return None
        source = cls(path, function, parsed(path))
        source._require_name(name)
        return source

    @property
    def definition(self) -> _Function | None:
        """The function, where a `def` at the top defines it, here or in a file that it is imported from."""
        return _definition(self.tree, self.path, self.function, _MOST_HOPS)

    @property
    def arguments(self) -> tuple[str, ...] | None:
        """The function's own arguments, where it is seen to be a recipe."""
        node = self.definition
        if node is None or not any(map(_makes_recipe, node.decorator_list)):
            return None
        found = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        return tuple(name for one in found for name in _option_names(one))

    @property
    def first_line(self) -> str:
        """The first line of the function's docstring; empty without one."""
        node = self.definition
        return "" if node is None else (ast.get_docstring(node) or "").partition("\n")[0]

    def _require_name(self, name: str) -> None:
        functions = [node.name for node in _top_level(self.tree.body) if isinstance(node, _Function)]
        names, has_others = _bound_names(self.tree.body)
        if self.function in names or (has_others and self.function):
            return
        known = f"it has {', '.join(functions)}" if functions else "it has no function"
        if not self.function:
            raise InputError(f"recipe {name} must name a function of {self.path} after the colon; {known}.")
        raise InputError(
            f"recipe {name}: {self.path} has no function {shown(self.function)}"
            f"{nearest(self.function, functions)}; {known}."
        )


def _option_names(argument: ast.arg) -> tuple[str, ...]:
    """Return the names that an argument has outside: of one that stands for several, theirs."""
    kind = "" if argument.annotation is None else ast.unparse(argument.annotation)
    known = (TableArguments, ImageArguments, AudioArguments, ForecastArguments, TransformerArguments)
    groups = {group.__name__: tuple(group.__annotations__) for group in known}
    return groups.get(kind.rpartition(".")[2], (argument.arg,))


def is_file_name(place: str) -> bool:
    """Return whether what stands before the colon is a file, not a module."""
    return place.endswith(".py") or "/" in place or os.sep in place


def module_file(module: str, first: Path | str = os.curdir) -> Path | None:
    """Return the source of a module that can be imported, or None; nothing of its packages is imported.

    Args:
        module: Its name.
        first: Folder that is looked in before those of Python's path.
    """
    for entry in (first, *sys.path):
        path = _file_in(Path(entry or os.curdir), module)
        if path is not None:
            return path
    return None


def parsed(path: Path) -> ast.Module:
    """Return what a Python file says.

    Raises:
        InputError: It cannot be read, or is no Python.
    """
    require_regular_file(path, "a Python file", "give another file")
    try:
        return ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"file {path}: cannot be read ({reason(error)}); give another file.") from None
    except SyntaxError as error:
        raise InputError(syntax_mistake(error, path)) from None
    except (ValueError, RecursionError) as error:  # a NUL; brackets without end
        raise InputError(f"file {path}: is no Python ({reason(error)}); mend it.") from None


def syntax_mistake(error: SyntaxError, path: Path) -> str:
    """Return a mistake of the language as a sentence with file and line."""
    return f"file {error.filename or path}: line {error.lineno} is no Python ({error.msg}); mend it."


def is_main_guard(node: ast.AST) -> bool:
    """Return whether a statement is `if __name__ == "__main__":`.

    Example:
        >>> is_main_guard(ast.parse("if __name__ == '__main__': pass").body[0])
        True
    """
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    sides = (node.test.left, *node.test.comparators)
    names = {side.id for side in sides if isinstance(side, ast.Name)}
    values = {side.value for side in sides if isinstance(side, ast.Constant)}
    return names == {"__name__"} and values == {"__main__"} and isinstance(node.test.ops[0], ast.Eq)


def _file_in(folder: Path, module: str) -> Path | None:
    *packages, last = module.split(".")
    folder = folder.joinpath(*packages)
    files = (folder / last / "__init__.py", folder / f"{last}.py")
    return next((path for path in files if path.is_file()), None)


def _definition(tree: ast.Module, path: Path, name: str, hops: int) -> _Function | None:
    """Return the `def` that a name at the top of a file has its value from, through a number of imports."""
    found: _Function | None = None
    for node in _top_level(tree.body):
        if isinstance(node, _Function) and node.name == name:
            found = node
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    other = _imported_file(node, path) if hops else None
                    found = _definition(parsed(other), other, alias.name, hops - 1) if other else None
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.ClassDef) and name in _bound_names([node])[0]:
            found = None
    return found


def _imported_file(node: ast.ImportFrom, path: Path) -> Path | None:
    if not node.level:
        return module_file(node.module or "", path.parent)
    folder = path.parents[node.level - 1]
    if node.module is None:
        return folder / "__init__.py" if (folder / "__init__.py").is_file() else None
    return _file_in(folder, node.module)


def _file_of(name: str, place: str, folder: Path | None) -> Path:
    path = user_path("recipe", place)
    path = path if folder is None else folder / path
    if path.suffix != ".py":
        raise InputError(
            f"recipe {name} must be a function of a module, MODULE:FUNCTION, or of a file, FILE.py:FUNCTION."
        )
    if not path.exists():
        known = [file.stem for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise InputError(f"recipe {name}: there is no file {path}{nearest(path.stem, known)}.")
    return path


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those under `if`, `try` and `with` too, but not of the main guard."""
    for node in body:
        yield node
        if not is_main_guard(node) and isinstance(node, ast.If | ast.Try | ast.With):
            handlers = [inner for handler in getattr(node, "handlers", ()) for inner in handler.body]
            others = (*getattr(node, "orelse", ()), *getattr(node, "finalbody", ()))
            yield from _top_level([*node.body, *handlers, *others])


def _bound_names(body: Sequence[ast.stmt]) -> tuple[set[str], bool]:
    """Return the names at a module's top, and whether it may have others, from `*` or made as it runs."""
    names: set[str] = set()
    for node in _top_level(body):
        if isinstance(node, _Function | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        else:
            names |= {
                one.id
                for one in ast.walk(node)
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            }
    called = {
        node.func.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return names, bool({"*", "__getattr__"} & names or {"globals", "exec", "setattr"} & called)


def _makes_recipe(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(called, "attr", getattr(called, "id", "")) == "recipe"
