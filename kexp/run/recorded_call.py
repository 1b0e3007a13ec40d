"""The call that goes on with a run, from its folder alone."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError, located
from kexp.core.options import OUTPUT_ONLY
from kexp.core.storage import is_remote
from kexp.core.user_paths import user_path
from kexp.data.memory_forms import DataLike, in_words, is_described
from kexp.run.earlier_arguments import earlier_arguments
from kexp.run.recipe_call import bind, require_recipe
from kexp.run.recipe_names import own_recipe
from kexp.run.run_files import CONFIG, RESULT, names_in, read_config, read_environment


def recorded_call(
    run_dir: str | os.PathLike[str],
    recipe: Callable[..., Any] | None = None,
    checkpoint_dir: str | None = None,
    data: DataLike | None = None,
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the recipe of a run and the arguments that go on with it.

    The folder may be from anybody: its recipe is one of kexp's or an installed one, its arguments are checked
    as those of a call, and nothing is written outside of it unless `checkpoint_dir` says so.

    Args:
        run_dir: The run folder.
        recipe: What its recipe is, if it is a file's or a module's.
        checkpoint_dir: Where its state is, if that is outside of the folder; needed unless it is finished.
        data: What it was trained on, if that was in memory.

    Raises:
        InputError: There is no run in the folder, its recipe is neither kexp's nor installed, its arguments
            are not those of the recipe, it was trained on data in memory, or it keeps its state elsewhere,
            and that was not given.
    """
    path = user_path("run_dir", run_dir)
    names = names_in("run_dir", path, "the folder of a run")
    if CONFIG not in names:
        raise InputError(f"run_dir must be the folder of a run; {path} holds no {CONFIG}.")
    config = read_config(path)
    recipe = _own_recipe(config["recipe"], path) if recipe is None else _checked(recipe)
    # Where the state is says nothing about what is computed, so it is recorded beside the config.
    recorded = read_environment(path).get("checkpoint_dir")
    if RESULT not in names:
        _require_inside(path, recorded, checkpoint_dir)
    earlier = earlier_arguments(config["recipe"], inspect.signature(recipe).parameters)
    recorded_arguments = {**earlier, **config["arguments"]}
    arguments = {name: value for name, value in recorded_arguments.items() if name not in OUTPUT_ONLY}
    if data is not None:
        arguments["data"] = data
    elif is_described(arguments.get("data")):
        raise InputError(
            f"run_dir {path} is a run on data that its folder does not hold, {in_words(arguments['data'])}; "
            "give them again, as the argument data of kexp.resume."
        )
    with located(f"file {path / CONFIG}"):
        bind(recipe, **arguments)
    return recipe, {**arguments, "checkpoint_dir": checkpoint_dir or recorded, "run_dir": str(path)}


def _own_recipe(name: str, path: Path) -> Callable[..., Any]:
    found = own_recipe(name)
    if found is None:
        shown = name if name.isidentifier() else repr(name[:60])
        raise InputError(
            f"run_dir {path} is a run of {shown}, which is not one of kexp's recipes, and no folder says "
            "what is imported; give the recipe: kexp.resume(run_dir, recipe), or kexp resume RUN --recipe "
            "FILE.py:FUNCTION."
        )
    return found


def _checked(recipe: Callable[..., Any]) -> Callable[..., Any]:
    require_recipe(recipe)
    return recipe


def _require_inside(path: Path, recorded: str | None, given: str | None) -> None:
    """Refuse to write where a folder says, outside of itself, which a folder of somebody else may do, too."""
    if given is None and recorded is not None and not _is_inside(recorded, path):
        raise InputError(
            f"run_dir {path} keeps the state of its run outside of itself; if it is to be read and written "
            f"there, say so with checkpoint_dir={recorded!r} (--checkpoint-dir)."
        )
    for link in path.rglob("*"):
        if link.is_symlink() and not _is_inside(link, path):
            raise InputError(
                f"run_dir {path} holds a link, {link.relative_to(path)}, that leads out of it to "
                f"{os.readlink(link)}; remove it, or call the recipe itself with this run_dir."
            )


def _is_inside(place: str | Path, folder: Path) -> bool:
    if is_remote(place) or "\0" in str(place):
        return False
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder))
