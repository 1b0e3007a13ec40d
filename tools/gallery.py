"""Run examples of the gallery and write what came out: python tools/gallery.py [RECIPE …] [--runs DIR]

The Python block of docs/gallery/RECIPE.md is run as it stands. Of the page of the run that it calls `result`
a picture is written to docs/gallery/RECIPE.png: what follows the heading, or is in the table with the
column, that the alternative text of the picture begins with. What was printed and measured replaces what is
between the comments in docs/gallery/RECIPE.md. Needs the `dev` extra and Debian's package chromium. DIR
keeps the runs, and runs that it has are not trained again; default: a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

import kexp

PAGES = Path(__file__).resolve().parents[1] / "docs" / "gallery"
WIDTH, LONGEST, MOST_BYTES = 760, 520, 40_000  # pixels, pixels, of a picture
BEGIN, END = "<!-- tools/gallery.py -->\n", "<!-- end -->"
# Where the picture begins and ends: with the first drawing or table after the heading, and not amid a row.
AREA = """([heading, longest]) => {
  document.querySelectorAll("section").forEach((one) => one.style.contentVisibility = "visible");
  const all = [...document.querySelectorAll("main *")], box = (one) => one.getBoundingClientRect();
  const headings = all.filter((one) => one.matches("h2, h3, th"));
  const found = headings.find((one) => one.textContent.startsWith(heading));
  if (!found) return headings.map((one) => one.textContent);
  const after = all.slice(all.indexOf(found.closest("table") ?? found));
  const shown = after.filter((one) => one.matches("figure, img, svg, pre, table, tr, .rows > *"));
  const top = box(shown[0]).top, next = after.slice(1).find((one) => one.matches("h2, h3"));
  const end = Math.min(top + longest, next ? box(next).top : Infinity);
  const ends = shown.map((one) => box(one).bottom).filter((bottom) => bottom > top && bottom <= end);
  return {top: top + scrollY, height: (ends.length ? Math.max(...ends) : end) - top};
}"""


def run(page: Path, folder: Path) -> tuple[kexp.Result, str]:
    """Run the block of a page in a folder; return its `result` and what it printed."""
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    folder.mkdir(parents=True, exist_ok=True)
    session: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, page.name, "exec"), session)
        result: kexp.Result = session["result"]
        result = kexp.load(result.run_dir.resolve())
        if not (result.run_dir / "report.html").is_file():
            result.report()
    return result, printed.getvalue()


def draw(browser: Any, report: Path, heading: str, picture: Path) -> list[str]:
    """Write the picture of what follows a heading; return the page's sentences on what was measured."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
    tab.goto(report.absolute().as_uri())
    area = tab.evaluate(AREA, [heading, LONGEST])
    if isinstance(area, list):
        raise SystemExit(f"{report} has no heading {heading!r}, but {area}")
    edge = 20
    clip = {"x": edge, "y": area["top"] - 6, "width": WIDTH - 2 * edge, "height": area["height"] + 8}
    drawn = Image.open(io.BytesIO(tab.screenshot(clip=clip, full_page=True))).convert("RGB")
    for colours in (128, 64, 32, 16, 8):
        drawn.quantize(colours, dither=Image.Dither.NONE).save(picture, optimize=True)
        if picture.stat().st_size <= MOST_BYTES:
            break
    else:
        raise SystemExit(f"{picture} has {picture.stat().st_size:,} bytes; at most {MOST_BYTES:,}")
    said = [one.inner_text().strip() for one in tab.locator(".headline, .classical").all()]
    tab.close()
    return said


def measured(result: kexp.Result, said: list[str], printed: str) -> str:
    """Return what came out, as Markdown."""
    number, _, rest = said[0].partition(" ")
    seed, epochs = result.config["arguments"].get("seed", 0), result.epochs
    facts = f"{epochs} epoch{'s' * (epochs != 1)} in {result.seconds:.0f} s, "
    facts += f"{result.parameters:,} parameters, seed {seed}."
    lines = [f"> **{number}** {rest}.", *(f"> {sentence}" for sentence in said[1:]), f"> {facts}"]
    return (f"```text\n{printed.rstrip()}\n```\n\n" if printed.strip() else "") + "\n>\n".join(lines) + "\n"


def main() -> None:
    """Run the examples, then draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--runs", type=Path, metavar="DIR")
    asked = parser.parse_args()
    runs = asked.runs or Path(tempfile.mkdtemp(prefix="kexp-gallery-"))
    names = asked.recipes or sorted(page.stem for page in PAGES.glob("*.md"))
    done = {name: run(PAGES / f"{name}.md", runs / name) for name in names}
    from playwright.sync_api import sync_playwright  # beside whose event loop no worker is started

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (result, printed) in done.items():
            page = PAGES / f"{name}.md"
            text = page.read_text("utf-8")
            heading = re.findall(rf"!\[([^:\]]+).*?\]\({name}\.png\)", text)[0]
            said = draw(browser, result.run_dir / "report.html", heading, PAGES / f"{name}.png")
            before, _, rest = text.partition(BEGIN)
            page.write_text(
                before + BEGIN + measured(result, said, printed) + END + rest.partition(END)[2], "utf-8"
            )
            print(f"{name}: {said[0]}; {result.seconds:.0f} s")
        browser.close()


if __name__ == "__main__":
    main()
