"""The call of a recipe in a process of its own, with a carried source and data in memory from a folder.

python -m kexp.verify.recipe_process NAME ARGUMENTS FOLDER [history] calls the recipe of a name with ARGUMENTS
in JSON; with `history` after another model was trained in the same process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kexp.data.memory_content import Content
from kexp.data.memory_files import keep, read_kept
from kexp.data.memory_forms import form_of, is_described
from kexp.run.carried_source import PortableRecipe
from kexp.run.recipe_names import find_recipe

HISTORY = "history"
_DATA = "data"


def portable_call(
    recipe: Callable[..., Any], arguments: Mapping[str, Any], folder: Path
) -> tuple[str, dict[str, Any]]:
    """Return the name of a recipe and its arguments for another process, after what they need was written.

    Args:
        recipe: A recipe.
        arguments: Of its call.
        folder: Where its source and its data go, if they have to be carried.

    Raises:
        InputError: One of them cannot be carried.
    """
    portable = PortableRecipe.of(recipe)
    portable.write(folder)
    given = dict(arguments)
    if form_of(given.get("data")) is not None:
        content = Content.of(given["data"])
        keep(content, folder / _DATA)
        given["data"] = content.described
    return portable.name, given


def called(
    name: str, arguments: Mapping[str, Any], folder: Path
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the recipe and the arguments that `portable_call` has made portable."""
    given = dict(arguments)
    if is_described(given.get("data")):
        given["data"] = read_kept(folder / _DATA).value()
    return find_recipe(name, folder), given


def main(name: str, arguments: str, folder: str, *before: str) -> None:
    """Call a recipe."""
    if HISTORY in before:
        from kexp.verify.history import train_a_gan

        train_a_gan()
    recipe, given = called(name, json.loads(arguments), Path(folder))
    recipe(**given)


if __name__ == "__main__":
    main(*sys.argv[1:])
