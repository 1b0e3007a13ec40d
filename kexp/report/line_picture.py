"""Small pictures of series: a line for each channel."""

from __future__ import annotations

from html import escape

import numpy as np

from kexp.report.drawing import LEVELS

_WIDTH, _HEIGHT, _EDGE = 144.0, 51.0, 2.0
_STEPS = 120  # points of a line
_CHANNELS = 4


def line_picture(name: str, series: np.ndarray) -> str:
    """Return an `<svg>` of (steps, channels) numbers, each channel between its own least and greatest.

    Args:
        name: What it shows, for those who do not see it; not escaped yet.
        series: Steps of NaN alone at its end are padding.

    Example:
        >>> line_picture('6" <b>', np.array([[0.0], [2.0], [1.0]])).count("<polyline")
        1
    """
    known = np.isfinite(series).all(axis=1)
    steps = int(np.flatnonzero(known)[-1]) + 1 if known.any() else 0
    chosen = np.unique(np.linspace(0, max(steps - 1, 0), min(max(steps, 1), _STEPS)).astype(int))
    lines = "".join(
        _line(series[chosen, channel], channel) for channel in range(min(series.shape[1], _CHANNELS))
    )
    return (
        f'<svg class="line" role="img" aria-label="{escape(name)}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">'
        f"{lines if steps else ''}</svg>"
    )


def left_out(channels: int) -> str:
    """Return a sentence on channels that are not drawn, if there are any.

    Example:
        >>> left_out(12), left_out(2)
        (' Drawn are the first 4 of 12 channels.', '')
    """
    return f" Drawn are the first {_CHANNELS} of {channels} channels." if channels > _CHANNELS else ""


def _line(values: np.ndarray, channel: int) -> str:
    values = np.nan_to_num(values.astype(np.float64))
    low, high = values.min(), values.max()
    heights = (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
    across = np.linspace(_EDGE, _WIDTH - _EDGE, len(values))
    down = _HEIGHT - _EDGE - heights * (_HEIGHT - 2 * _EDGE)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    colour = ("best", *(f"level-{level}" for level in (LEVELS - 1, LEVELS - 4, 0)))[channel]
    return f'<polyline fill="none" stroke="var(--{colour})" stroke-width="1.4" points="{points}"/>'
