"""Whether a recipe computes the same on one device, on many, and in several processes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.constraints import Count, Difference, SeveralDevices, check_value
from kexp.core.errors import InputError
from kexp.core.files import write_json
from kexp.core.processes import check_processes
from kexp.result import Result
from kexp.run.recipe_call import bind, refuse_callbacks, require_recipe
from kexp.verify.recipe_process import portable_call
from kexp.verify.steps import ALONE, WORKERS
from kexp.verify.worker_processes import Processes

# Adam divides by the size of a gradient, which where it is nothing but rounding makes a whole step of it.
_DEFAULTS = {"optimizer": "momentum", "learning_rate": 0.01}


@dataclass(frozen=True)
class Compared:
    """One way of training beside one device.

    Attributes:
        name: Of the way.
        loss_difference: The largest between the losses of a step.
        weight_difference: The largest between numbers of the model's weights after the last step.
        state_difference: The largest between numbers of the optimizers, averages of weights among them.
    """

    name: str
    loss_difference: float
    weight_difference: float
    state_difference: float


@dataclass(frozen=True)
class DistributedReport:
    """What came of training a recipe in several ways.

    Attributes:
        recipe: Its name.
        steps: How many steps were taken.
        tolerance: The largest difference of weights that counts as equal.
        ways: Each way beside one device.
    """

    recipe: str
    steps: int
    tolerance: float
    ways: tuple[Compared, ...]

    @property
    def same(self) -> bool:
        """Whether all ways end with the weights of one device."""
        return all(way.weight_difference <= self.tolerance for way in self.ways)

    def __str__(self) -> str:
        lines = [
            f"{way.name}: losses differ by at most {way.loss_difference:.2g}, weights by "
            f"{way.weight_difference:.2g}, optimizers by {way.state_difference:.2g}"
            for way in self.ways
        ]
        outcome = "the same as on one device" if self.same else f"NOT the same (tolerance {self.tolerance:g})"
        return "\n".join([f"{self.recipe}, {self.steps} steps: {outcome}", *lines])


def distributed(
    recipe: Callable[..., Result],
    *,
    replicas: int | None = 2,
    workers: int | None = 2,
    train_steps: int = 20,
    tolerance: float = 1e-5,
    **arguments: Any,
) -> DistributedReport:
    """Take the first steps of a recipe on one device, on several, and in several processes, and compare.

    Everything is on this machine's CPU: the devices are parts of it that TensorFlow treats as devices of
    their own, the workers are processes that speak to one another. Among the steps are one of a single
    sample, one of 7, and one of a sample fewer than the others, so that shares are uneven. Draws of dropout,
    augmentation and noise are part of the comparison; a layer that mixes samples with one another can only
    mix those that a replica has, and would make a difference.

    Args:
        recipe: A recipe, kexp's or your own.
        replicas: Logical devices, default 2, 2 or more, at most 64; None for no such comparison.
        workers: Processes, default 2, 2 or more; None for no such comparison.
        train_steps: Steps to compare, default 20, 1 or more.
        tolerance: The largest difference of weights that counts as equal, default 1e-5, 0 or more.
        **arguments: Arguments of the recipe; the optimizer is momentum with a learning rate of 0.01 unless
            they say something else, since Adam makes whole steps of gradients that are nothing but rounding.

    Raises:
        InputError: An argument does not fit, or recipe or data cannot be carried to another process.
        RuntimeError: A process failed, or a step went wrong in it.

    Example:
        >>> from kexp import recipes
        >>> distributed(recipes.mlp_images, replicas=1)
        Traceback (most recent call last):
        kexp.InputError: replicas must be ...; received 1.
    """
    case = Case(recipe, arguments)
    return compare([case], replicas, workers, train_steps=train_steps, tolerance=tolerance)[0]


@dataclass(frozen=True)
class Case:
    """A recipe and the arguments that it is compared with."""

    recipe: Callable[..., Result]
    arguments: Mapping[str, Any]


def compare(
    cases: Sequence[Case],
    replicas: int | Sequence[int] | None,
    workers: int | None,
    *,
    train_steps: int = 20,
    tolerance: float = 1e-5,
) -> list[DistributedReport]:
    """Compare many recipes as `distributed` does one, with a process for each way and not for each recipe.

    Args:
        cases: Recipes and their arguments.
        replicas: Numbers of logical devices.
        workers: Number of processes, or None.
        train_steps: Steps to compare.
        tolerance: The largest difference of weights that counts as equal.
    """
    for case in cases:
        require_recipe(case.recipe)
    several = list(replicas) if isinstance(replicas, list | tuple) else [replicas]
    counts = [check_value("replicas", count, SeveralDevices) for count in several if count is not None]
    if workers is not None:
        workers = check_processes("workers", workers, least=2)
    train_steps = check_value("train_steps", train_steps, Count)
    tolerance = check_value("tolerance", tolerance, Difference)
    if not counts and workers is None:
        raise InputError("replicas or workers must be given to compare with; received None for both.")
    with tempfile.TemporaryDirectory(prefix="kexp-verify-") as name:
        folder = Path(name)
        described = [_described(case, train_steps, folder / str(at)) for at, case in enumerate(cases)]
        write_json(folder / "cases.json", {"cases": described})
        names = {str(count): f"{count} logical devices" for count in counts}
        for mode in (ALONE, *names):
            Processes(_command(folder, mode), folder).finish()
        if workers is not None:
            names[WORKERS] = f"{workers} worker processes"
            Processes(_command(folder, WORKERS), folder, workers).finish()
        return [
            DistributedReport(
                case.recipe.__name__,
                train_steps,
                tolerance,
                tuple(_compared(folder, number, mode, words) for mode, words in names.items()),
            )
            for number, case in enumerate(cases)
        ]


def _command(folder: Path, mode: str) -> list[str]:
    return ["-m", "kexp.verify.steps", str(folder), mode]


def _described(case: Case, train_steps: int, folder: Path) -> dict[str, Any]:
    """Return a case for other processes, which find in its folder what has to be carried."""
    refuse_callbacks(case.arguments)
    asked = {**_DEFAULTS, **case.arguments}
    checked = bind(case.recipe, **asked)
    folder.mkdir()
    name, arguments = portable_call(case.recipe, {name: checked[name] for name in asked}, folder)
    return {"recipe": name, "arguments": arguments, "folder": str(folder), "steps": train_steps}


def _compared(folder: Path, number: int, mode: str, name: str) -> Compared:
    files = [folder / f"{one}-{number}.npz" for one in (ALONE, mode)]
    with np.load(files[0]) as alone, np.load(files[1]) as other:
        weights = [key for key in alone.files if key.startswith("weight/")]
        differences = [_largest(alone[key], other[key]) for key in weights]
        return Compared(
            name,
            _largest(alone["losses"], other["losses"]),
            max(differences, default=0.0),
            _largest(alone["state"], other["state"]),
        )


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference; what is not a number differs from everything."""
    if one.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(one, other) else float("inf")
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))
