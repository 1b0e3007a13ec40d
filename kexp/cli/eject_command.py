"""The command `eject`: a run as a plain Keras script."""

from __future__ import annotations

from kexp.core.tensorflow_start import KERAS_EXTRAS, quiet_tensorflow


def eject(run_dir: str, script: str, *, recipe: str | None = None) -> None:
    """Write a plain Keras script that trains the model of a run to the same bits, without kexp.

    Args:
        run_dir: Folder of a finished run of a classifier.
        script: The .py file to write; what it needs of the data is written beside it, as .npz.
        recipe: FILE.py:FUNCTION or MODULE:FUNCTION of a recipe of your own, which no folder is asked for.
    """
    from kexp.cli.recipe_lookup import imported_recipe
    from kexp.export.script.ejection import eject as eject_run

    own = None if recipe is None else imported_recipe(recipe)
    with quiet_tensorflow(without=KERAS_EXTRAS):
        path = eject_run(run_dir, script, recipe=own)
    print(f"{path} trains the model to the same bits, without kexp.")
