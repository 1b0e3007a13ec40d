"""`kexp reproduce`: the published metrics that recipes refer to, run again and set beside them."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.constraints import Count, check_value
from kexp.core.errors import InputError
from kexp.core.files import replacing
from kexp.core.foreign_files import reading
from kexp.core.user_paths import output_file, output_folder
from kexp.data import check_source
from kexp.run.recipe_call import bind, require_recipe
from kexp.run.reference import Reference

_BEGIN, _END = "<!-- kexp reproduce -->", "<!-- end -->"
_HEAD = (
    "| recipe | arguments | metric | published or goal | measured, ± standard deviation | seeds | source |"
)
_RULE = "|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Reproduced:
    """A reference beside what was measured.

    Attributes:
        recipe: Its name.
        reference: What was to be met.
        values: The metric by seed, 0 first; empty when the data is not at hand.
        seconds: Of training, all seeds together.
        missing: What is not at hand, or "".
    """

    recipe: str
    reference: Reference
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    missing: str = ""

    @property
    def met(self) -> bool:
        """Whether the published value was met, or nothing could be run."""
        return bool(self.missing) or self.reference.met_by(self.values)

    @property
    def measured(self) -> str:
        """The mean and its spread in words."""
        if self.missing:
            return "not run"
        mean = f"{statistics.fmean(self.values):.4g}"
        return f"{mean} ± {statistics.stdev(self.values):.2g}" if len(self.values) > 1 else mean

    def __str__(self) -> str:
        arguments = _line(self.reference)
        if self.missing:
            return f"{self.recipe} {arguments}: skipped, {self.missing}"
        verdict = "met" if self.met else f"MISSED (tolerance {self.reference.tolerance:g})"
        return (
            f"{self.recipe} {arguments}: {self.reference.metric} {self.measured} over {len(self.values)} "
            f"seeds, published {self.reference.published:g}: {verdict}, {self.seconds:.0f} s"
        )

    def row(self) -> str:
        """Return the row of a Markdown table."""
        reference = self.reference
        cells = (
            f"`{self.recipe}`",
            f"`{_line(reference)}`",
            reference.metric,
            f"{reference.published:g}",
            self.measured,
            str(len(self.values)),
            reference.source,
        )
        return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def reproduce(
    recipes: Sequence[Callable[..., Any]],
    *,
    seeds: int = 3,
    dir: str | os.PathLike[str] = "reproduced",
    say: Callable[[str], object] = print,
) -> list[Reproduced]:
    """Run every reference of these recipes over some seeds; the same call again goes on where it was.

    A reference whose data would have to be downloaded is named and skipped.

    Args:
        recipes: Recipes with references.
        seeds: How many, from seed 0, 1 or more; default 3.
        dir: Where the run folders go; default: reproduced.
        say: Is told how each reference ended.

    Returns:
        What was measured, in the order of the recipes.

    Raises:
        InputError: An argument does not fit, or no recipe has a reference.

    Example:
        >>> from kexp import recipes
        >>> reproduce([recipes.mlp_tabular], seeds=0)
        Traceback (most recent call last):
        ...
        kexp.InputError: seeds must be a whole number, 1 or more; received 0.
    """
    seeds = check_value("seeds", seeds, Count)
    for recipe in recipes:
        require_recipe(recipe)
    parent = output_folder("dir", dir)
    asked = [(recipe, reference) for recipe in recipes for reference in _references(recipe)]
    if not asked:
        names = ", ".join(recipe.__name__ for recipe in recipes)
        raise InputError(f"recipe must have references to published metrics; {names} has none.")
    for recipe, reference in asked:
        bind(recipe, **{name: value for name, value in reference.args.items() if name != "data"})
    found = []
    for recipe, reference in asked:
        found.append(_reproduced(recipe, reference, seeds, parent))
        say(str(found[-1]))
    return found


def check_table(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return where `write_table` is to write, and what is there, before anything is done for it.

    Raises:
        InputError: It is no text with the marks, and no new file in a folder that can be written to.
    """
    place = output_file("table", path)
    if not place.exists():
        return place, f"{_BEGIN}{_END}\n"
    with reading(place, "a Markdown page", "give a new file"):
        text = place.read_text(encoding="utf-8")
    if _BEGIN not in text or _END not in text.partition(_BEGIN)[2]:
        raise InputError(f"table {place} must be a new file, or hold {_BEGIN} and {_END}.")
    return place, text


def write_table(found: Sequence[Reproduced], path: str | os.PathLike[str]) -> None:
    """Write the metrics as a Markdown table: a file of its own, or the one between the marks of a page.

    Args:
        found: From `reproduce`.
        path: A new file, or a page that holds `<!-- kexp reproduce -->` and `<!-- end -->`.

    Raises:
        InputError: The file is there, without the marks.
    """
    place, text = check_table(path)
    before, _, rest = text.partition(_BEGIN)
    table = "\n".join([_BEGIN, _HEAD, _RULE, *(one.row() for one in found), _END])
    with replacing(place) as temporary:
        temporary.write_text(before + table + rest.partition(_END)[2], encoding="utf-8")


def _references(recipe: Callable[..., Any]) -> tuple[Reference, ...]:
    return getattr(recipe, "references", ())


def _reproduced(recipe: Callable[..., Any], reference: Reference, seeds: int, parent: Path) -> Reproduced:
    try:
        if "data" in reference.args:
            check_source(reference.args["data"])
    except InputError as error:
        return Reproduced(recipe.__name__, reference, missing=str(error))
    import keras

    digest = hashlib.sha256(json.dumps(dict(reference.args), sort_keys=True).encode()).hexdigest()[:8]
    folders = [parent / recipe.__name__ / f"{digest}-seed-{seed}" for seed in range(seeds)]
    values, seconds = [], 0.0
    for seed, folder in enumerate(folders):
        keras.utils.clear_session()
        result = recipe(**reference.args, seed=seed, run_dir=str(folder), quiet=True)
        if reference.metric not in result.metrics:
            known = ", ".join(result.metrics)
            raise InputError(
                f"metric of a reference must be a metric of the run; {recipe.__name__} has {known}, not "
                f"{reference.metric}."
            )
        values.append(float(result.metrics[reference.metric]))
        seconds += result.seconds
    return Reproduced(recipe.__name__, reference, tuple(values), seconds)


def _line(reference: Reference) -> str:
    """Return the arguments as they are given on the command line."""

    def words() -> Iterator[str]:
        for name, value in reference.args.items():
            yield f"--{'no-' if value is False else ''}{name.replace('_', '-')}"
            if not isinstance(value, bool):
                yield " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)

    return " ".join(words()) or "(defaults)"
