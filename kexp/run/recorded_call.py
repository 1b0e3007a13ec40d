"""The call that goes on with a run, from its folder alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.files import read_json


def recorded_call(
    run_dir: str | os.PathLike[str], recipe: Callable[..., Any] | None = None
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the recipe of a run and the arguments that go on with it.

    Raises:
        InputError: There is no run in the folder, or its recipe is not one of kexp's.
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
