"""Going on with a run from its folder alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.files import read_json
from kexp.run.result import Result


def resume(
    run_dir: str | os.PathLike[str], recipe: Callable[..., Result] | None = None, *, quiet: bool = False
) -> Result:
    """Call the recipe of a run again with the recorded arguments, which goes on from its last checkpoint.

    Args:
        run_dir: Folder of a run; a finished one is returned as it is.
        recipe: The recipe, if it is not one of kexp's own. Default: looked up by its recorded name.
        quiet: Print nothing, default False.

    Raises:
        InputError: There is no run in the folder, or its recipe is not one of kexp's.

    Example:
        >>> sorted(resume(run_dir, quiet=True).metrics)[:2]
        ['accuracy', 'loss']
    """
    again, arguments = recorded_call(run_dir, recipe)
    return again(**arguments, quiet=quiet)


def recorded_call(
    run_dir: str | os.PathLike[str], recipe: Callable[..., Result] | None = None
) -> tuple[Callable[..., Result], dict[str, Any]]:
    """Return the recipe of a run and the arguments that go on with it.

    Raises:
        InputError: As `resume`.
    """
    path = Path(run_dir).expanduser()
    if not (path / "config.json").is_file():
        raise InputError(f"run_dir must be the folder of a run; {path} holds no config.json.")
    config = read_json(path / "config.json")
    if recipe is None:
        from kexp import recipes

        recipe = getattr(recipes, config["recipe"], None)
    if recipe is None:
        raise InputError(
            f"run_dir {path} is a run of {config['recipe']}, which is not one of kexp's recipes; "
            "call that again with this run_dir, or give it as the argument recipe."
        )
    # Where the state is says nothing about what is computed, so it is recorded beside the config.
    environment = path / "env.json"
    place = read_json(environment).get("checkpoint_dir") if environment.is_file() else None
    return recipe, {**config["arguments"], "checkpoint_dir": place, "run_dir": str(path)}
