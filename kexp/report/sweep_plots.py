"""Plots of a sweep: progress, learning curves, parallel coordinates, slices, importance and cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kexp.core.search import Dimension, label
from kexp.report.drawing import COLOUR, LEVELS, crosses, dots, lines
from kexp.report.importance import Importance
from kexp.report.sweep_record import SweepRecord, TrialRecord, fences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_EPOCHS = 60  # points of a curve; longer ones are thinned
_LONGEST = 14  # characters of a label on an axis
_CROWDED = 0.5  # opacity of lines that are many
_ABSENT = -0.12  # height at which a line passes an argument that does not count


def draw_progress(record: SweepRecord) -> Figure:
    """Return the score of each trial and the best one so far, in the order of the trials."""
    figure, (axes,) = _panels(1, width=9.0)
    ranked = [trial for trial in record.trials if trial.ranked]
    low, high = _score_limits(axes, record)
    scores = np.clip([_score(trial) for trial in ranked], low, high)
    numbers = [trial.number for trial in ranked]
    dots(axes, numbers, numbers, scores, _colours(record, ranked, best=False))
    best = np.maximum if record.direction == "max" else np.minimum
    if ranked:
        axes.step(numbers, best.accumulate(scores), where="post", color=COLOUR["best"], label="best so far")
    bottom = low - 0.06 * (high - low)
    for state in ("pruned", "failed"):
        lost = [trial.number for trial in record.trials if trial.state == state]
        crosses(axes, lost, lost, [bottom] * len(lost), COLOUR[state])
    _legend(figure, record, curve="best so far" if ranked else "", marker="x")
    axes.set(xlabel="trial", ylabel=_axis_name(record))
    _count_in_whole(axes)
    return figure


def draw_learning_curves(record: SweepRecord) -> Figure:
    """Return the objective, and the loss where it is another figure, of all trials over the epochs."""
    names = _curve_names(record)
    figure, panels = _panels(max(len(names), 1), width=9.0, columns=2, height=3.4)
    for axes, name in zip(panels, names, strict=False):
        _draw_curves(axes, record, name)
    if not names:
        panels[0].set_axis_off()
        panels[0].text(0.5, 0.5, "no trial has recorded an epoch", ha="center", va="center")
    else:
        _legend(figure, record, curve="best trial", marker="x", line="--")
    return figure


def draw_parallel(record: SweepRecord) -> Figure:
    """Return a line per completed trial through its arguments to its score, the best ones on top."""
    names = [argument.name for argument in record.searched]
    figure, (axes,) = _panels(1, width=max(9.0, 1.3 * len(names)), height=3.6)
    ranked = record.ranking[::-1]
    low, high = _score_limits(axes, record)
    spread = high - low or 1.0
    paths = {
        trial.number: [(column, _height(argument, trial)) for column, argument in enumerate(record.searched)]
        + [(len(names), (min(max(_score(trial), low), high) - low) / spread)]
        for trial in ranked
    }
    for trials, width, opacity in (
        (ranked[:-1], 0.8, _CROWDED if len(ranked) > 100 else 1.0),
        (ranked[-1:], 2.4, 1.0),
    ):
        numbers = [trial.number for trial in trials]
        drawn = [paths[number] for number in numbers]
        lines(axes, numbers, drawn, _colours(record, trials), linewidths=width, alpha=opacity)
    for column, argument in enumerate(record.searched):
        _draw_scale(axes, column, _marks(argument), absent=argument.condition is not None)
    _draw_scale(axes, len(names), [(0.0, label(low)), (1.0, label(high))])
    axes.set(xlim=(-0.2, len(names) + 0.3), ylim=(_ABSENT - 0.05, 1.05), yticks=[])
    ticks = [_short(a.name) + ("\n(log)" if a.log else "") for a in record.searched] + [
        f"{record.objective}\n({record.better})"
    ]
    axes.set_xticks(range(len(ticks)), ticks)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def draw_slices(record: SweepRecord, order: list[str]) -> Figure:
    """Return the score against each argument on its own, in the order of `order`."""
    searched = sorted(record.searched, key=lambda argument: order.index(argument.name))
    figure, panels = _panels(max(len(searched), 1), width=9.0, columns=4, height=2.3)
    for number, (axes, argument) in enumerate(zip(panels, searched, strict=False)):
        _draw_slice(axes, record, argument)
        if number % 4 == 0:
            axes.set_ylabel(_axis_name(record))
    return figure


def draw_importance(found: Importance) -> Figure:
    """Return a bar per argument: what it accounts for alone, and together with others."""
    figure, (axes,) = _panels(1, width=9.0, height=1.0 + 0.28 * len(found.total))
    names, rows = list(found.total), range(len(found.total))
    total = list(found.total.values())
    axes.barh(rows, total, color=COLOUR["level-3"], label="together with others")
    axes.barh(rows, list(found.alone.values()), color=COLOUR["best"], label="alone")
    axes.errorbar(total, rows, xerr=list(found.spread.values()), fmt="none", ecolor=COLOUR["ink"], capsize=3)
    axes.set_yticks(rows, [_short(name, 28) for name in names])
    axes.set(xlabel="share of the differences in score, ± standard deviation", xlim=(0.0, None))
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


def draw_cost(record: SweepRecord) -> Figure:
    """Return the seconds and the megabytes of each trial."""
    figure, panels = _panels(2, width=9.0, columns=2, height=2.6)
    numbers = [trial.number for trial in record.trials]
    colours = [COLOUR.get(trial.state, COLOUR["level-4"]) for trial in record.trials]
    seconds = [trial.seconds for trial in record.trials]
    megabytes = [trial.bytes / 1e6 for trial in record.trials]
    for axes, heights, name in zip(panels, (seconds, megabytes), ("time (s)", "disk (MB)"), strict=True):
        stems = [[(number, 0.0), (number, height)] for number, height in zip(numbers, heights, strict=True)]
        lines(axes, numbers, stems, colours, linewidths=max(0.7, min(6.0, 150 / max(len(numbers), 1))))
        axes.set(xlabel="trial", ylabel=name)
        axes.set(xlim=(-1, max(numbers, default=0) + 1), ylim=(0, 1.05 * max([*heights, 1e-3])))
        _count_in_whole(axes)
    _legend(figure, record, curve="", marker="s")
    return figure


def _panels(count: int, *, width: float, columns: int = 1, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    panels = [figure.add_subplot(rows, columns, number + 1) for number in range(count)]
    for axes in panels:
        axes.grid(True)
    return figure, panels


def _score(trial: TrialRecord) -> float:
    return math.nan if trial.score is None else float(trial.score)


def _axis_name(record: SweepRecord) -> str:
    return f"{_short(record.objective, 24)}\n({record.better})"


def _short(text: str, longest: int = _LONGEST) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _colours(record: SweepRecord, trials: list[TrialRecord], *, best: bool = True) -> list[str]:
    """Return a colour per trial: by its state, by its place in the ranking, or as the best one."""
    return [
        COLOUR["best"]
        if best and trial is record.best
        else COLOUR[f"level-{int((LEVELS - 1) * record.standing[trial.number])}"]
        if trial.ranked
        else COLOUR.get(trial.state, COLOUR["ink"])
        for trial in trials
    ]


def _score_limits(axes: Axes, record: SweepRecord) -> tuple[float, float]:
    """Return the range of the scores without far-out ones, and say on the panel that there are some."""
    scores = [_score(trial) for trial in record.ranking]
    if not scores:
        return 0.0, 1.0
    low, high = fences(scores)
    outside = sum(not low <= score <= high for score in scores)
    if outside:
        axes.set_title(f"{outside} far-out {'score' if outside == 1 else 'scores'} on the edge", loc="right")
    return low, high


def _legend(
    figure: Figure, record: SweepRecord, *, curve: str, marker: str, line: Literal["", "--"] = ""
) -> None:
    """Name the states that occur, above the panels."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=COLOUR["best"], label=curve)] if curve else []
    handles += [
        Line2D([], [], color=COLOUR[state], linestyle=line, marker=marker, markersize=5, label=state)
        for state in ("pruned", "failed")
        if record.count(state)
    ]
    if handles:
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))


def _curve_names(record: SweepRecord) -> list[str]:
    """Return the objective, or what it is called while training, and the loss it goes with."""
    known = {
        name
        for trial in record.trials
        for name, curve in trial.history.items()
        if any(map(math.isfinite, curve))
    }
    wanted = (record.objective, record.objective.removeprefix("val_"))
    first = next((name for name in wanted if name in known), None)
    losses = ("val_loss", "loss") if record.objective.startswith("val_") else ("loss",)
    second = next((name for name in losses if name in known), None)
    return list(dict.fromkeys(name for name in (first, second) if name is not None))


def _draw_curves(axes: Axes, record: SweepRecord, name: str) -> None:
    curves = {trial.number: _thinned(trial.history.get(name, [])) for trial in record.trials}
    drawn = [trial for trial in record.trials if len(curves[trial.number])]
    low, high = fences([float(height) for trial in drawn for height in curves[trial.number][:, 1]])
    for curve in curves.values():
        curve[:, 1] = curve[:, 1].clip(low, high)
    completed = [trial for trial in record.ranking[::-1] if trial in drawn]
    lost = [trial for trial in drawn if not trial.ranked]
    for trials, dash in ((completed[:-1], "solid"), (lost, "dashed"), (completed[-1:], "solid")):
        numbers = [trial.number for trial in trials]
        widths = [2.6 if trial is record.best else 0.8 for trial in trials]
        paths = [curves[number] for number in numbers]
        lines(axes, numbers, paths, _colours(record, trials), linewidths=widths, linestyles=dash)
    # A line of one point is not seen, and where a trial was given up is worth seeing.
    for trials, draw in (([t for t in completed if len(curves[t.number]) == 1], dots), (lost, crosses)):
        x, y = np.array([curves[trial.number][-1] for trial in trials]).reshape(-1, 2).T
        draw(axes, [trial.number for trial in trials], x, y, _colours(record, trials))
    longest = max((float(curves[trial.number][-1, 0]) for trial in drawn), default=1.0)
    margin = 0.05 * (high - low) or 0.5
    axes.set(
        xlabel="epoch", title=name, ylim=(low - margin, high + margin), xlim=(0.8, max(longest, 1.2) + 0.2)
    )
    _count_in_whole(axes)


def _count_in_whole(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _thinned(curve: list[float]) -> np.ndarray:
    """Return (epochs, 2) of epoch and finite value, first and last kept."""
    epochs = np.arange(1, len(curve) + 1)
    pairs = np.stack([epochs, np.array(curve, float)], axis=1) if curve else np.empty((0, 2))
    pairs = pairs[np.isfinite(pairs[:, 1])]
    rows = np.unique(np.linspace(0, max(len(pairs) - 1, 0), _MOST_EPOCHS).round().astype(int))
    return pairs[rows] if len(pairs) else pairs


def _height(argument: Dimension, trial: TrialRecord) -> float:
    """Return where a line crosses an argument's scale; apart by a little where many share a choice."""
    position = _position(argument, trial)
    if argument.kind != "choice" and not math.isnan(position):
        return position
    apart = 0.06 * (math.modf(trial.number * 0.618034)[0] - 0.5)
    return (_ABSENT if math.isnan(position) else position) + apart


def _position(argument: Dimension, trial: TrialRecord) -> float:
    if argument.name not in trial.arguments:
        return math.nan
    return argument.position(trial.arguments[argument.name])


def _marks(argument: Dimension) -> list[tuple[float, str]]:
    if argument.kind == "choice":
        return [(argument.position(choice), _short(label(choice))) for choice in argument.choices]
    return [(0.0, label(argument.low)), (1.0, label(argument.high))]


def _draw_scale(axes: Axes, column: int, marks: list[tuple[float, str]], *, absent: bool = False) -> None:
    axes.plot([column, column], [0, 1], color=COLOUR["ink"], linewidth=0.8)
    for height, text in [*marks, *([(_ABSENT, "not used")] if absent else [])]:
        drawn = axes.text(column + 0.03, height, text, fontsize=8, va="center")
        drawn.set_gid("mark")


def _draw_slice(axes: Axes, record: SweepRecord, argument: Dimension) -> None:
    used = [t for t in record.ranking[::-1] if not math.isnan(_position(argument, t))]
    low, high = _score_limits(axes, record)
    scores = np.clip([_score(trial) for trial in used], low, high)
    values: list[Any] = [trial.arguments[argument.name] for trial in used]
    if argument.kind == "choice":
        shown = [label(choice) for choice in argument.choices]
        places = [shown.index(label(value)) for value in values]
        apart = [0.5 * (math.modf(trial.number * 0.618034)[0] - 0.5) for trial in used]
        values = [place + shift for place, shift in zip(places, apart, strict=True)]
        axes.set_xticks(range(len(shown)), [_short(text) for text in shown], rotation=30, ha="right")
        axes.set_xlim(-0.5, len(shown) - 0.5)
    else:
        _scale(axes, log=argument.log)
        axes.set_xlim(argument.low, argument.high if argument.high > argument.low else argument.low + 1)
    dots(axes, [trial.number for trial in used], values, scores, _colours(record, used))
    margin = 0.05 * (high - low) or 0.5
    axes.set(
        xlabel=_short(argument.name, 24) + (" (log)" if argument.log else ""),
        ylim=(low - margin, high + margin),
    )


def _scale(axes: Axes, *, log: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        # matplotlib's own labels are set as mathematics, which the page is without.
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, place: f"{number:g}"))
    axes.xaxis.set_major_locator(LogLocator(numticks=5) if log else MaxNLocator(4))
