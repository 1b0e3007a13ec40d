"""The arguments of a run: those that are not the recipe's defaults, and the others."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from kexp.core.errors import InputError
from kexp.core.options import DEFAULTS
from kexp.data.memory_forms import argument_label
from kexp.report.html import definitions, folded, short, table, text_section
from kexp.report.reported import ReportedRun
from kexp.run.recipe_names import own_recipe

ORDER = 200


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    arguments = run.record.config["arguments"]
    defaults = recorded_defaults(run.record.config["recipe"])
    changed = [name for name in arguments if name not in defaults or differs(arguments[name], defaults[name])]
    # What is known to differ comes first.
    changed.sort(key=lambda name: name not in defaults)
    rows = [[name, _shown(arguments[name]), _default(name, defaults)] for name in changed]
    kept = {name: _shown(value) for name, value in arguments.items() if name not in changed}
    differing = sum(name in defaults for name in changed)
    text = f"{differing} of {len(arguments)} arguments differ from their defaults."
    content = table(["argument", "value", "default"], rows) if rows else ""
    return text_section("Arguments", text, content + folded(f"{len(kept)} as by default", definitions(kept)))


def recorded_defaults(recipe: str) -> Mapping[str, Any]:
    """Return the defaults of a recipe by the name that a run records, as far as they are known.

    Of a recipe of the user's own, and of `kexp.fit`, they are those of the training options.

    Example:
        >>> recorded_defaults("mlp_images")["dropout"], recorded_defaults("fit")["epochs"]
        (0.2, 10)
    """
    try:
        found = own_recipe(recipe)
    except InputError:  # what is installed cannot be imported
        found = None
    if found is None:
        return dict(DEFAULTS)
    parameters = inspect.signature(found).parameters.items()
    return {name: one.default for name, one in parameters if one.default is not inspect.Parameter.empty}


def differs(value: object, default: object) -> bool:
    """Return whether a recorded argument is another than its default, which JSON has no tuples of.

    Example:
        >>> differs([64, 32], (64, 32)), differs(1.0, 1), differs("a", None)
        (False, False, True)
    """
    return bool(value != json.loads(json.dumps(default, default=str)))


def _default(name: str, defaults: Mapping[str, Any]) -> str:
    return _shown(defaults[name]) if name in defaults else "none is known"


def _shown(value: object) -> str:
    return short(argument_label(value))
