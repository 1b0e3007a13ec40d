"""`kexp.recipe`: a plain function whose signature is its configuration, command line and search space."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, cast, get_type_hints

from kexp.core.argument_groups import argument_groups
from kexp.core.call_signatures import CALLBACKS, help_text, recipe_signature
from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS, TrainOptions, Unpack, complete
from kexp.result import Result, load
from kexp.run.context import RecipeCall
from kexp.run.recipe_call import bind, checked_callbacks, run_recipe
from kexp.run.reference import Reference

P = ParamSpec("P")


class Recipe(Protocol[P]):
    """A function made by `kexp.recipe`: called with its own arguments and any training option.

    Attributes:
        references: Published metrics that it is to meet.
    """

    __name__: str
    __qualname__: str
    __module__: str
    __signature__: inspect.Signature
    is_recipe: bool
    references: tuple[Reference, ...]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result: ...


def recipe(
    *, references: Sequence[Reference] = (), **defaults: Unpack[TrainOptions]
) -> Callable[[Callable[P, Result]], Recipe[P]]:
    """Make a function a recipe: its signature gains every training option, and its calls are checked.

    A recipe takes scalars, strings, `Literal`s and tuples, and ends in `**train: Unpack[TrainOptions]`,
    which it hands to `kexp.fit`. Its calls are bound and validated before TensorFlow is imported, and
    the seed is set before its body runs. From Python its argument `data`, if it is a string, may also be a
    path or data in memory (annotated `kexp.data.DataLike`, to type checkers too), of which the run folder
    records form and fingerprint; and every recipe takes `callbacks`, Keras callbacks for its `kexp.fit`. An
    argument `table: kexp.data.TableArguments` is a mapping in its body, for `kexp.data.load(data, **table)`,
    and all of `TableArguments` in its signature, but for those of which it has its own.

    Args:
        references: Published metrics that it is to meet; `kexp reproduce` runs them.
        **defaults: The recipe's own defaults of the training options.

    Returns:
        A decorator.

    Raises:
        InputError: From a call, when an argument is unknown or does not fit.

    Example:
        >>> @recipe(epochs=5)
        ... def nothing(data: str = "digits", **train: Unpack[TrainOptions]) -> Result: ...
        >>> inspect.signature(nothing).parameters["epochs"].default
        5
        >>> nothing(epoch=3)
        Traceback (most recent call last):
        ...
        kexp.InputError: nothing has no argument epoch (did you mean 'epochs'?).
    """
    own_defaults = complete({**DEFAULTS, **defaults})
    default_batch_size = own_defaults["batch_size"]
    if default_batch_size == "auto":
        raise InputError("batch_size of a recipe must by default be a number, which 'auto' then begins with.")

    def decorate(function: Callable[P, Result]) -> Recipe[P]:
        types = get_type_hints(function, include_extras=True)
        signature, groups = recipe_signature(function, types, own_defaults), argument_groups(types)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> Result:
            arguments = bind(call, *args, **kwargs)
            changed = frozenset(name for name, value in own_defaults.items() if arguments[name] != value)
            callbacks = checked_callbacks(kwargs.get(CALLBACKS))
            made_call = RecipeCall(function.__name__, arguments, default_batch_size, changed, callbacks)
            return run_recipe(function, groups, made_call, load)

        made = cast(Recipe[P], call)
        made.__doc__ = help_text(function, signature)
        made.__signature__ = signature
        made.is_recipe = True
        made.references = tuple(references)
        return made

    return decorate
