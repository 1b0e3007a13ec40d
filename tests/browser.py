"""A page in headless Chromium: what it says in its console, asks of the network, and hides from some readers.

Chromium is Debian's package of that name; playwright drives it, and axe-core judges its accessibility.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
MOST_BYTES = 5_000_000
SHOWN_MS = 2000
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
# What reaches beyond the right edge, and is in nothing that scrolls.
_CUT = """() => {
  const edge = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > edge) found.push("the page scrolls sideways");
  for (const one of document.querySelectorAll("body *")) {
    const box = one.getBoundingClientRect();
    if (!box.width || box.right <= edge + 1 || one.closest("svg") !== null && one.tagName !== "svg") continue;
    let around = one.parentElement;
    const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    while (around && !scrolls(around)) around = around.parentElement;
    if (!around) found.push(one.tagName + "." + one.className + " " + (one.textContent || "").slice(0, 40));
  }
  return found;
}"""
# Text that looks as another one does is judged with it: contrast takes most of the time, and a table has
# hundreds of cells of one colour.
_ALIKE = """() => {
  const seen = new Set();
  for (const one of document.querySelectorAll("body *")) {
    one.removeAttribute("data-alike");
    if (![...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
    const {color, fill, fontSize, fontWeight} = getComputedStyle(one);
    const look = [color, fill, fontSize, fontWeight];
    for (let around = one; around; around = around.parentElement) {
      const {backgroundColor, backgroundImage, opacity} = getComputedStyle(around);
      look.push(backgroundColor, backgroundImage, opacity);
    }
    if (seen.has(look.join())) one.setAttribute("data-alike", "");
    seen.add(look.join());
  }
}"""
_CONTRAST = "color-contrast"
_DRAWN = "() => document.querySelectorAll('section').forEach(one => one.style.contentVisibility = 'visible')"


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser; a test that asks for it is skipped, by name, where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def faults(browser: Any, path: Path, *, most_bytes: int = MOST_BYTES) -> list[str]:
    """Return what is wrong with a page, in words; nothing is, where the list is empty.

    Args:
        browser: Of `chromium`.
        path: The page.
        most_bytes: That it may have, default 5 MB.
    """
    found = [] if path.stat().st_size < most_bytes else [f"it has {path.stat().st_size:,} bytes"]
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.on("console", lambda one: found.append(f"console: {one.text}") if one.type == "error" else None)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    url = path.absolute().as_uri()
    page.on(
        "request",
        lambda one: None if one.url.startswith(("data:", url)) else found.append(f"asks for {one.url}"),
    )
    # Once more where something else may have had the processor.
    shown_ms = _shown_ms(page, url)
    if shown_ms >= SHOWN_MS and (shown_ms := _shown_ms(page, url)) >= SHOWN_MS:
        found.append(f"it takes {shown_ms:.0f} ms until it is shown")
    page.evaluate(_DRAWN)
    found += _inaccessible(page, {"rules": {_CONTRAST: {"enabled": False}}})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(_ALIKE)
        judged = _inaccessible(page, {"runOnly": [_CONTRAST]}, {"exclude": [["[data-alike]"]]})
        found += [f"{scheme}: {fault}" for fault in judged]
    page.set_viewport_size(PHONE)
    found += [f"cut on a phone: {one}" for one in page.evaluate(_CUT)]
    context.close()
    return found


def _shown_ms(page: Any, url: str) -> float:
    page.goto(url)
    return float(page.evaluate("() => performance.getEntriesByType('navigation')[0].loadEventEnd"))


def _inaccessible(page: Any, options: dict[str, Any], context: dict[str, Any] | None = None) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    response = Axe().run(page, context=context, options={**options, "resultTypes": ["violations"]}).response
    return [
        f"{fault['id']}: {node['html'][:160]} {node['failureSummary'][-200:]}"
        for fault in response["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:3]
    ]
