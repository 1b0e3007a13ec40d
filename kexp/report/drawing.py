"""matplotlib figures as inline SVG whose colours the page chooses and whose trials it can find."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 8  # colours from the worst to the best score
# matplotlib is given colours that nothing else has, and the page's style sheet says what they look like by
# day and by night.
_NAMES = ("ink", "grid", "best", "failed", "pruned", *(f"level-{level}" for level in range(LEVELS)))
COLOUR = {name: f"#0102{number:02x}" for number, name in enumerate(_NAMES)}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, selectable, read aloud
    "svg.hashsalt": "kexp",
    "path.simplify_threshold": 0.5,  # points
    "text.parse_math": False,  # a dollar in an argument is a dollar
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    # Of those beyond the first two each stands for a class, of which there may be many.
    "axes.prop_cycle": "cycler('color', ["
    f"'{COLOUR['level-6']}', '{COLOUR['best']}', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2', "
    "'#7f7f7f', '#bcbd22', '#17becf'])",
    "axes.edgecolor": COLOUR["grid"],
    "axes.labelcolor": COLOUR["ink"],
    "axes.titlecolor": COLOUR["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": COLOUR["grid"],
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.labelcolor": COLOUR["ink"],
    "text.color": COLOUR["ink"],
    "xtick.color": COLOUR["grid"],
    "ytick.color": COLOUR["grid"],
    "xtick.labelcolor": COLOUR["ink"],
    "ytick.labelcolor": COLOUR["ink"],
}


@contextmanager
def style() -> Iterator[None]:
    """Draw within this, and turn the figure into SVG within it too."""
    import matplotlib

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Of a name in a script that the font lacks: the browser, which draws it, has others.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def inline_svg(figure: Figure, title: str) -> str:
    """Return a figure as an `<svg>` element.

    What belongs to a trial, by `address`, is a group with `data-trial`; a colour of `COLOUR` is the style
    sheet's variable of that name.

    Args:
        figure: The figure, drawn within `style`.
        title: What it shows, for those who do not see it; not escaped yet.

    Example:
        >>> from matplotlib.figure import Figure
        >>> with style():
        ...     figure = Figure()
        ...     _ = figure.text(0, 0, "<b> costs $1")
        ...     svg = inline_svg(figure, "Prices")
        >>> svg.startswith("<svg"), "&lt;b&gt; costs $1" in svg, "var(--ink)" in svg
        (True, True, True)
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # Text is escaped in here, so what looks like an element is one.
    svg = re.sub(
        r'<a xlink:href="#trial-(\d+)"[^>]*>\s*<(\w+)([^>]*/>)\s*</a>', r'<\2 data-trial="\1"\3', svg
    )
    svg = re.sub(r'<g id="(mark)?[^"]*">', lambda match: '<g class="mark">' if match[1] else "<g>", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    svg = re.sub(r"<[^>]+>", _short_tag, svg)
    label = f' role="img" aria-label="{escape(title)}"'
    return re.sub(r' width="[^"]*" height="[^"]*"', lambda match: label, svg, count=1)


def address(numbers: Sequence[int]) -> list[str]:
    """Return what to hand to `set_urls` of a collection, so that its parts belong to trials."""
    return [f"#trial-{number}" for number in numbers]


def dots(axes: Axes, numbers: Sequence[int], x: Any, y: Any, colours: Any) -> None:
    """Draw a dot for each trial."""
    # A line without length and with a round end: a browser draws these far sooner than markers.
    paths = [[place, place] for place in zip(x, y, strict=True)]
    lines(axes, numbers, paths, colours, linewidths=3.6, capstyle="round")
    axes.autoscale_view()


def crosses(axes: Axes, numbers: Sequence[int], x: Any, y: Any, colours: Any) -> None:
    """Draw a cross for each trial."""
    if len(numbers):
        drawn = axes.scatter(x, y, c=colours, s=16, marker="x", clip_on=False, linewidths=0.8)
        drawn.set_urls(address(numbers))


def lines(axes: Axes, numbers: Sequence[int], paths: Sequence[Any], colours: Any, **options: Any) -> None:
    """Draw a line for each trial, the later ones on top; the caller keeps it within the axes."""
    from matplotlib.collections import LineCollection

    collection = LineCollection(list(paths), colors=colours, clip_on=False, **options)
    collection.set_urls(address(numbers))
    axes.add_collection(collection)


def _short_tag(match: re.Match[str]) -> str:
    """Return a tag with the page's colours, and with tenths of a point for places."""
    tag = re.sub(r'(?<= [dxy]=")[^"]*', _short_numbers, match[0])
    return re.sub("#0102[0-9a-f]{2}", lambda code: f"var(--{_NAMES[int(code[0][5:], 16)]})", tag)


def _short_numbers(match: re.Match[str]) -> str:
    return re.sub(r"(\.\d)\d+", r"\1", match[0]).replace("\n", "").replace(".0 ", " ")
