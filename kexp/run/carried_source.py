"""The source of a recipe that no other process can import: of a script, a notebook, or within a function.

Of a script that does its work under `if __name__ == "__main__":` it is the whole script, in which other
processes leave that part out. Of anything else it is the recipe and what it refers to, as
`kexp.run.source_gatherer` gathers it.
"""

from __future__ import annotations

import ast
import inspect
import io
import shutil
import sys
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kexp.core.errors import InputError
from kexp.core.files import replacing
from kexp.core.foreign_files import reason
from kexp.run.recipe_call import require_recipe
from kexp.run.recipe_names import name_of
from kexp.run.recipe_source import is_main_guard
from kexp.run.source_gatherer import gather

_NOTEBOOK = "notebook"


@dataclass(frozen=True)
class PortableRecipe:
    """A recipe as other processes find it.

    Attributes:
        name: For `kexp.run.recipe_names.find_recipe`; of what is carried a path that starts from its folder.
        file: Where what is carried goes, from that folder; "" where nothing is.
        content: What goes there.
        digest: Of what the recipe consists of, whatever else the script has; None where nothing is carried.
    """

    name: str
    file: str = ""
    content: bytes = b""
    digest: str | None = None

    @classmethod
    def of(cls, recipe: Callable[..., Any], folder: str = "source") -> PortableRecipe:
        """Return a recipe by its name, or with the source that makes it one that can be found.

        Args:
            recipe: A recipe.
            folder: Where the source is to lie, from the folder that other processes are given.

        Raises:
            InputError: It is no recipe, or refers to something that cannot be carried; the sentence names it.
        """
        require_recipe(recipe)
        name = name_of(recipe)
        if name is not None:
            return cls(name)
        main = sys.modules["__main__"]
        script = _script_of(recipe, main)
        function = recipe.__name__
        if script is not None and main.__spec__ is not None:  # python -m MODULE
            return cls(f"{main.__spec__.name}:{function}", digest=gather(recipe, leave=True).digest)
        gathered = gather(recipe, leave=script is not None, script=_file_of(recipe) == _path_of(main))
        if script is not None:
            file, content = f"{folder}/{script.name}", _copy_of(script)
        else:
            file, content = f"{folder}/{_stem_of(recipe, main)}.py", gathered.text.encode()
        return cls(f"{file}:{function}", file, content, gathered.digest)

    def write(self, folder: Path) -> None:
        """Write what is carried, if anything is, below a folder."""
        if not self.file:
            return
        path = folder / self.file
        path.parent.mkdir(exist_ok=True)
        # Python takes bytecode for that of a file of the same second and size.
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
        with replacing(path) as temporary:
            temporary.write_bytes(self.content)


def _path_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return None if file is None else Path(file).absolute()


def _file_of(recipe: Callable[..., Any]) -> Path:
    return Path(inspect.unwrap(recipe).__code__.co_filename).absolute()


def _stem_of(recipe: Callable[..., Any], main: ModuleType) -> str:
    if recipe.__module__ != main.__name__:
        return recipe.__module__.rpartition(".")[2]
    path = _path_of(main)
    return path.stem if path == _file_of(recipe) and path is not None else _NOTEBOOK


def _script_of(recipe: Callable[..., Any], main: ModuleType) -> Path | None:
    """Return the script that a recipe is in, if its import in another process does no more than define it."""
    path = _path_of(main)
    if path is None or recipe.__module__ != main.__name__ or path != _file_of(recipe):
        return None
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # changed, or gone, since it was started
        return None
    guards = [node for node in tree.body if is_main_guard(node)]
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    line = _line_of_the_call(main)
    guarded = any(guard.lineno <= line <= (guard.end_lineno or line) for guard in guards)
    return (
        path if guarded and recipe.__name__ in defined and vars(main).get(recipe.__name__) is recipe else None
    )


def _line_of_the_call(main: ModuleType) -> int:
    """Return the line at the top of the script from which kexp was called, 0 if it was from elsewhere."""
    frame, line = inspect.currentframe(), 0
    while frame is not None:
        if frame.f_globals is vars(main) and frame.f_code.co_name == "<module>":
            line = frame.f_lineno
        frame = frame.f_back
    return line


def _copy_of(script: Path) -> bytes:
    """Return a script that, wherever it lies, looks for files beside it where the original has them."""
    try:
        source = script.read_bytes()
        tree = ast.parse(source)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"file {script}: cannot be read ({reason(error)}); put it back.") from None
    lines = source.decode(encoding).splitlines(keepends=True)
    leading = [node for number, node in enumerate(tree.body) if _stands_first(number, node)]
    first = (leading[-1].end_lineno or 1) if leading else tree.body[0].lineno - 1
    mark = f"__file__ = {str(script)!a}  # of which this is a copy\n"
    return "".join([*lines[:first], mark, *lines[first:]]).encode(encoding)


def _stands_first(number: int, node: ast.stmt) -> bool:
    """Return whether a statement of a module is its docstring, or of those that nothing may stand before."""
    is_docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or (isinstance(node, ast.ImportFrom) and node.module == "__future__")
