"""Draw the pictures of pages in README and docs, light and dark: python tools/page_pictures.py [DIR]

It trains a convnet on small fashion images, sweeps a perceptron and forecasts sunspots, opens their pages in
headless Chromium and writes docs/pages/NAME-light.png and NAME-dark.png. Needs the `dev` extra and Debian's
package chromium; DIR keeps the runs, default: a temporary folder.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kexp
from kexp import recipes

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pages"
WIDTH, LONGEST = 900, 1100  # pixels
SHOWN = "() => document.querySelectorAll('section').forEach(one => one.style.contentVisibility = 'visible')"


def pages(directory: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield the name of each picture, its page, and the words of the heading that it begins with."""
    fashion = recipes.cnn_images(
        data="fashion_mnist_small", epochs=8, run_dir=str(directory / "fashion"), quiet=True
    )
    page = fashion.report(explain=True)
    yield "mistakes", page, "Mistakes"
    yield "explanation", page, "Saliency"
    forecast = recipes.lstm_forecast(epochs=60, horizon=12, run_dir=str(directory / "forecast"), quiet=True)
    yield "forecast", forecast.report(), "Forecasts"
    sweep = kexp.sweep(
        recipes.mlp_images, data="digits", epochs=6, trials=30, workers=2, dir=directory / "sweep", quiet=True
    )
    yield "sweep", sweep.report(), "Search"


def draw(browser: Any, name: str, page: Path, heading: str) -> None:
    """Write the picture of what a page shows from a heading on, or from its top where it has none such."""
    for scheme in ("light", "dark"):
        tab = browser.new_page(
            viewport={"width": WIDTH, "height": LONGEST}, color_scheme=scheme, device_scale_factor=1
        )
        tab.goto(page.absolute().as_uri())
        tab.evaluate(SHOWN)
        found = tab.locator("h2, h3", has_text=heading)
        top = found.first.bounding_box()["y"] - 12 if found.count() else 0.0
        bottom = tab.evaluate("() => document.documentElement.scrollHeight")
        area = {"x": 0, "y": top, "width": WIDTH, "height": min(LONGEST, bottom - top)}
        tab.screenshot(path=PICTURES / f"{name}-{scheme}.png", clip=area, full_page=True)
        tab.close()


def main() -> None:
    """Train what is shown, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, nargs="?")
    directory = parser.parse_args().directory or Path(tempfile.mkdtemp(prefix="kexp-pages-"))
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    made = list(pages(directory))  # before the browser, beside whose event loop no worker is started
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, page, heading in made:
            draw(browser, name, page, heading)
        browser.close()


if __name__ == "__main__":
    main()
