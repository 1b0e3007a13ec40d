"""A recipe for code that already uses KerasTuner."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kexp.core.tensorflow_start import require_tensorflow
from kexp.core.user_paths import output_folder
from kexp.run.recipe_call import bind, require_recipe
from kexp.sweep.search.oracles import decoded, keras_tuner, register
from kexp.sweep.space.space import checked_mapping, space_of


def to_hypermodel(
    recipe: Callable[..., Any],
    space: Mapping[str, Any] | None = None,
    *,
    dir: str | os.PathLike[str] = "runs",
    **arguments: Any,
) -> Any:
    """Return a `keras_tuner.HyperModel` that builds and trains what a recipe does.

    A tuner's `search()` then takes no data: the recipe loads its own. Each trial is a run folder, and the
    tuner's objective is one of the recipe's metrics, such as "val_accuracy". `get_best_models` gives models
    that take raw inputs. For trials that survive a kill, and workers, use `kexp.sweep`.

    Args:
        recipe: A recipe.
        space: What to search in place of what the signature spans, as in `kexp.sweep`.
        dir: Where the run folders go; default: runs.
        **arguments: Arguments of the recipe, the same in every trial.

    Raises:
        InputError: An argument or the space does not fit.

    Example:
        >>> from kexp.recipes import mlp_images
        >>> hypermodel = to_hypermodel(mlp_images, {"hidden": (16,)}, data="digits")
        >>> hp = keras_tuner().HyperParameters()
        >>> hypermodel.build(hp).output_shape
        (None, 10)
        >>> sorted(hp.values)
        ['activation', 'batch_size', 'dropout', 'learning_rate', 'normalization']
    """
    require_recipe(recipe)
    parent = output_folder("dir", dir)
    searched = space_of(recipe, {**arguments, **checked_mapping(space)})
    require_tensorflow()

    from kexp.run.context import capture_training
    from kexp.run.inference import raw_model

    def called_with(hp: Any) -> dict[str, Any]:
        register(hp, searched.dimensions)
        # A tuner chooses among trials by validation data, however few they are.
        given = searched.arguments(decoded(searched.dimensions, hp.values))
        return {"least_validation": None, **given, "quiet": True}

    class RecipeHyperModel(keras_tuner().HyperModel):  # type: ignore[misc]
        """Builds the recipe's model, raw inputs in, and trains it as the recipe does."""

        def build(self, hp: Any) -> Any:
            def model(training: Any) -> Any:
                return raw_model(training.model, training.preprocessing)

            return capture_training(model, recipe, **called_with(hp))

        def fit(
            self, hp: Any, model: Any, *args: Any, callbacks: Any = (), **kwargs: Any
        ) -> dict[str, float]:
            folder = str(_new_folder(parent, recipe.__name__))
            result = recipe(**{**called_with(hp), "compare": False, "run_dir": folder})
            model.set_weights(result.model.get_weights())
            for callback in callbacks:
                callback.set_model(model)
                for epoch in range(len(result.history["loss"])):
                    callback.on_epoch_end(
                        epoch, {name: values[epoch] for name, values in result.history.items()}
                    )
            return {name: value for name, value in result.metrics.items() if not name.startswith("test_")}

    bind(recipe, **searched.fixed)
    return RecipeHyperModel(name=recipe.__name__)


def _new_folder(parent: Path, name: str) -> Path:
    number = sum(1 for _ in parent.glob(f"{name}-tuner-*"))
    return parent / f"{name}-tuner-{number:04d}"
