"""Recipes by their names: kexp's own, installed ones, and functions of modules and files.

A name is NAME of a recipe of kexp's or of an entry point in the group `kexp.recipes`, MODULE:FUNCTION, or
FILE.py:FUNCTION. By it the command line, the workers of a sweep and the processes of a proof find a recipe.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import kexp
from kexp.core.errors import InputError, nearest, shown
from kexp.core.foreign_files import reason
from kexp.run.recipe_source import RecipeSource, is_file_name, syntax_mistake

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "kexp.recipes"
_HOME = Path(kexp.__file__).parent

_files: dict[str, Path] = {}  # of the modules that were imported by their paths
_imported: ContextVar[str | None] = ContextVar("what is imported for a recipe in it", default=None)


def find_recipe(name: str, folder: Path | None = None) -> Callable[..., Any]:
    """Return the recipe of a name, for which its module or file is imported.

    Args:
        name: NAME, MODULE:FUNCTION or FILE.py:FUNCTION.
        folder: That the file's path starts from; default: the working directory.

    Raises:
        InputError: There is no such recipe, or what it is in cannot be imported.

    Example:
        >>> find_recipe("os:getcwd")
        Traceback (most recent call last):
        ...
        kexp.InputError: recipe os:getcwd must be a function made by @kexp.recipe; ...
    """
    if ":" not in name:
        return _named(name)
    source = RecipeSource.of(name, folder)  # what can be said without importing anything
    place, _, function = name.rpartition(":")
    if is_file_name(place):
        assert source is not None
        module = _import_file(name, source.path.absolute())
    else:
        module = _import_module(name, place)
    found: Any = getattr(module, function, None)
    if not getattr(found, "is_recipe", False):
        if found is None:
            known = [key for key, value in vars(module).items() if getattr(value, "is_recipe", False)]
            raise InputError(
                f"recipe {name}: {place} has no function {shown(function)}{nearest(function, known)}."
            )
        raise InputError(
            f"recipe {name} must be a function made by @kexp.recipe; {function} is a {type(found).__name__} "
            "that is not."
        )
    recipe: Callable[..., Any] = found
    return recipe


def own_recipe(name: str) -> Callable[..., Any] | None:
    """Return a recipe of kexp's own, or an installed one, by the name that a run records; None without one.

    Nothing but what is installed as recipes is imported, whoever has written the name.
    """
    own = _of_kexp(name)
    if own is not None:
        return own
    named = [entry for entry in installed() if name in (entry.name, entry.attr)]
    return find_recipe(_value(named[0])) if len({entry.value for entry in named}) == 1 else None


def recipe_lines() -> dict[str, str]:
    """Return the first line about each recipe by name; of installed ones as their source says it.

    Example:
        >>> recipe_lines()["mlp_images"]
        'Classify images with a multi-layer perceptron.'
    """
    from kexp import recipes

    lines = {name: (getattr(recipes, name).__doc__ or "").partition("\n")[0] for name in recipes.__all__}
    for entry in installed():
        # One that another recipe has the name of is still found by its value.
        lines[_value(entry) if entry.name in lines else entry.name] = _first_line(entry)
    return lines


def installed() -> tuple[EntryPoint, ...]:
    """Return the entry points of other packages' recipes, by name."""
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)))


def source_of(name: str) -> RecipeSource | None:
    """Return the source of a recipe's name, without importing it; None of kexp's own, or where there is none.

    Raises:
        InputError: As `RecipeSource.of`.
    """
    if ":" in name:
        return RecipeSource.of(name)
    named = [entry for entry in installed() if entry.name == name]
    return RecipeSource.of(_value(named[0])) if named else None


def name_of(recipe: Callable[..., Any]) -> str | None:
    """Return the name by which another process finds a recipe; None if it is in no module that it can import.

    Example:
        >>> from kexp.recipes import mlp_images
        >>> name_of(mlp_images)
        'kexp.recipes.mlp_images:mlp_images'
    """
    module = sys.modules.get(recipe.__module__)
    if module is None or module.__name__ == "__main__":
        return None
    members = vars(module)
    names = [recipe.__name__, *members]
    function = next((name for name in names if members.get(name) is recipe), None)
    place = _files.get(recipe.__module__, recipe.__module__)
    return None if function is None else f"{place}:{function}"


def require_not_imported() -> None:
    """Refuse to train while a module is imported for a recipe in it: it would do so in every process.

    Raises:
        InputError: One is.
    """
    name = _imported.get()
    if name is not None:
        raise InputError(
            f"recipe {name}: its file trains as it is imported; put what it does once under "
            '`if __name__ == "__main__":`.'
        )


def _of_kexp(name: str) -> Callable[..., Any] | None:
    from kexp import recipes

    return getattr(recipes, name) if name in recipes.__all__ else None


def _named(name: str) -> Callable[..., Any]:
    own = _of_kexp(name)
    if own is not None:
        return own
    named = [entry for entry in installed() if entry.name == name]
    values = sorted({_value(entry) for entry in named})
    if not values:
        if name.endswith(".py"):
            raise InputError(f"recipe {name} must say which function of the file; give {name}:FUNCTION.")
        raise InputError(f"there is no recipe {name}{nearest(name, recipe_lines())}.")
    if len(values) > 1:
        raise InputError(f"recipe {name} is installed more than once; give one of {', '.join(values)}.")
    return find_recipe(values[0])


def _value(entry: EntryPoint) -> str:
    return f"{entry.module}:{entry.attr}"


def _first_line(entry: EntryPoint) -> str:
    try:
        source = RecipeSource.of(_value(entry))
    except InputError as error:  # which is said to whoever takes the recipe
        return f"cannot be used: {error}"
    return (source.first_line if source else "") or _value(entry)


def _import_module(name: str, module: str) -> ModuleType:
    if not all(part.isidentifier() for part in module.split(".")):
        raise InputError(
            f"recipe {name} must be a function of a module, MODULE:FUNCTION, or of a file, FILE.py:FUNCTION."
        )
    here = os.getcwd()
    if "" not in sys.path and here not in sys.path:  # as `python -m` has it, and a console script has not
        sys.path.insert(0, here)
    with _imports(name, module):
        return importlib.import_module(module)


def _import_file(name: str, path: Path) -> ModuleType:
    """Import a file as `import` in its folder would, or as a module of the package that it is in."""
    module, folder = path.stem, path.parent
    while (folder / "__init__.py").is_file():
        module, folder = f"{folder.name}.{module}", folder.parent
    known = sys.modules.get(module)
    if known is not None and _is_of(known, path):
        return known
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if known is not None or module in sys.stdlib_module_names:
        module = f"{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    if module in _files:
        return sys.modules[module]
    with _imports(name, str(path)):
        if "." in module:
            made = importlib.import_module(module)
        else:
            spec = importlib.util.spec_from_file_location(module, path)
            assert spec is not None
            assert spec.loader is not None
            made = sys.modules[module] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(made)
            except BaseException:
                del sys.modules[module]
                raise
    _files[module] = path
    return made


def _is_of(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and os.path.exists(file) and os.path.samefile(file, path)


@contextmanager
def _imports(name: str, place: str) -> Iterator[None]:
    """Say in one sentence why a module of the user's cannot be imported in the body."""
    token = _imported.set(name)
    try:
        yield
    except InputError as error:
        said = str(error)
        raise InputError(said if said.startswith("recipe ") else f"recipe {name}: {said}") from None
    except SyntaxError as error:
        raise InputError(f"recipe {name}: {syntax_mistake(error, Path(place))}") from None
    except SystemExit:
        raise InputError(
            f"recipe {name}: {place} ends the process as it is imported; put what it does once under "
            '`if __name__ == "__main__":`.'
        ) from None
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place}.".startswith(f"{error.name}."):
            raise InputError(f"recipe {name}: there is no module {error.name}; give another name.") from None
        advice = f"install {error.name}, or mend it"
        raise InputError(_why_not_imported(name, place, error, advice)) from None
    except Exception as error:
        if _frames(error)[-1:] and Path(_frames(error)[-1].filename).is_relative_to(_HOME):
            raise  # a fault of kexp's own, to be seen whole
        raise InputError(_why_not_imported(name, place, error)) from None
    finally:
        _imported.reset(token)


def _why_not_imported(name: str, place: str, error: Exception, advice: str = "mend it") -> str:
    frames = _frames(error)
    line = f" in line {frames[-1].lineno} of {frames[-1].filename}" if frames else ""
    return f"recipe {name}: {place} cannot be imported ({reason(error)}{line}); {advice}."


def _frames(error: Exception) -> list[traceback.FrameSummary]:
    """Return where an import raised, without the machinery of imports."""
    machinery = (__file__, importlib.__file__)
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in machinery and not frame.filename.startswith("<")
    ]
