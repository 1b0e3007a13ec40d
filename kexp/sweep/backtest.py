"""`kexp.backtest`: forecasts at many cuts in time, beside classical ones, from what was known then."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np

from kexp.classical.classical_forecasts import QuantileForecast, classical_forecasts
from kexp.core.constraints import AtLeast, Count, Seed, check_value
from kexp.core.errors import InputError
from kexp.core.user_paths import output_folder
from kexp.data import ForecastDataset
from kexp.data.forecast_form import ForecastForm
from kexp.data.forecast_gaps import held_values
from kexp.data.forecast_panel import Panel, panels_kept
from kexp.run.context import capture_training
from kexp.run.recipe_call import bind, refuse_callbacks, require_recipe
from kexp.sweep.backtest_result import BACKTEST, Backtest, load_backtest, quantile_name

if TYPE_CHECKING:
    import pandas as pd

BACKTEST_OPTION_TYPES: dict[str, Any] = {
    "cuts": Annotated[int, AtLeast(1, most=10_000)],
    "step": Count | None,
    "refit_every": Annotated[int, AtLeast(0)],
    "seed": Seed,
    "dir": str | None,
    "quiet": bool,
}
BACKTEST_OPTIONS = tuple(BACKTEST_OPTION_TYPES)
_OWN = ("test", "leave_out", "run_dir", "checkpoint_dir", "seed", "compare")
_NEEDED = ("horizon", "test", "leave_out")


class _Cut(NamedTuple):
    """Forecasts at one cut and of one series: the step of the first target, the series, and the quantiles.

    Of several targets these are the steps of the first, then those of the next.
    """

    step: int
    series: int
    quantiles: np.ndarray


def backtest(
    recipe: Callable[..., Any],
    *,
    cuts: int = 20,
    step: int | None = None,
    refit_every: int = 0,
    seed: int = 0,
    dir: str | os.PathLike[str] | None = None,
    quiet: bool = False,
    **arguments: Any,
) -> Backtest:
    """Forecast at many cuts in time from what was known then, beside classical forecasts at the same cuts.

    The last cut has the last steps of the data as its targets. The network is trained on what is before the
    first cut, and at the others sees newer history alone; with `refit_every` it is trained anew. The naive
    forecast, the seasonal one, an autoregression and exponential smoothing are fitted anew at every cut, to
    all steps before it. Each training is a run in a folder of its own: the same line again goes on where it
    was.

    Args:
        recipe: `kexp.recipes.forecast`, or one of your own that hands data of `kexp.data.forecast_windows` to
            `kexp.fit` and takes `horizon`, `test` and `leave_out`.
        cuts: How many, 1 or more; default 20.
        step: Steps from one to the next, 1 or more; default: the horizon.
        refit_every: Cuts after which the network is trained anew, 1 or more; 0 (default): never.
        seed: Of every training, 0 or more; default 0.
        dir: The folder; default: one under backtests/, named after the recipe and its arguments.
        quiet: Print nothing; default False.
        **arguments: Arguments of the recipe.

    Returns:
        Metrics by method, and all forecasts.

    Raises:
        InputError: An argument does not fit, or there are too few steps for so many cuts.

    Source: Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd edition, section 5.10.

    Example:
        >>> from kexp.recipes import mlp_tabular
        >>> backtest(mlp_tabular, data="iris")
        Traceback (most recent call last):
        ...
        kexp.InputError: recipe must take horizon, test and leave_out, as kexp.recipes.forecast does;
        mlp_tabular has no horizon.
    """
    given = {name: value for name, value in locals().items() if name in BACKTEST_OPTIONS}
    return run_backtest(recipe, arguments, given)


def run_backtest(
    recipe: Callable[..., Any], arguments: Mapping[str, Any], options: Mapping[str, Any]
) -> Backtest:
    """Check everything, then train and measure; as `backtest`, with its options in a mapping.

    Args:
        recipe: A recipe.
        arguments: Of the recipe.
        options: The others of `backtest`'s arguments, by name.
    """
    known = {
        name: options[name] if name == "dir" else check_value(name, options[name], kind)
        for name, kind in BACKTEST_OPTION_TYPES.items()
    }
    bound = _bound(recipe, arguments)
    folder = None if known["dir"] is None else _own_folder(known["dir"])
    cuts, every = known["cuts"], known["refit_every"] or known["cuts"]
    horizon = bound["horizon"]
    step = horizon if known["step"] is None else known["step"]
    described = {**_plain(arguments), "cuts": cuts, "step": step, "refit_every": every, "seed": known["seed"]}
    trainings = [
        {
            **arguments,
            "seed": known["seed"],
            "quiet": known["quiet"],
            "compare": False,
            "test": (min(every, cuts - first) - 1) * step + horizon,
            "leave_out": max(0, cuts - first - every) * step,
        }
        for first in range(0, cuts, every)
    ]
    with panels_kept():
        return _run(recipe, bound, described, trainings, folder, quiet=known["quiet"])


def _run(
    recipe: Callable[..., Any],
    bound: Mapping[str, Any],
    described: Mapping[str, Any],
    trainings: list[dict[str, Any]],
    folder: Path | None,
    *,
    quiet: bool,
) -> Backtest:
    """Train, forecast and record, or return what was recorded.

    Args:
        recipe: A recipe.
        bound: Its complete arguments.
        described: What the record says of the arguments.
        trainings: The arguments of each training.
        folder: Of the backtest; None: one that is named after what is described.
        quiet: Print nothing.
    """
    cuts, step = described["cuts"], described["step"]
    data = _captured(recipe, trainings[0])
    folder = folder or _own_folder(_folder_of(recipe.__name__, {**described, "data": data.fingerprint}))
    if (folder / BACKTEST).is_file():
        found = load_backtest(folder)
        if (found.arguments, found.fingerprint) != (json.loads(json.dumps(described)), data.fingerprint):
            raise InputError(f"dir {folder} holds a backtest of other arguments or data; give another one.")
        _say(f"{folder} is finished; what it recorded is returned.\n{found}", quiet=quiet)
        return found
    forecasts: list[_Cut] = []
    for number, own in enumerate(trainings):
        trained_on = _captured(recipe, own) if number else data
        forecasts += _of_network(recipe, own, trained_on, step, folder / f"training_{number}")
    table, left_out = _table(data, forecasts, cuts, step)
    found = Backtest(
        dir=folder,
        recipe=recipe.__name__,
        network=str(bound.get("network", recipe.__name__)),
        arguments=json.loads(json.dumps(described)),
        fingerprint=data.fingerprint,
        cuts=tuple(data.panel.grid.text(place) for place in _steps(data, cuts, step)),
        horizon=data.form.horizon,
        levels=data.form.quantiles,
        trainings=len(trainings),
        left_out=left_out,
        scales=_scales(data, _steps(data, cuts, step)[0]),
        targets=data.form.targets if data.form.others else (),
    )
    found.save(table.assign(method=table["method"].replace("", found.network)))
    _say(str(found), quiet=quiet)
    return found


def _scales(data: ForecastDataset, end: int) -> dict[str, Any]:
    """Return by series the unit of MASE, of several targets by target and series."""
    form = data.form
    if not form.others:
        return data.scales(end)
    return {target: data.scales(end, place) for place, target in enumerate(form.targets)}


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        print(text)


def _bound(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete arguments of the recipe, once it is one that a backtest can cut."""
    require_recipe(recipe)
    refuse_callbacks(arguments)
    taken = inspect.signature(recipe).parameters
    lacking = next((name for name in _NEEDED if name not in taken), None)
    if lacking is not None:
        raise InputError(
            f"recipe must take horizon, test and leave_out, as kexp.recipes.forecast does; {recipe.__name__} "
            f"has no {lacking}."
        )
    for name in _OWN:
        if name in arguments:
            raise InputError(
                f"{name} must be left out of the recipe's arguments: the backtest gives its own."
            )
    return bind(recipe, **arguments)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as the record has them; data in memory by what they are."""
    kept = (str, int, float, bool, list, tuple, type(None))
    return {
        name: value
        if isinstance(value, kept)
        else str(value)
        if isinstance(value, Path)
        else type(value).__name__
        for name, value in arguments.items()
    }


def _folder_of(recipe: str, described: Mapping[str, Any]) -> Path:
    """Return the folder of a backtest that names none."""
    digest = hashlib.sha256(json.dumps([recipe, described], sort_keys=True).encode()).hexdigest()[:8]
    return Path("backtests") / f"{recipe}-{digest}"


def _own_folder(given: str | os.PathLike[str]) -> Path:
    """Return the folder, once it holds nothing but a backtest."""
    folder = output_folder("dir", given)
    if folder.is_dir() and any(folder.iterdir()) and not ({BACKTEST, "training_0"} & set(os.listdir(folder))):
        raise InputError(f"dir {folder} holds files that are no backtest; give an empty or new folder.")
    return folder


def _captured(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> ForecastDataset:
    """Return the data that the recipe makes of its arguments."""
    data = capture_training(lambda training: training.raw, recipe, **{**arguments, "quiet": True})
    if not isinstance(data, ForecastDataset):
        raise InputError(
            f"recipe {recipe.__name__} must hand what kexp.data.forecast_windows returns to kexp.fit, for "
            "cuts to be known."
        )
    return data


def _of_network(
    recipe: Callable[..., Any], arguments: Mapping[str, Any], data: ForecastDataset, step: int, run_dir: Path
) -> list[_Cut]:
    """Return what the network forecasts at its cuts, after it was trained if it is not yet."""
    result = recipe(**arguments, run_dir=str(run_dir))
    assert data.test is not None
    origins = data.origins["test"]
    last = int(data.panel.steps) - int(arguments["leave_out"]) - data.form.horizon
    rows = np.flatnonzero((last - origins[:, 1]) % step == 0)
    if not len(rows):
        return []
    assert isinstance(data.test.inputs, Mapping)
    found = result.predict({name: values[rows] for name, values in data.test.inputs.items()})
    return [
        _Cut(int(place), int(series), quantiles)
        for (series, place), quantiles in zip(origins[rows], found.quantiles, strict=True)
    ]


def _steps(data: ForecastDataset, cuts: int, step: int) -> list[int]:
    """Return the first step that is forecast at each cut."""
    last = data.panel.steps - data.form.horizon
    return [last - number * step for number in reversed(range(cuts))]


def _table(data: ForecastDataset, forecasts: list[_Cut], cuts: int, step: int) -> tuple[pd.DataFrame, int]:
    """Return all forecasts, a row for each step, and how many cuts of a series are not among them."""
    import pandas as pd

    form, panel = data.form, data.panel
    if not forecasts:
        raise InputError(f"cuts={cuts}: expected a cut without missing steps, received none; fill the gaps.")
    tables = []
    for cut in forecasts:
        ahead = np.arange(cut.step, cut.step + form.horizon)
        facts = {
            "cut": panel.grid.text(cut.step),
            "series": panel.names[cut.series],
            "step": np.arange(1, form.horizon + 1),
        }
        for number, target in enumerate(form.targets):
            past = panel.targets[cut.series, :, number]
            truth = {"truth": past[ahead], **({"target": target} if form.others else {})}
            found = cut.quantiles[form.steps_of(number)]
            network = QuantileForecast(found[:, form.middle], found)
            for method, own in {"": network, **_classical(panel, cut, form, past[: cut.step])}.items():
                quantiles = {
                    quantile_name(level): own.quantiles[:, place]
                    for place, level in enumerate(form.quantiles)
                }
                row = {"method": method, **facts, **truth, "value": own.values, **quantiles}
                tables.append(pd.DataFrame(row))
    return pd.concat(tables, ignore_index=True), cuts * len(panel.names) - len(forecasts)


def _classical(
    panel: Panel, cut: _Cut, form: ForecastForm, before: np.ndarray
) -> dict[str, QuantileForecast]:
    """Return what classical methods forecast from all of a target that was before a cut."""
    past = held_values(before)
    if len(past) < 2 * form.season + 2 * form.horizon + 1:
        raise InputError(
            f"cuts: expected two seasons and two horizons of {panel.names[cut.series]!r} before the first "
            f"cut, received {len(past)} steps; pass fewer cuts."
        )
    return classical_forecasts(past, form.horizon, form.season, form.quantiles)
