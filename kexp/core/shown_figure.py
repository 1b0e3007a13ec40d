"""Figures that notebooks show."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

_DPI = 110


class ShownFigure(Figure):
    """A matplotlib figure that a notebook shows by itself, also where pyplot was never imported.

    Example:
        >>> figure = ShownFigure(figsize=(1.0, 1.0))
        >>> figure._repr_png_()[:4]
        b'\\x89PNG'
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI)
        return buffer.getvalue()
